"""One step of a replay, in one transaction: see ``contracts.replays``."""

from collections import Counter
from collections.abc import Iterable
from enum import Enum
from typing import Any

from sqlalchemy import Connection, Row, and_, case, func, literal, select, update

from ringback_backends.sql.arranging import hold_lines
from ringback_backends.sql.columns import now
from ringback_backends.sql.deliveries import AFRESH
from ringback_backends.sql.lane_columns import ITS_LINE
from ringback_backends.sql.parking import READY
from ringback_backends.sql.replay_rows import replay_record
from ringback_backends.sql.replay_walk import first_place, lock_meant, next_deliveries
from ringback_backends.sql.tables import deliveries, replays
from ringback_schemas.ids import DeliveryId
from ringback_schemas.replays import ReplayPace, ReplayRecord, ReplayStep
from ringback_schemas.states import REPLAY_OPEN, DeliveryState, ReplayState

IS_OPEN = replays.c.state.in_([literal(state.value, literal_execute=True) for state in REPLAY_OPEN])
"""Spelt as in the partial index."""

Change = dict[str, Any]

_REPLAYED = AFRESH | {
    "state": case((ITS_LINE.is_(None), DeliveryState.RETRYING.value), else_=DeliveryState.PENDING.value)
}
"""Sent again beside what is fresh, as retries are: a lane lets fresh deliveries go first, and starves neither.

A line has one order for all, in which retries stand at the head: there it is as if somebody had redelivered it.
"""


class _Fate(Enum):
    """What becomes of a delivery that is meant."""

    SENT = "sent"
    DISABLED = "disabled"
    GONE = "gone"


def take_step(connection: Connection, pace: ReplayPace) -> ReplayStep | None:
    """See ``ReplayStore.advance_replay``."""
    row = _whose_turn(connection, pace)
    if row is None:
        return None
    replay = replay_record(row)
    if replay.state is ReplayState.PENDING:
        _change(connection, replay, {"state": ReplayState.RUNNING.value, "started_at": now()})
    sent: tuple[DeliveryId, ...] = ()
    if replay.is_counted:
        sent, change = _redeliver(connection, replay, row.place, pace)
    else:
        change = _count(connection, replay, row.place, pace)
    _change(connection, replay, change | {"turn_at": now()})
    return ReplayStep(replay_record(connection.execute(select(replays).where(_named(replay))).one()), sent)


def _whose_turn(connection: Connection, pace: ReplayPace) -> Row[Any] | None:
    """The row, locked: that is all that keeps two processes from taking steps of one replay at once.

    A lock ends with its connection, so a process that dies leaves nothing that would have to time out.
    """
    query = select(replays).where(IS_OPEN)
    if not _has_room(connection, pace.most_due):
        query = query.where(replays.c.is_counted.is_(False))
    query = query.order_by(replays.c.turn_at, replays.c.id).limit(1).with_for_update(skip_locked=True)
    return connection.execute(query).one_or_none()


def _has_room(connection: Connection, most_due: int) -> bool:
    """Whether notifiers can be given more: fresh events must not queue behind a mountain of old ones."""
    due = and_(READY, deliveries.c.waits_for.is_(None), deliveries.c.next_attempt_at <= now())
    some = select(deliveries.c.id).where(due).limit(most_due).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one() < most_due


def _count(connection: Connection, replay: ReplayRecord, place: str, pace: ReplayPace) -> Change:
    seen = next_deliveries(connection, replay, place or first_place(replay.filter), pace.window)
    fates = _fates(row for row in seen if row.is_meant)
    change: Change = {"matched": replay.matched + fates.total()}
    if replay.is_dry_run:
        change |= _skips(replay, fates)
    if len(seen) == pace.window:
        return change | {"place": seen[-1].id}
    if replay.is_dry_run:
        return change | {"is_counted": True} | _DONE
    return change | {"is_counted": True, "place": ""}


def _redeliver(
    connection: Connection, replay: ReplayRecord, place: str, pace: ReplayPace
) -> tuple[tuple[DeliveryId, ...], Change]:
    seen = next_deliveries(connection, replay, place or first_place(replay.filter), pace.window)
    meant = [row.id for row in seen if row.is_meant][: pace.chunk]
    hold_lines(connection, {row.endpoint_id for row in seen if row.is_meant and row.endpoint_id is not None})
    locked = lock_meant(connection, replay, meant) if meant else []
    sent = tuple(row.id for row in locked if _fate(row) is _Fate.SENT)
    if sent:
        connection.execute(update(deliveries).where(deliveries.c.id.in_(sent)).values(_REPLAYED))
    change = {"redelivered": replay.redelivered + len(sent)} | _skips(replay, _fates(locked))
    if len(meant) == pace.chunk:
        return sent, change | {"place": meant[-1]}
    if len(seen) == pace.window:
        return sent, change | {"place": seen[-1].id}
    return sent, change | _settled(replay, change) | _DONE


_DONE: Change = {"state": ReplayState.DONE.value, "finished_at": now()}


def _settled(replay: ReplayRecord, change: Change) -> Change:
    """The last sum: what was counted and is not to be found any more has changed in between."""
    found: int = change["redelivered"] + change["skipped_disabled"] + change["skipped_gone"]
    return {"matched": max(found, replay.matched), "skipped_changed": max(0, replay.matched - found)}


def _skips(replay: ReplayRecord, fates: Counter[_Fate]) -> Change:
    skipped = replay.skipped
    return {
        "skipped_disabled": skipped.endpoint_disabled + fates[_Fate.DISABLED],
        "skipped_gone": skipped.endpoint_gone + fates[_Fate.GONE],
    }


def _fates(rows: Iterable[Row[Any]]) -> Counter[_Fate]:
    return Counter(_fate(row) for row in rows)


def _fate(row: Row[Any]) -> _Fate:
    if row.endpoint_id is None or row.is_enabled:
        return _Fate.SENT
    return _Fate.GONE if row.is_enabled is None else _Fate.DISABLED


def _change(connection: Connection, replay: ReplayRecord, change: Change) -> None:
    connection.execute(update(replays).where(_named(replay)).values(change))


def _named(replay: ReplayRecord) -> Any:
    return and_(replays.c.tenant_id == replay.tenant_id, replays.c.id == replay.id)
