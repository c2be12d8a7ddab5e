"""Ringback: slow work off a web request, and a signed webhook when it is done.

    from ringback import task, Job, Retry, Fail, Client, verify_webhook

Names are loaded when first used, so that a program pays only for what it needs.
"""

import importlib
from typing import TYPE_CHECKING, Any

# At once, because a module has the same name: importing `ringback.task` later must not put that in this one's place.
from ringback.task import Task, task

if TYPE_CHECKING:
    from ringback.client import Client, ProblemError
    from ringback.job import Job
    from ringback.outcomes import Fail, Retry
    from ringback.webhooks import VerifiedWebhook, WebhookVerificationError, verify_webhook
    from ringback_schemas.errors import RingbackError

_HOMES = {
    "Client": "ringback.client",
    "Fail": "ringback.outcomes",
    "Job": "ringback.job",
    "ProblemError": "ringback.client",
    "Retry": "ringback.outcomes",
    "RingbackError": "ringback_schemas.errors",
    "VerifiedWebhook": "ringback.webhooks",
    "WebhookVerificationError": "ringback.webhooks",
    "verify_webhook": "ringback.webhooks",
}

__all__ = [
    "Client",
    "Fail",
    "Job",
    "ProblemError",
    "Retry",
    "RingbackError",
    "Task",
    "VerifiedWebhook",
    "WebhookVerificationError",
    "task",
    "verify_webhook",
]


def __getattr__(name: str) -> Any:
    """Load a name from its home (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ringback' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """What there is, loaded or not."""
    return sorted(__all__)
