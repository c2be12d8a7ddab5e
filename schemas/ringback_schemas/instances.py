"""Running processes, as the others see them."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ringback_schemas.ids import DeliveryId, InstanceId
from ringback_schemas.jobs import JobRecord, JobRef


class Role(StrEnum):
    """What a process does; ``serve`` is all of them in one."""

    API = "api"
    WORKER = "worker"
    NOTIFIER = "notifier"
    SERVE = "serve"


@dataclass(frozen=True, slots=True)
class NewInstance:
    """A process that starts."""

    id: InstanceId
    role: Role
    host: str
    pid: int
    version: str
    queues: tuple[str, ...] = ()
    """Queues it takes jobs from; empty unless it runs jobs."""
    task_types: tuple[str, ...] = ()
    """Task types it can run."""


@dataclass(frozen=True, slots=True)
class InstanceRecord:
    """A process with its heartbeat."""

    id: InstanceId
    role: Role
    host: str
    pid: int
    version: str
    queues: tuple[str, ...]
    task_types: tuple[str, ...]
    started_at: datetime
    heartbeat_at: datetime
    is_draining: bool


@dataclass(frozen=True, slots=True)
class Rescue:
    """What was taken from dead instances."""

    instances: tuple[InstanceId, ...] = ()
    jobs: tuple[JobRef, ...] = ()
    """Queued again, not charged: announce them."""
    deliveries: tuple[DeliveryId, ...] = ()
    """Due now: announce them. Those taken back, and those that tell of what was given up."""
    exhausted: tuple[DeliveryId, ...] = ()
    """Given up: they cost too many notifiers."""
    poisonous: tuple[JobRecord, ...] = field(default=())
    """Still owned by the dead: they killed too many workers, and are to be ended as failed."""
