"""What a route is: the router and the OpenAPI document are both made from these."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from ringback_schemas.problems import Problems
from ringback_schemas.tenants import Scope
from ringback_service.api.calls import Call, OpenCall
from ringback_service.api.dependencies import ApiDependencies

OpenHandler = Callable[[ApiDependencies, OpenCall], Awaitable[web.StreamResponse]]
GuardedHandler = Callable[[ApiDependencies, Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Open:
    """A handler for everybody; not counted in metrics."""

    handler: OpenHandler


@dataclass(frozen=True, slots=True)
class Guarded:
    """A handler for those whose API key has the scope."""

    scope: Scope
    handler: GuardedHandler


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives when all is well; without a model it is ``media_type`` or nothing."""

    status: int
    meaning: str
    model: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    media_type: str | None = "application/json"


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. Its handler's name and docstring are the operation's id, summary and description."""

    method: str
    path: str
    endpoint: Open | Guarded
    answers: tuple[Answer, ...]
    tag: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    headers: tuple[str, ...] = ()
    """Request headers that it heeds."""
    problems: tuple[Problems, ...] = ()
    """Beside those that every route of its kind can give."""
