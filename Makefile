# Every target sets up .venv by itself, from requirements.lock: with uv where it is installed, else with venv and pip.
# Variables: VENV (where the environment is), PYTHON (which Python makes it), ARGS (more arguments for the program).

VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
READY := $(VENV)/ready
LOOPBACK := ["127.0.0.0/8", "::1/128"]

.DEFAULT_GOAL := help
.PHONY: help demo run test check bench sustained faults format lock clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1 \t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(READY) ## see it work: real jobs, real signed webhooks, in one process; ends by itself
	@$(BIN)/ringback demo $(ARGS)

run: $(READY) ## serve on 127.0.0.1:8080, all in one process, data in ./ringback-data
	@echo 'make run: webhooks to loopback addresses are allowed here (RINGBACK_CALLBACK_ALLOW); in production they are not.'
	@RINGBACK_CALLBACK_ALLOW="$${RINGBACK_CALLBACK_ALLOW:-$$(printf '%s' '$(LOOPBACK)')}" $(BIN)/ringback serve $(ARGS)

test: $(READY) ## all tests, on a real RabbitMQ and PostgreSQL; one file: make test ARGS=tests/unit
	@$(BIN)/python -m tests.servers.provision
	@$(BIN)/python -m pytest $(ARGS)

check: $(READY) ## style, types and layers: ruff, mypy, import-linter
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(READY) ## measure: accept and whole road, on a real RabbitMQ and PostgreSQL
	@$(BIN)/python -m tests.servers.provision
	@$(BIN)/python benchmarks/run.py $(ARGS)

sustained: $(READY) ## 1,000 jobs a second for five minutes: nothing may be lost, and memory has to stay flat
	@$(BIN)/python -m tests.servers.provision
	@$(BIN)/python benchmarks/sustained.py $(ARGS)

faults: $(READY) ## kill, cut and wipe things under a fleet of real processes, and count what is lost
	@$(BIN)/python -m tests.servers.provision
	@$(BIN)/python -m tests.faults $(ARGS)

format: $(READY) ## let ruff mend what it can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

lock: $(READY) ## write requirements.lock anew from pyproject.toml; newest versions: make lock ARGS=--upgrade
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	  --annotation-style line --custom-compile-command 'make lock' --extra dev $(ARGS) pyproject.toml -o requirements.lock

clean: ## remove the environment and the caches; data stays
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build

# The stamp is newer than what it was made from. Hashes are checked; the project itself is then installed editable,
# with the build back end that the lock names, so that nothing unpinned is fetched.
$(READY): requirements.lock pyproject.toml
	@echo 'Setting up $(VENV) …'
	@set -e; \
	if command -v uv >/dev/null 2>&1; then \
	  [ -x $(BIN)/python ] || uv venv --quiet --python "$${PYTHON:->=3.11,<3.14}" $(VENV); \
	  uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock; \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  if [ ! -x $(BIN)/pip ]; then \
	    for python in $$PYTHON python3 python3.13 python3.12 python3.11; do \
	      "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && break; \
	      python=; \
	    done; \
	    [ -n "$$python" ] || { echo 'No Python 3.11, 3.12 or 3.13 found: name one with PYTHON=… or install uv.' >&2; exit 1; }; \
	    "$$python" -m venv --clear $(VENV) || { echo 'On Debian: apt-get install python3-venv' >&2; exit 1; }; \
	  fi; \
	  $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock; \
	  $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	@touch $(READY)
