"""Errors as people read them on a terminal: what, where, and what to try."""

from collections.abc import Iterator

from ringback.client import ApiUnreachable, ProblemError, StillRunning
from ringback.settings import SettingsError
from ringback_schemas.errors import RingbackError


def sentences(error: RingbackError) -> Iterator[str]:
    """One line for the error, more where more helps."""
    match error:
        case ProblemError():
            yield from _problem(error)
        case SettingsError():
            yield from (f"ringback: {fault}" for fault in error.faults)
            yield "Try: docs/settings.md tells of each setting."
        case ApiUnreachable():
            yield f"ringback: {error}"
            yield "Try: is `ringback serve` running? RINGBACK_URL says where."
        case StillRunning():
            yield f"ringback: {error}; it goes on"
            yield f"Try: ringback jobs wait {error.job.id}"
        case _:
            yield f"ringback: {error}"


def _problem(error: ProblemError) -> Iterator[str]:
    problem = error.problem
    yield f"ringback: {problem.title or 'The request failed'}: {problem.detail}"
    for fault in problem.errors:
        where = fault.pointer or fault.parameter
        if where and fault.detail not in problem.detail:
            yield f"  {where}: {fault.detail}"
    if problem.code == "unauthenticated":
        yield "Try: put a key into RINGBACK_KEY; `ringback keys show` tells that of the embedded mode."
    if problem.request_id:
        yield f"  ({problem.code}, request {problem.request_id})"
