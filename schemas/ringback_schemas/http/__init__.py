"""HTTP bodies: what requests must look like and what answers do look like.

The front end validates requests with these and describes both in OpenAPI; the client parses answers with them.
"""

from ringback_schemas.http.audit import AuditEntryBody, AuditPage
from ringback_schemas.http.deliveries import AttemptBody, DeliveryBody, DeliveryLinks, DeliveryPage, TimingBody
from ringback_schemas.http.endpoints import (
    EndpointBody,
    EndpointLinks,
    EndpointPage,
    EndpointPatch,
    EndpointRequest,
    EndpointTestBody,
    EndpointTestData,
    PublicKeyBody,
    PublicKeysBody,
    RotateRequest,
)
from ringback_schemas.http.events import EventBody, EventFeedBody, JobEventBody
from ringback_schemas.http.health import CheckBody, CheckStatus, HealthBody, ReadinessBody
from ringback_schemas.http.jobs import JobBody, JobErrorBody, JobLinks, JobPage, JobRequest, ProgressBody
from ringback_schemas.http.operational import (
    DeliveryExhaustedBody,
    EndpointEventBody,
    EndpointEventData,
    ExhaustedData,
)
from ringback_schemas.http.problems import FieldErrorBody, ProblemBody
from ringback_schemas.http.replays import (
    ReplayBody,
    ReplayFilterBody,
    ReplayFilterRequest,
    ReplayLinks,
    ReplayPage,
    ReplayRequest,
    ReplaySkipsBody,
)
from ringback_schemas.http.tasks import TaskTypeBody, TaskTypesBody
from ringback_schemas.http.tenants import (
    CreatedKeyBody,
    KeyBody,
    KeyRequest,
    KeysBody,
    SigningSecretBody,
    SigningSecretsBody,
    TenantBody,
    TenantRequest,
    TenantsBody,
)

__all__ = [
    "AttemptBody",
    "AuditEntryBody",
    "AuditPage",
    "CheckBody",
    "CheckStatus",
    "CreatedKeyBody",
    "DeliveryBody",
    "DeliveryExhaustedBody",
    "DeliveryLinks",
    "DeliveryPage",
    "EndpointBody",
    "EndpointEventBody",
    "EndpointEventData",
    "EndpointLinks",
    "EndpointPage",
    "EndpointPatch",
    "EndpointRequest",
    "EndpointTestBody",
    "EndpointTestData",
    "EventBody",
    "EventFeedBody",
    "ExhaustedData",
    "FieldErrorBody",
    "HealthBody",
    "JobBody",
    "JobErrorBody",
    "JobEventBody",
    "JobLinks",
    "JobPage",
    "JobRequest",
    "KeyBody",
    "KeyRequest",
    "KeysBody",
    "ProblemBody",
    "ProgressBody",
    "PublicKeyBody",
    "PublicKeysBody",
    "ReadinessBody",
    "ReplayBody",
    "ReplayFilterBody",
    "ReplayFilterRequest",
    "ReplayLinks",
    "ReplayPage",
    "ReplayRequest",
    "ReplaySkipsBody",
    "RotateRequest",
    "SigningSecretBody",
    "SigningSecretsBody",
    "TaskTypeBody",
    "TaskTypesBody",
    "TenantBody",
    "TenantRequest",
    "TenantsBody",
    "TimingBody",
]
