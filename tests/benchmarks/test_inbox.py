"""What the receiver notes of webhooks."""

from benchmarks.inbox import Inbox


def inbox(*webhooks: tuple[str, str, bytes], kind: object = "job.succeeded") -> Inbox:
    """After these came, a nanosecond apart: job, ``webhook-id`` and body of each."""
    found = Inbox()
    for at, (job_id, webhook_id, body) in enumerate(webhooks):
        found.take(job_id, kind, webhook_id, body, at)
    return found


def counts(found: Inbox) -> tuple[int, int, int]:
    """Came again, recorded twice, of another type."""
    return found.duplicates, found.recorded_twice, found.other_types


def test_first_webhook_of_each_job_is_its_arrival() -> None:
    """Whatever comes for it later."""
    found = inbox(("job_1", "evt_1", b"1"), ("job_2", "evt_2", b"2"), ("job_1", "evt_1", b"1"))

    assert found.arrivals == {"job_1": 0, "job_2": 1}


def test_same_id_with_the_same_bytes_is_a_duplicate() -> None:
    """Each time that it comes again."""
    assert counts(inbox(*[("job_1", "evt_1", b"1")] * 3)) == (2, 0, 0)


def test_another_id_for_one_job_is_recorded_twice() -> None:
    """Though the bytes are the same."""
    assert counts(inbox(("job_1", "evt_1", b"1"), ("job_1", "evt_2", b"1"))) == (0, 1, 0)


def test_other_bytes_for_one_job_are_recorded_twice() -> None:
    """Though the id is the same."""
    assert counts(inbox(("job_1", "evt_1", b"1"), ("job_1", "evt_1", b"2"))) == (0, 1, 0)


def test_webhook_of_another_type_is_counted_and_has_arrived() -> None:
    """A job that failed is no lost one."""
    found = inbox(("job_1", "evt_1", b"1"), kind="job.failed")

    assert (counts(found), found.arrivals) == ((0, 0, 1), {"job_1": 0})
