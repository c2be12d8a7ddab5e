"""Bodies of deliveries and their attempts."""

from datetime import datetime

from ringback_schemas.deliveries import DeliveryKind, Verdict, WaitReason
from ringback_schemas.http.base import AnswerBody
from ringback_schemas.states import DeliveryState


class TimingBody(AnswerBody):
    """Where the time of an attempt went, in seconds; null for what was not reached."""

    total_s: float
    dns_s: float | None
    connect_s: float | None
    """TCP; through a proxy, up to its tunnel."""
    tls_s: float | None
    """The TLS handshake."""
    first_byte_s: float | None


class AttemptBody(AnswerBody):
    """One POST to the receiver, or the attempt at one."""

    attempt: int
    started_at: datetime
    duration: TimingBody
    verdict: Verdict
    reason: str
    """One sentence: what happened, and what follows."""
    status: int | None
    """The receiver's HTTP status; null if it gave none."""
    remote_address: str | None
    response_prefix: str
    """The first bytes of the answer, as UTF-8; what is no UTF-8 is replaced."""
    next_attempt_at: datetime | None


class DeliveryLinks(AnswerBody):
    """Absolute URLs of a delivery."""

    self: str
    job: str | None
    redeliver: str


class DeliveryBody(AnswerBody):
    """One event for one receiver."""

    id: str
    event_id: str
    """The `webhook-id` of each attempt."""
    event_type: str
    job_id: str | None
    """Null for an event of no job, such as `endpoint.test`."""
    kind: DeliveryKind
    endpoint_id: str | None
    url: str
    destination: str
    """Scheme, host and port."""
    state: DeliveryState
    done: bool
    """Whether it rests: nothing more is sent unless somebody asks for it."""
    tries: int
    """Attempts since the schedule last began, but for those that came to nothing for our own proxy's sake."""
    created_at: datetime
    next_attempt_at: datetime | None
    waits_for: WaitReason | None
    """Why it waits although it is due: an open circuit, a full lane, a rate, others before it; null for most."""
    finished_at: datetime | None
    attempts: list[AttemptBody] | None
    """Oldest first; null in lists of many deliveries."""
    links: DeliveryLinks


class DeliveryPage(AnswerBody):
    """Some deliveries: of one job oldest first, else newest first."""

    items: list[DeliveryBody]
    next: str | None
    """URL of the next page; null on the last one."""
