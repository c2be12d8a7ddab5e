"""Ids: RFC 9562's own vector, and the order in which they were made."""

import time
import uuid

import pytest

from ringback_schemas.ids import check_id, earliest_id, new_id, uuid7


def test_uuid7_gives_the_vector_of_the_rfc() -> None:
    """RFC 9562, A.6: the same bits from the same milliseconds and random parts."""
    number = uuid7(0x017F22E279B0, 0xCC3 << 62 | 0x18C4DC0C0C07398F)

    assert uuid.UUID(int=number) == uuid.UUID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")


def test_ids_of_one_millisecond_sort_in_the_order_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that is newest first by its ids tells the truth within a millisecond, too."""
    moments = range(1_763_000_000_000_000_000, 1_763_000_000_001_000_000, 250)
    clock = iter(moments)
    monkeypatch.setattr(time, "time_ns", lambda: next(clock))

    made = [new_id("job") for _ in moments]

    assert made == sorted(made)
    assert len(set(made)) == len(moments)


def test_the_earliest_id_of_a_millisecond_is_before_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bound by age leaves out none that was made at its first nanosecond."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_763_000_000_000_000_000)

    assert (
        earliest_id("job", 1_763_000_000_000) <= check_id("job", new_id("job")) < earliest_id("job", 1_763_000_000_001)
    )
