"""What a black-box test sees: the API of a running service as one tenant of it, and a receiver."""

from dataclasses import dataclass, field
from typing import Any

import aiohttp

from ringback.client import Client
from ringback_schemas.http import AttemptBody, DeliveryBody, EndpointBody
from tests.answers import Answer
from tests.receiver import Receiver, Request
from tests.waiting import eventually

WITHIN_S = 30.0
"""Nothing but a bound: a machine may be as slow as it likes."""

SCHEDULE_S = (0.2, 0.3)
"""Three attempts."""

_FAILS = Answer(500)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the API."""

    status: int
    body: Any

    @property
    def code(self) -> str:
        """Of a problem document."""
        code: str = self.body["code"]
        return code


@dataclass(slots=True)
class World:
    """One tenant's view; nobody else's deliveries come to its receiver."""

    url: str
    key: str
    tenant_id: str
    client: Client
    receiver: Receiver
    session: aiohttp.ClientSession
    answers: list[str] = field(default_factory=list)
    """What the API answered to ``call``, as text."""

    async def call(self, method: str, path: str, *, key: str | None = None, **request: Any) -> Reply:
        """Ask the API, without the client's comforts."""
        headers = {"Authorization": f"Bearer {key or self.key}", **request.pop("headers", {})}
        async with self.session.request(method, f"{self.url}{path}", headers=headers, **request) as answer:
            self.answers.append(await answer.text())
            is_json = answer.content_type.endswith("json")
            return Reply(answer.status, await answer.json(content_type=None) if is_json else self.answers[-1])

    async def ring(self, payload: Any = None, *, url: str | None = None, task: str = "demo.echo") -> str:
        """Have a job done that rings back to the receiver; its id."""
        return (await self.client.submit(task, payload, callback_url=url or self.receiver.url())).id

    async def register(self, *, url: str | None = None, **options: Any) -> EndpointBody:
        """An endpoint at the receiver."""
        return await self.client.endpoints.create(url or self.receiver.url(), **options)

    async def disabled(self, endpoint_id: str) -> EndpointBody:
        """An endpoint, once it is disabled: that follows the attempt that brings it about."""

        async def there() -> EndpointBody | None:
            found = await self.client.endpoints.get(endpoint_id)
            return None if found.enabled else found

        found = await eventually(there, within_s=WITHIN_S, what=f"{endpoint_id} is disabled")
        assert found is not None
        return found

    async def event(self, payload: Any = None) -> str:
        """Have a job done of which registered endpoints are told; its id."""
        return (await self.client.submit("demo.echo", payload)).id

    async def delivery(self, job_id: str, *states: str, attempts: int = 0) -> DeliveryBody:
        """The only delivery of a job, once it is in one of these states and has so many attempts."""

        async def there() -> DeliveryBody | None:
            found = await self.client.deliveries(job_id)
            fits = [one for one in found if (not states or one.state in states) and len(attempts_of(one)) >= attempts]
            return fits[0] if fits else None

        what = f"a delivery of {job_id} that is {' or '.join(states) or 'there'} after {attempts} attempts"
        found = await eventually(there, within_s=WITHIN_S, what=what)
        assert found is not None
        return found

    async def ended(self, job_id: str) -> DeliveryBody:
        """The only delivery of a job, once it rests."""
        return await self.delivery(job_id, "delivered", "exhausted", "cancelled")

    async def first_attempt(self, job_id: str) -> AttemptBody:
        """The first attempt to deliver a job's webhook."""
        return attempts_of(await self.delivery(job_id, attempts=1))[0]

    async def arrivals(self, count: int) -> list[Request]:
        """The requests that came to the receiver, once there are so many."""
        return await self.receiver.wait_for(count, within_s=WITHIN_S)

    async def intervals_pass(self) -> None:
        """All intervals of the schedule pass by once: another delivery is tried to its end."""
        self.receiver.always(_FAILS, path="/clock")
        other = await self.ended(await self.ring("tick", url=self.receiver.url("/clock")))
        assert len(attempts_of(other)) == len(SCHEDULE_S) + 1


def attempts_of(delivery: DeliveryBody) -> list[AttemptBody]:
    """Oldest first."""
    return delivery.attempts or []
