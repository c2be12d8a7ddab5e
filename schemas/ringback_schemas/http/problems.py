"""The body of every refusal (RFC 9457)."""

from pydantic import Field

from ringback_schemas.http.base import AnswerBody


class FieldErrorBody(AnswerBody):
    """What is wrong with one value."""

    pointer: str | None = None
    """JSON Pointer (RFC 6901) into the request's body."""
    parameter: str | None = None
    """Name of the query parameter or header, for what is not in the body."""
    code: str
    """Short and stable."""
    detail: str


class ProblemBody(AnswerBody):
    """A problem document."""

    type: str
    """Reference of the problem type; leads to a page that explains it."""
    code: str
    """The last part of `type`."""
    title: str
    status: int
    detail: str
    """What happened this time, in a sentence."""
    errors: list[FieldErrorBody] = Field(default_factory=list)
    """What is wrong with which value; empty unless the input is invalid."""
    request_id: str
    """Also in the `X-Request-Id` header, and in the log."""
