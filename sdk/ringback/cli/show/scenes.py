"""What the demo shows: four jobs, and what must be true of each in the end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ringback.cli.show.receiver import DATA, Arrival

ELEMENTS = 118
GREETING = {"hello": "world", "ünïcode": "✓"}


@dataclass(frozen=True, slots=True)
class Scene:
    """One job."""

    type: str
    payload: Any
    event: str
    """The type of the webhook that must come."""
    told: Callable[[Mapping[str, Any]], str]
    """What is shown of the job in the webhook."""
    is_right: Callable[[Mapping[str, Any]], bool]
    """Whether that job is as it must be."""
    max_attempts: int = 1
    refusals: Sequence[int] = ()
    """Statuses that the receiver answers first."""
    note: str = ""


def scenes(receiver_url: str) -> list[Scene]:
    """The jobs of the demo, in order."""
    return [
        Scene(
            type="report.csv",
            payload={"url": f"{receiver_url}/{DATA}"},
            event="job.succeeded",
            told=_tell_report,
            is_right=lambda job: job["result"]["rows"] == ELEMENTS,
        ),
        Scene(
            type="http.fetch",
            payload={"url": f"{receiver_url}/elements/Au"},
            event="job.succeeded",
            told=lambda job: f"{job['result']['status']} {job['result']['body']}",
            is_right=lambda job: job["result"]["status"] == 200 and "Gold" in job["result"]["body"],  # noqa: PLR2004 - OK
        ),
        Scene(
            type="demo.fail",
            payload={},
            event="job.failed",
            told=lambda job: f"{job['error']['exception']}: {job['error']['message']}, in {job['attempt']} attempts",
            is_right=lambda job: job["error"]["code"] == "handler-error" and job["attempt"] == 2,  # noqa: PLR2004 - as asked
            max_attempts=2,
        ),
        Scene(
            type="demo.echo",
            payload=GREETING,
            event="job.succeeded",
            told=lambda job: f"result is the payload: {job['result'] == GREETING}",
            is_right=lambda job: bool(job["result"] == GREETING),
            refusals=(503, 503),
            note="the receiver answers 503 twice",
        ),
    ]


def _tell_report(job: Mapping[str, Any]) -> str:
    report = job["result"]
    weight = next(column for column in report["columns"] if column["name"] == "weight")
    return f"{report['rows']} rows, {len(report['columns'])} columns; mean weight {weight['mean']:.2f}"


def missing(scene: Scene, arrivals: Sequence[Arrival]) -> list[str]:
    """What is not as it must be; empty when all is well."""
    if not arrivals or arrivals[-1].answered != 200:  # noqa: PLR2004 - OK
        return [f"{scene.type}: the webhook did not arrive"]
    found = [f"{scene.type}: a webhook was not verified: {one.problem}" for one in arrivals if one.problem]
    if [one.answered for one in arrivals] != [*scene.refusals, 200]:
        found.append(f"{scene.type}: {len(arrivals)} tries instead of {len(scene.refusals) + 1}")
    if len({one.webhook_id for one in arrivals}) != 1 or len({one.body for one in arrivals}) != 1:
        found.append(f"{scene.type}: the tries differ in webhook-id or bytes")
    event = arrivals[-1].event
    if event["type"] != scene.event:
        found.append(f"{scene.type}: {event['type']} instead of {scene.event}")
    elif not scene.is_right(event["data"]):
        found.append(f"{scene.type}: the job is not as it must be: {event['data']}")
    return found
