"""From rows to what the schemas call them. A row is anything that slices to a tuple, in the order of the dataclass."""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from ringback_schemas.deliveries import ClaimedDelivery, DeliveryKind, DeliveryRecord, WaitReason
from ringback_schemas.jobs import ClaimedJob, JobRecord
from ringback_schemas.states import DELIVERY_READY, DeliveryState, JobState

# enum calls look their argument up in a slow way, and these run for every row
_JOB_STATES = {state.value: state for state in JobState}
_DELIVERY_STATES = {state.value: state for state in DeliveryState}
_READY = {state.value for state in DELIVERY_READY}
_KINDS = {kind.value: kind for kind in DeliveryKind}

JOB_WIDTH = 21
"""Columns of a job record: eighteen of ``jobs``, then callback_url, callback_events and tags of ``job_requests``."""

DELIVERY_WIDTH = 16
"""Columns of a delivery record that a claim gives."""


def to_json(texts: Iterable[str]) -> str:
    """A list of texts as it is kept: JSON."""
    return orjson.dumps(list(texts)).decode()


def from_json(text: str) -> tuple[str, ...]:
    """The texts of a kept list."""
    return () if text == "[]" else tuple(orjson.loads(text))


def job_record(row: Sequence[Any]) -> JobRecord:
    """A job of a row that begins with the columns of one."""
    fields: list[Any] = [*row[:5], _JOB_STATES[row[5]], *row[6:19], from_json(row[19]), from_json(row[20])]
    return JobRecord(*fields)


def claimed_job(row: Sequence[Any]) -> ClaimedJob:
    """A job of a row that has its payload behind it."""
    return ClaimedJob(job_record(row), row[JOB_WIDTH])


def delivery_record(row: Sequence[Any]) -> DeliveryRecord:
    """A delivery of a row that begins with the columns of one."""
    return DeliveryRecord(*_delivery_fields(row))


def stored_delivery(row: Sequence[Any]) -> DeliveryRecord:
    """A delivery of a row that has behind it why it waits; one that is ready and without a time is parked."""
    reason = row[DELIVERY_WIDTH]
    if row[13] is None and row[9] in _READY:
        reason = WaitReason.ENDPOINT_DISABLED
    if reason == WaitReason.FIFO and row[9] != DeliveryState.PENDING:
        # the head of its line: it does not wait for others
        reason = None
    waits_for = None if reason is None else WaitReason(reason)
    fields = [*_delivery_fields(row), waits_for]
    return DeliveryRecord(*fields)


def _delivery_fields(row: Sequence[Any]) -> list[Any]:
    job_id = row[4] or None  # see ``tables.NO_JOB``
    return [*row[:4], job_id, _KINDS[row[5]], *row[6:9], _DELIVERY_STATES[row[9]], *row[10:16]]


def claimed_delivery(row: Sequence[Any]) -> ClaimedDelivery:
    """A delivery of a row that has the event's body and its job's birth behind it."""
    return ClaimedDelivery(delivery_record(row), row[DELIVERY_WIDTH], row[DELIVERY_WIDTH + 1])
