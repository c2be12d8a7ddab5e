"""What a load that goes on for minutes must keep to; pure, from the figures that are kept of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

GROWTH_LIMIT = 1.2
"""A process's resident set at the end, by what it was after the first fifth of the load: a minute of five."""
RATE_LIMIT = 0.99
"""The rate at which jobs were submitted, by the one asked for. Below, it is the load generator that is measured."""
LATE_MS_LIMIT = 250.0
"""How late a request may be begun at p99; latency counts from then, and does not show it."""
DRAINED_S_LIMIT = 5.0
"""From the last submission to the last webhook. What keeps up has no more to do then than at any other moment."""
BACKLOG_S_LIMIT = 2.0
"""By how much the backlog may grow, in seconds of the load. Growing without end is falling behind, however slowly."""

Found = Mapping[str, Any]
Sample = Mapping[str, Any]


def near(samples: Sequence[Sample], at_s: float) -> Sample:
    """The sample that was taken nearest to that moment."""
    return min(samples, key=lambda sample: abs(sample["at_s"] - at_s))


def growth(found: Found) -> dict[str, float]:
    """The resident set of each process at the end, by what it was after the first fifth."""
    early, late = near(found["memory"], found["seconds"] / 5)["resident_mib"], found["memory"][-1]["resident_mib"]
    return {name: late[name] / early[name] for name in early}


def complaints(found: Found) -> list[str]:
    """What went wrong, a sentence each; empty when all is well.

    A webhook that came again, byte for byte, is counted elsewhere: Ringback promises at least one of each. One more for
    the same job, with an id or a body of its own, is a job that was ended twice.
    """
    warm_up = [f"in the warm-up, {flaw}" for load in found["warm_up"] for flaw in _flaws(load, found["drain_s"])]
    return [
        *warm_up,
        *_flaws(found, found["drain_s"]),
        *_left_behind(found),
        *_fallen_behind(found),
        *_grown(found),
    ]


def _flaws(load: Found, drain_s: float) -> Iterator[str]:
    figures = load["figures"]
    if missing := figures["jobs"] - figures["arrived"]:
        yield f"{missing:,} of {figures['jobs']:,} accepted jobs had no webhook {drain_s:g} s after the load"
    if figures["refused"]:
        why = ", ".join(f"{reason} ({count:,})" for reason, count in load["refusals"].items())
        submitted = figures["jobs"] + figures["refused"]
        yield f"{figures['refused']:,} of {submitted:,} jobs were refused or got no answer: {why}"
    if figures["bad_signatures"]:
        yield f"{figures['bad_signatures']:,} webhooks had a bad signature"
    if figures["other_types"]:
        yield f"{figures['other_types']:,} webhooks told of something else than a job that succeeded"
    if figures["recorded_twice"]:
        yield f"{figures['recorded_twice']:,} webhooks were recorded twice: another id or other bytes for one job"


def _left_behind(found: Found) -> Iterator[str]:
    drained_s, fifths = found["figures"]["drained_s"], found["fifths"]
    if drained_s > DRAINED_S_LIMIT:
        yield f"the last webhook came {drained_s:.1f} s after the last submission"
    # the second fifth: in the first, processes warm up
    early, late = fifths[min(1, len(fifths) - 1)]["backlog"], fifths[-1]["backlog"]
    if late - early > BACKLOG_S_LIMIT * found["rate"]:
        yield f"the backlog grew from {early:,} to {late:,} jobs between the second fifth and the last"


def _fallen_behind(found: Found) -> Iterator[str]:
    submitted_per_s, rate = found["figures"]["submitted_per_s"], found["rate"]
    if submitted_per_s < RATE_LIMIT * rate:
        yield f"the load generator fell behind: {submitted_per_s:,.0f} of {rate:,.0f} jobs/s"
    if (late_ms := found["figures"]["begun_late_ms"]["p99"]) > LATE_MS_LIMIT:
        yield f"the load generator fell behind: 1 request in 100 was begun more than {late_ms:,.0f} ms late"
    for begin_s, fifth in zip([0.0, *(each["until_s"] for each in found["fifths"])], found["fifths"], strict=False):
        if fifth["submitted_per_s"] < rate - _may_lack(rate, fifth["until_s"] - begin_s):
            span = f"from {begin_s:g} to {fifth['until_s']:g} s"
            yield f"the load generator fell behind: {fifth['submitted_per_s']:,.0f} of {rate:,.0f} jobs/s {span}"


def _may_lack(rate: float, took_s: float) -> float:
    """Jobs a second by which a piece of the load may be short of the rate.

    In a short one, the few that were late at its end are more than one in a hundred: as many as may be late anyway.
    """
    late = max(1.0, rate * LATE_MS_LIMIT / 1000)
    return max((1 - RATE_LIMIT) * rate, late / took_s)


def _grown(found: Found) -> Iterator[str]:
    for name, times in growth(found).items():
        if name in found["own"] and times > GROWTH_LIMIT:
            yield f"{name} grew to {times:.2f} times what it held after {found['seconds'] / 5:g} s"
