"""The OpenAPI document: complete, sound, and true."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from ringback_schemas.documents import job_document, job_links
from ringback_schemas.events import EVENT_TYPES
from ringback_schemas.http import JobBody, JobLinks, JobRequest
from ringback_schemas.http.jobs import EventType
from ringback_schemas.ids import DEFAULT_TENANT, new_job_id
from ringback_schemas.jobs import JobRecord, Progress
from ringback_schemas.operational import OPERATIONAL
from ringback_schemas.problems import Problems
from ringback_schemas.states import JobState
from ringback_service.api.openapi import openapi_document
from ringback_service.api.routes import ROUTES
from ringback_service.api.routing import Guarded
from tests.service.api.conftest import Api

DOCUMENT = openapi_document(ROUTES, "https://ringback.test", "1.2.3")
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method, operation in item.items():
            assert method in METHODS
            yield method, path, operation


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


def test_document_describes_every_route() -> None:
    """And nothing else."""
    described = {(method.upper(), path) for method, path, _ in _operations()}

    assert described == {(route.method, route.path) for route in ROUTES}


def test_document_resolves_all_its_references() -> None:
    """No schema or header is missing."""
    references = set(_references(DOCUMENT))

    assert references
    for reference in references:
        here: Any = DOCUMENT
        for part in reference.removeprefix("#/").split("/"):
            here = here[part]


def test_document_uses_all_its_schemas() -> None:
    """Nothing is described that nothing mentions."""
    used = {reference.rpartition("/")[2] for reference in _references(DOCUMENT)}

    assert used >= set(DOCUMENT["components"]["schemas"])


def test_document_has_one_id_for_each_operation() -> None:
    """Generators make function names of them."""
    ids = [operation["operationId"] for _, _, operation in _operations()]

    assert len(ids) == len(set(ids))


def test_document_explains_every_operation() -> None:
    """A summary, a tag, answers with descriptions, and the parameters of its path."""
    for _, path, operation in _operations():
        assert operation["summary"]
        assert operation["tags"]
        assert all(answer["description"] for answer in operation["responses"].values())
        in_path = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
        assert in_path == set(re.findall(r"\{(\w+)\}", path))


def test_document_asks_for_a_scope_where_the_route_does() -> None:
    """And for no key where it does not."""
    for route in ROUTES:
        security = DOCUMENT["paths"][route.path][route.method.lower()]["security"]
        assert security == ([{"key": [route.endpoint.scope.value]}] if isinstance(route.endpoint, Guarded) else [])


def test_document_describes_the_callback_of_a_job() -> None:
    """By the runtime expression that names the URL in the request."""
    (expression,) = DOCUMENT["paths"]["/v1/jobs"]["post"]["callbacks"]["jobDone"]

    assert expression == "{$request.body#/callback_url}"
    assert "callback_url" in JobRequest.model_fields


def test_document_describes_a_webhook_for_each_event() -> None:
    """With the three headers of Standard Webhooks."""
    assert set(EVENT_TYPES.values()) == set(EventType.__args__)  # type: ignore[attr-defined]
    assert set(DOCUMENT["webhooks"]) == {*EVENT_TYPES.values(), "endpoint.test", *OPERATIONAL}
    for webhook in DOCUMENT["webhooks"].values():
        headers = {parameter["name"] for parameter in webhook["post"]["parameters"]}
        assert headers == {"webhook-id", "webhook-timestamp", "webhook-signature"}


async def test_document_is_served(api: Api) -> None:
    """Without a key, and with the public URL as its server."""
    reply = await api.call("GET", "/openapi.json", key=None)

    assert (reply.status, reply.body["openapi"]) == (200, "3.1.1")
    assert reply.body["servers"] == [{"url": api.deps.public_url}]


def _job(state: JobState) -> JobRecord:
    now = datetime.now(UTC)
    return JobRecord(
        new_job_id(), DEFAULT_TENANT, "t", "default", 0, state, 1, 0, 0, 3, 60.0, now, now, None, now, None, None,
        is_cancel_requested=False, callback_url=None, callback_events=(), tags=("a",),
    )  # fmt: skip


@pytest.mark.parametrize("state", list(JobState))
def test_job_resource_has_the_shape_that_is_described(state: JobState) -> None:
    """The document that is written and the model that describes it have the same names, in order."""
    job = _job(state)
    progress = Progress(0.5, "half", job.created_at)

    document = job_document(replace(job, state=state), "https://x", progress=progress)

    assert list(document) == list(JobBody.model_fields)
    assert list(job_links("https://x", job.id)) == list(JobLinks.model_fields)
    assert JobBody.model_validate(document).state is state


class _Links(HTMLParser):
    """Collects ids and links to them."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.targets: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - its form
        """Note what the tag names and where it leads."""
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            if name == "href" and value and value.startswith("#"):
                self.targets.add(value[1:])


async def test_page_shows_every_operation(api: Api) -> None:
    """Without scripts, and with links that lead somewhere."""
    reply = await api.call("GET", "/docs", key=None)
    links = _Links()
    links.feed(reply.body)

    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert {operation["operationId"] for _, _, operation in _operations()} <= links.ids
    assert links.targets <= links.ids
    assert "<script" not in reply.body


@pytest.mark.parametrize("kind", list(Problems), ids=lambda kind: kind.code)
async def test_type_of_a_problem_leads_to_a_page(api: Api, kind: Problems) -> None:
    """Every problem document explains itself."""
    reply = await api.call("GET", kind.value.uri, key=None)

    assert reply.status == 200
    assert kind.code in reply.body


async def test_unknown_problem_is_a_404(api: Api) -> None:
    """As a problem document of its own."""
    assert (await api.call("GET", "/problems/none", key=None)).problem == (404, "not-found")
