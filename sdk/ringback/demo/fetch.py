"""``http.fetch``: one call of somebody's HTTP API, with a deadline and a cap."""

import base64
import re
from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ringback.demo.requests import check_status, read_capped, requested
from ringback.job import Job
from ringback.task import task

NOT_YOURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that the connection depends on."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")

HeaderValue = Annotated[str, StringConstraints(max_length=4_096, pattern=r"^[\t\x20-\x7e]*$")]


class FetchRequest(BaseModel):
    """What to request, and how long and how much of the answer to take."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(min_length=1, max_length=2_048, examples=["https://api.example/v1/things"])
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    headers: dict[str, HeaderValue] = Field(default_factory=dict, max_length=50)
    body: str | None = Field(default=None, description="Text to send, as UTF-8.")
    json_body: Any = Field(default=None, alias="json", description="JSON to send, instead of `body`.")
    timeout_s: float = Field(default=15.0, gt=0, le=50, description="Seconds for the whole exchange.")
    max_bytes: int = Field(default=262_144, ge=0, le=4_194_304, description="Bytes of the answer that are kept.")

    @model_validator(mode="after")
    def _sendable(self) -> Self:
        for name in self.headers:
            if not _HEADER_NAME.fullmatch(name) or name.lower() in NOT_YOURS:
                raise ValueError(f"the header {name!r} cannot be set")
        if self.body is not None and "json_body" in self.model_fields_set:
            raise ValueError("give body or json, not both")
        return self


class Fetched(BaseModel):
    """The answer: its body as text when it is UTF-8, else as base64."""

    status: int
    headers: dict[str, str]
    body: str | None
    body_base64: str | None
    size: int
    """Bytes of the body that are here."""
    is_truncated: bool
    """Whether there was more."""


@task("http.fetch", timeout_s=60, max_attempts=4)
async def fetch(job: Job, payload: FetchRequest) -> Fetched:
    """Request a URL and give back the answer. 5xx, 429, time-outs and broken connections are tried again.

    Redirects are not followed: they are answers like any other. Only addresses that webhooks may go to can be reached.
    """
    body, headers = _body(payload)
    async with requested(
        job.resources.egress, payload.method, payload.url, within_s=payload.timeout_s, headers=headers, body=body
    ) as response:
        check_status(response, accepts=range(100, 500))
        content, is_truncated = await read_capped(response, payload.max_bytes)
        return _fetched(response.status, dict(response.headers), content, is_truncated=is_truncated)


def _body(payload: FetchRequest) -> tuple[bytes | None, dict[str, str]]:
    headers = {name.lower(): value for name, value in payload.headers.items()}
    if "json_body" in payload.model_fields_set:
        headers.setdefault("content-type", "application/json")
        return orjson.dumps(payload.json_body), headers
    if payload.body is not None:
        headers.setdefault("content-type", "text/plain; charset=utf-8")
        return payload.body.encode(), headers
    return None, headers


def _fetched(status: int, headers: dict[str, str], content: bytes, *, is_truncated: bool) -> Fetched:
    text, encoded = _text(content, is_truncated=is_truncated), None
    if text is None:
        encoded = base64.b64encode(content).decode()
    return Fetched(
        status=status,
        headers={name: value.encode("utf-8", "replace").decode() for name, value in headers.items()},
        body=text,
        body_base64=encoded,
        size=len(content),
        is_truncated=is_truncated,
    )


def _text(content: bytes, *, is_truncated: bool) -> str | None:
    """The content when it is UTF-8; a character that the cap cut in two is left out."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        if is_truncated and error.reason == "unexpected end of data":
            return content[: error.start].decode()
        return None
