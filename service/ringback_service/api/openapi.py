"""The OpenAPI 3.1 document, made from the route table and from the models that validate and answer."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ringback_schemas import http
from ringback_schemas.events import ENDPOINT_TEST, EVENT_TYPES
from ringback_schemas.operational import (
    DELIVERY_EXHAUSTED,
    ENDPOINT_DISABLED,
    ENDPOINT_ENABLED,
    ENDPOINT_FAILING,
    ENDPOINT_RECOVERED,
)
from ringback_schemas.problems import MEDIA_TYPE, Problems
from ringback_service.api.headers import REQUEST_HEADERS, RESPONSE_HEADERS, WEBHOOK_HEADERS
from ringback_service.api.routing import Answer, Guarded, Route

Document = dict[str, Any]

_REF = "#/components/schemas/{model}"
_OF_GUARDED = (
    Problems.UNAUTHENTICATED,
    Problems.FORBIDDEN,
    Problems.NOT_ACCEPTABLE,
    Problems.INTERNAL_ERROR,
    Problems.STORAGE_UNAVAILABLE,
)
_OF_BODY = (
    Problems.MALFORMED_REQUEST,
    Problems.REQUEST_TIMEOUT,
    Problems.TOO_LARGE,
    Problems.UNSUPPORTED_MEDIA_TYPE,
    Problems.INVALID_INPUT,
)


_OPERATIONAL: dict[str, tuple[str, type[BaseModel]]] = {
    ENDPOINT_FAILING: ("The last attempts at an endpoint failed", http.EndpointEventBody),
    ENDPOINT_RECOVERED: ("An endpoint that was failing took a webhook", http.EndpointEventBody),
    ENDPOINT_DISABLED: ("An endpoint gets nothing any more", http.EndpointEventBody),
    ENDPOINT_ENABLED: ("An endpoint gets events again", http.EndpointEventBody),
    DELIVERY_EXHAUSTED: ("A delivery was given up", http.DeliveryExhaustedBody),
}


def openapi_document(routes: Sequence[Route], public_url: str, version: str) -> Document:
    """The whole document, ready for JSON."""
    paths: dict[str, Document] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "Ringback",
            "version": version,
            "description": "Takes slow work off a web request: POST a job with a callback URL, get 202 at once, and a "
            "signed webhook (Standard Webhooks 1.0) when it is done. A 202 is a promise: the job is committed.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": public_url}],
        "security": [{"key": []}],
        "paths": paths,
        "webhooks": _webhooks(),
        "components": {
            "schemas": _schemas(routes),
            "headers": RESPONSE_HEADERS,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key, `rbk_…`."}},
        },
    }


def _operation(route: Route) -> Document:
    handler = route.endpoint.handler
    summary, _, description = (handler.__doc__ or "").partition("\n\n")
    operation: Document = {
        "operationId": handler.__name__,
        "summary": summary.strip().rstrip("."),
        "tags": [route.tag],
        "parameters": _parameters(route),
        "responses": _responses(route),
        "security": [],
    }
    notes = [" ".join(description.split())]
    if isinstance(route.endpoint, Guarded):
        scope = route.endpoint.scope.value
        operation["security"] = [{"key": [scope]}]
        notes.append(f"Needs the scope `{scope}`.")
    operation["description"] = " ".join(note for note in notes if note)
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(route.body)}
    if route.body is http.JobRequest:
        operation["callbacks"] = {"jobDone": {"{$request.body#/callback_url}": {"post": _webhook("callback")}}}
    return operation


def _parameters(route: Route) -> list[Document]:
    names = re.findall(r"\{(\w+)\}", route.path)
    parameters: list[Document] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
    ]
    if route.query is not None:
        schema = route.query.model_json_schema(ref_template=_REF)
        for name, value in schema["properties"].items():
            described = {"description": value.pop("description")} if "description" in value else {}
            parameters.append({"name": name, "in": "query", "schema": value, **described})
    parameters += [{"name": name, "in": "header", **REQUEST_HEADERS[name]} for name in route.headers]
    return parameters


def _responses(route: Route) -> Document:
    responses = {str(answer.status): _response(answer) for answer in route.answers}
    for status, problems in _by_status(_problems(route)).items():
        names = ", ".join(f"`{problem.code}`" for problem in problems)
        meaning = "; ".join(problem.value.title for problem in problems)
        problem_content = {MEDIA_TYPE: {"schema": _ref(http.ProblemBody)}}
        if str(status) not in responses:
            responses[str(status)] = {"description": f"{names}: {meaning}.", "content": problem_content}
    return dict(sorted(responses.items()))


def _response(answer: Answer) -> Document:
    response: Document = {"description": answer.meaning}
    if answer.model is not None:
        response["content"] = _content(answer.model)
    elif answer.media_type is not None:
        response["content"] = {answer.media_type: {}}
    headers = (*answer.headers, "X-Request-Id")
    response["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return response


def _problems(route: Route) -> Iterable[Problems]:
    yield from route.problems
    if isinstance(route.endpoint, Guarded):
        yield from _OF_GUARDED
    if route.body is not None:
        yield from _OF_BODY
    elif route.query is not None:
        yield Problems.INVALID_INPUT


def _by_status(problems: Iterable[Problems]) -> Mapping[int, list[Problems]]:
    grouped: dict[int, list[Problems]] = {}
    for problem in dict.fromkeys(problems):
        grouped.setdefault(int(problem.value.status), []).append(problem)
    return grouped


def _webhooks() -> Document:
    """The events that registered receivers get; the callback of a job gets the same."""
    jobs = {event_type: {"post": _webhook(event_type.replace(".", "_"))} for event_type in EVENT_TYPES.values()}
    test = _webhook("endpoint_test", "Somebody tests the endpoint", http.EndpointTestBody)
    operational = {
        event_type: {"post": _webhook(event_type.replace(".", "_"), summary, model)}
        for event_type, (summary, model) in _OPERATIONAL.items()
    }
    return {**jobs, ENDPOINT_TEST: {"post": test}, **operational}


def _webhook(
    operation_id: str, summary: str = "The job is done", model: type[BaseModel] = http.JobEventBody
) -> Document:
    return {
        "operationId": f"receive_{operation_id}",
        "summary": summary,
        "description": "Signed as Standard Webhooks 1.0 has it. May arrive twice, always with the same `webhook-id` "
        "and the same bytes. Tried until a 2xx, a 410, or the end of the schedule; redirects are not followed.",
        "tags": ["Webhooks"],
        "security": [],
        "parameters": [{"name": name, "in": "header", **header} for name, header in WEBHOOK_HEADERS.items()],
        "requestBody": {"required": True, "content": _content(model)},
        "responses": {
            "2XX": {"description": "Received: it is not sent again."},
            "410": {"description": "Nobody wants it any more: it is not sent again."},
        },
    }


def _schemas(routes: Iterable[Route]) -> Document:
    """All models: those of requests as they validate, those of answers as they are written."""
    operational = [model for _, model in _OPERATIONAL.values()]
    told: list[type[BaseModel]] = [http.ProblemBody, http.JobEventBody, http.EndpointTestBody, *operational]
    wanted: dict[type[BaseModel], None] = dict.fromkeys(told)
    queries: Document = {}
    for route in routes:
        wanted.update(dict.fromkeys(answer.model for answer in route.answers if answer.model is not None))
        if route.query is not None:
            queries |= route.query.model_json_schema(ref_template=_REF).get("$defs", {})
    bodies = dict.fromkeys(route.body for route in routes if route.body is not None)
    inputs = [(model, "validation") for model in bodies]
    outputs = [(model, "serialization") for model in wanted]
    _, definitions = models_json_schema([*inputs, *outputs], ref_template=_REF)  # type: ignore[list-item]
    schemas: Document = queries | definitions["$defs"]
    return dict(sorted(schemas.items()))


def _content(model: type[BaseModel]) -> Document:
    return {"application/json": {"schema": _ref(model)}}


def _ref(model: type[BaseModel]) -> Document:
    return {"$ref": _REF.format(model=model.__name__)}
