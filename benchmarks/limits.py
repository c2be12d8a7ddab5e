"""What a load that goes on for minutes must keep to; pure, from the figures that are kept of it."""

from collections.abc import Mapping, Sequence
from typing import Any

GROWTH_LIMIT = 1.2
"""A process's resident set at the end, by what it was after the first fifth of the load: a minute of five."""
RATE_LIMIT = 0.99
"""The rate at which jobs were submitted, by the one asked for. Below, it is the load generator that is measured."""

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
    figures, told = found["figures"], []
    if missing := figures["jobs"] - figures["arrived"]:
        told.append(
            f"{missing:,} of {figures['jobs']:,} accepted jobs had no webhook {found['drain_s']:g} s after the load"
        )
    if figures["refused"]:
        why = ", ".join(f"{reason} ({count:,})" for reason, count in found["refusals"].items())
        told.append(f"{figures['refused']:,} of {figures['submitted']:,} jobs were refused or got no answer: {why}")
    if figures["bad_signatures"]:
        told.append(f"{figures['bad_signatures']:,} webhooks had a bad signature")
    if figures["other_types"]:
        told.append(f"{figures['other_types']:,} webhooks told of something else than a job that succeeded")
    if figures["recorded_twice"]:
        told.append(
            f"{figures['recorded_twice']:,} webhooks were recorded twice: another id or other bytes for one job"
        )
    if figures["submitted_per_s"] < RATE_LIMIT * found["rate"]:
        told.append(f"the load generator fell behind: {figures['submitted_per_s']:,.0f} of {found['rate']:,.0f} jobs/s")
    for name, times in growth(found).items():
        if name in found["own"] and times > GROWTH_LIMIT:
            told.append(f"{name} grew to {times:.2f} times what it held after {found['seconds'] / 5:g} s")
    return told
