"""What came of a load, in numbers."""

from dataclasses import replace

from benchmarks.outcome import Outcome, figures, long_figures, percentiles, slices

MS = 1_000_000
S = 1_000 * MS


def outcome(
    arrivals: dict[str, int], jobs: int = 4, refused: int = 0, begun: list[int] | None = None, duplicates: int = 0
) -> Outcome:
    """A job a second, accepted after 5 ms, then those that were refused."""
    accepted = [(f"job_{number}", number * S, 5 * MS) for number in range(jobs)]
    every = begun or [number * S for number in range(jobs + refused)]
    return Outcome(accepted, every, [MS] * len(every), {"503 overloaded": refused}, arrivals, duplicates, 0)


def all_but(*names: str, jobs: int = 4) -> dict[str, int]:
    """A webhook half a second after the submission of each other job."""
    return {f"job_{n}": n * S + S // 2 for n in range(jobs) if f"job_{n}" not in names}


def test_missing_names_accepted_jobs_without_a_webhook() -> None:
    """By their ids."""
    assert outcome(all_but("job_2")).missing == ["job_2"]


def test_webhook_of_another_job_does_not_stand_in_for_a_missing_one() -> None:
    """Ids are compared, not numbers of webhooks."""
    seen = outcome({**all_but("job_2"), "job_9": 9 * S})

    assert (seen.missing, seen.unasked) == (["job_2"], 1)
    assert figures(seen)["arrived"] == 3


def test_backlog_counts_jobs_begun_whose_webhook_has_not_come() -> None:
    """At any moment; webhooks of other jobs do not count."""
    seen = outcome({**all_but("job_1"), "job_9": 0})

    assert seen.backlog([0, S // 2, S, 2 * S, 4 * S]) == [1, 0, 1, 2, 1]


def test_figures_count_duplicates_and_refusals() -> None:
    """Each by itself."""
    found = figures(outcome(all_but(), refused=2, duplicates=3))

    assert {name: found[name] for name in ("jobs", "arrived", "refused", "duplicates")} == {
        "jobs": 4,
        "arrived": 4,
        "refused": 2,
        "duplicates": 3,
    }


def test_figures_tell_of_webhooks_that_should_not_be() -> None:
    """Second ones of a job, and those of another type."""
    seen = replace(outcome(all_but()), recorded_twice=1, other_types=2)

    assert {"recorded_twice": 1, "other_types": 2}.items() <= figures(seen).items()


def test_road_is_from_the_begun_request_to_the_webhook() -> None:
    """Not from the answer."""
    assert figures(outcome(all_but()))["road_ms"]["p50"] == 500.0


def test_submitted_rate_is_that_of_requests_really_begun() -> None:
    """A load generator that needs twice the time shows half the rate, though every job was accepted."""
    late = outcome(all_but(), begun=[0, 2 * S, 4 * S, 6 * S])

    assert long_figures(outcome(all_but()))["submitted_per_s"] == 1.0
    assert long_figures(late)["submitted_per_s"] == 0.5


def test_drained_is_from_the_last_request_to_the_last_webhook() -> None:
    """In seconds."""
    assert long_figures(outcome({**all_but(), "job_0": 9 * S}))["drained_s"] == 6.0


def test_most_backlog_is_the_highest_of_all_moments() -> None:
    """Two jobs wait while the third is begun."""
    assert long_figures(outcome({**all_but(), "job_0": 9 * S, "job_1": 9 * S}))["most_backlog"] == 3


def test_slices_cover_the_load_from_first_to_last() -> None:
    """Each job is in one slice, and the last slice ends with the last request."""
    pieces = slices(outcome(all_but()), every_s=1.5)

    assert [piece["until_s"] for piece in pieces] == [1.5, 3.0]
    assert [piece["submitted_per_s"] for piece in pieces] == [1.3, 1.3]
    assert [piece["backlog"] for piece in pieces] == [0, 1]


def test_percentiles_are_in_milliseconds() -> None:
    """Of nanoseconds; of nothing they are 0."""
    assert percentiles([MS * number for number in range(1, 101)]) == {
        "p50": 51.0,
        "p95": 96.0,
        "p99": 100.0,
        "max": 100.0,
    }
    assert percentiles([])["p99"] == 0.0
