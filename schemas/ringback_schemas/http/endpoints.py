"""Bodies of registered endpoints, their secrets and public keys."""

from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from ringback_schemas.endpoints import BodyFormat, Consent, DisabledReason, SigningScheme
from ringback_schemas.http.base import AnswerBody, RequestBody, distinct
from ringback_schemas.http.forms import EVENT_PATTERN, ONE_LINE

MAX_EVENT_FILTERS = 32
MAX_OVERLAP_S = 7 * 86_400.0
DEFAULT_OVERLAP_S = 86_400.0

Pattern = Annotated[str, StringConstraints(max_length=100, pattern=EVENT_PATTERN)]

Url = Annotated[
    str,
    StringConstraints(min_length=1, max_length=2_048),
    Field(
        description="Where the signed webhooks go. An http(s) URL in the public internet, or in a network that the "
        "operator opened.",
        examples=["https://app.example/hooks/ringback"],
    ),
]
Events = Annotated[
    list[Pattern],
    AfterValidator(distinct),
    Field(
        default_factory=list,
        max_length=MAX_EVENT_FILTERS,
        description="Which events it gets: types such as `job.failed`, or the beginning of some, `job.*`. "
        "None, or `*`: everything that happens to jobs. Operational events have to be named: `endpoint.*`.",
        examples=[["job.failed", "job.cancelled"]],
    ),
]
Description = Annotated[str, StringConstraints(max_length=500, pattern=ONE_LINE), Field(default_factory=str)]
Headers = Annotated[
    dict[str, str],
    Field(
        default_factory=dict,
        description="Further headers of each request, such as `Authorization`. Those that Ringback sets itself are "
        "refused. Values that look like credentials are shown as `***`.",
    ),
]
# a bound from below: dividing by what is hardly more than nothing gives more than numbers can be
RateLimit = Annotated[float | None, Field(ge=0.0001, le=10_000, description="Most deliveries a second.")]
InFlight = Annotated[int | None, Field(ge=1, le=1_000, description="Most deliveries at the same time.")]
Timeout = Annotated[
    float | None, Field(ge=1, le=30, description="Seconds that it may take to answer; null: as the operator says.")
]
Format = Annotated[BodyFormat, Field(strict=False, description="What the body of a webhook looks like.")]
Scheme = Annotated[
    SigningScheme,
    Field(strict=False, description="`v1`: HMAC with a shared secret; `v1a`: Ed25519, verified by a public key."),
]
Secret = Annotated[
    str | None,
    Field(description="A secret that you bring along: `whsec_…` or `whsk_…`. Absent: a fresh one.", repr=False),
]
Fifo = Annotated[bool, Field(description="One delivery at a time, in the order of events.")]
NeedsConsent = Annotated[
    bool,
    Field(description="Ask it by OPTIONS, as CloudEvents webhooks do, before anything is sent."),
]


class EndpointRequest(RequestBody):
    """An endpoint to be made."""

    url: Url
    events: Events
    description: Description
    headers: Headers
    rate_limit_per_s: RateLimit = None
    max_in_flight: InFlight = None
    timeout_s: Timeout = None
    body_format: Format = BodyFormat.STANDARD
    signing: Scheme = SigningScheme.V1
    secret: Secret = None
    is_fifo: Fifo = False
    needs_consent: NeedsConsent = False


class EndpointPatch(RequestBody):
    """What is to be changed of an endpoint; what is absent stays. A header given as `***` keeps its value."""

    url: Annotated[Url, Field(default_factory=str)]
    events: Events
    description: Description
    headers: Headers
    rate_limit_per_s: RateLimit = None
    max_in_flight: InFlight = None
    timeout_s: Timeout = None
    body_format: Annotated[Format, Field(default_factory=lambda: BodyFormat.STANDARD)]
    is_fifo: Annotated[Fifo, Field(default_factory=bool)]
    needs_consent: Annotated[NeedsConsent, Field(default_factory=bool)]


class EndpointLinks(AnswerBody):
    """Absolute URLs of an endpoint."""

    self: str
    secret: str
    test: str


class EndpointBody(AnswerBody):
    """A registered receiver."""

    id: str
    url: str
    events: list[str]
    """Which events it gets; empty: everything that happens to jobs."""
    description: str
    headers: dict[str, str]
    """Further headers of each request; values that look like credentials as `***`."""
    has_unreadable_headers: bool
    """They cannot be decrypted: none are shown, and nothing is sent until the key is back or they are given anew."""
    rate_limit_per_s: float | None
    max_in_flight: int | None
    timeout_s: float | None
    body_format: BodyFormat
    signing: SigningScheme
    is_fifo: bool
    needs_consent: bool
    consent: Consent
    """Where the handshake stands."""
    consent_rate_per_minute: int | None
    """What it allowed when it consented; null: any rate."""
    enabled: bool
    disabled_reason: DisabledReason | None
    disabled_at: datetime | None
    failures_in_row: int
    """Failed attempts since the last good one."""
    first_failure_at: datetime | None
    last_success_at: datetime | None
    """To the minute."""
    created_at: datetime
    updated_at: datetime
    links: EndpointLinks


class EndpointPage(AnswerBody):
    """Some endpoints, newest first."""

    items: list[EndpointBody]
    next: str | None
    """URL of the next page; null on the last one."""


class RotateRequest(RequestBody):
    """How to rotate a signing secret; an empty object does it as most want it."""

    overlap_s: Annotated[
        float, Field(ge=0, le=MAX_OVERLAP_S, description="How long the old secrets sign beside the new one.")
    ] = DEFAULT_OVERLAP_S
    signing: Annotated[
        SigningScheme | None, Field(strict=False, description="Absent: as the newest secret there is.")
    ] = None
    secret: Secret = None


class PublicKeyBody(AnswerBody):
    """A public key as a JSON Web Key (RFC 8037), and as Standard Webhooks writes it."""

    kid: str
    kty: str
    crv: str
    x: str
    use: str
    whpk: str
    """`whpk_…`: give it to `verify_webhook`."""
    endpoint_id: str | None
    """Whose webhooks it verifies; null: callbacks."""
    created_at: datetime
    expires_at: datetime | None
    """Until when a rotated key still signs; null for the newest."""


class PublicKeysBody(AnswerBody):
    """The live public keys of a tenant, newest first; none for one that signs by HMAC only, or that is unknown."""

    keys: list[PublicKeyBody]


class EndpointTestData(AnswerBody):
    """What a test says."""

    endpoint_id: str
    message: str


class EndpointTestBody(AnswerBody):
    """The body of the webhook that a test sends."""

    type: str
    timestamp: datetime
    data: EndpointTestData
