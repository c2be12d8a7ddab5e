"""Replays as they are kept: a row of ``replays``, with the filter as JSON."""

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row

from ringback_schemas.replays import ReplayFilter, ReplayRecord, ReplaySkips
from ringback_schemas.states import DeliveryState, ReplayState


def filter_text(wanted: ReplayFilter) -> str:
    """The filter as it is kept."""
    return orjson.dumps(wanted).decode()


def replay_record(row: Row[Any]) -> ReplayRecord:
    """The replay of a row."""
    return ReplayRecord(
        id=row.id,
        tenant_id=row.tenant_id,
        filter=_filter(orjson.loads(row.filter)),
        is_dry_run=row.is_dry_run,
        state=ReplayState(row.state),
        is_counted=row.is_counted,
        matched=row.matched,
        redelivered=row.redelivered,
        skipped=ReplaySkips(row.skipped_changed, row.skipped_disabled, row.skipped_gone),
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _filter(kept: dict[str, Any]) -> ReplayFilter:
    return ReplayFilter(
        states=tuple(DeliveryState(state) for state in kept["states"]),
        event_types=tuple(kept["event_types"]),
        endpoint_id=kept["endpoint_id"],
        url=kept["url"],
        destination=kept["destination"],
        created_after=_moment(kept["created_after"]),
        created_before=_moment(kept["created_before"]),
    )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
