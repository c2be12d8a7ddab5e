# One image for every process: api, worker, notifier, migrate, serve. docker-compose.yml says which.

FROM python:3.13-slim AS build
WORKDIR /build
# First what changes seldom: the locked dependencies as wheels, each checked against its hash, none compiled here.
COPY requirements.lock ./
RUN python -m pip download --quiet --require-hashes --only-binary :all: -r requirements.lock -d /wheels
# Then the project itself, with the build back end that the lock names.
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY sdk sdk
COPY backends backends
COPY service service
COPY notifier notifier
RUN python -m venv /opt/ringback \
 && python -m venv /opt/tools \
 && /opt/tools/bin/pip install --quiet --no-index --find-links /wheels hatchling \
 && /opt/tools/bin/hatchling build -t wheel -d /dist \
 # from the checked wheels only, and of these only what running needs
 && /opt/ringback/bin/pip install --quiet --no-index --find-links /wheels /dist/*.whl \
 && /opt/ringback/bin/python -m compileall -q /opt/ringback/lib

FROM python:3.13-slim
LABEL org.opencontainers.image.title="ringback" \
      org.opencontainers.image.description="Takes slow work off a web request: 202 at once, a signed webhook when it is done" \
      org.opencontainers.image.licenses="MIT"
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/ringback ringback
COPY --from=build /opt/ringback /opt/ringback
ENV PATH=/opt/ringback/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RINGBACK_HOST=0.0.0.0 \
    RINGBACK_PORT=8080
USER ringback
WORKDIR /var/lib/ringback
EXPOSE 8080
STOPSIGNAL SIGTERM
# The front end's own health; workers and notifiers get theirs from docker-compose.yml.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"RINGBACK_PORT\"]}/healthz', timeout=2)"]
ENTRYPOINT ["ringback"]
CMD ["serve"]
