"""report.csv: every kind of table that people have."""

import codecs
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ringback.demo import report
from ringback.demo.columns import Bounds, Column, Watcher
from ringback.demo.report import Report, ReportRequest
from ringback.egress import EgressPolicy
from ringback.job import Job, Resources
from ringback.outcomes import Fail, Retry
from tests.answers import Answer, Flood
from tests.receiver import Receiver

LOOPBACK = Resources(EgressPolicy([ip_network("127.0.0.0/8")]))


def a_job(resources: Resources | None = LOOPBACK) -> Job:
    """What the task sees."""
    return Job(
        id="job_x", type="report.csv", attempt=1, max_attempts=1, created_at=datetime.now(UTC), resources=resources
    )


async def look(csv: str, **options: Any) -> Report:
    """The report on a text."""
    found = await report(a_job(), ReportRequest(csv=csv, **options))
    assert isinstance(found, Report)
    return found


async def look_at(receiver: Receiver, body: bytes, **options: Any) -> Report:
    """The report on a file behind a URL."""
    receiver.always(Answer(200, {"Content-Type": "text/csv"}, body))
    found = await report(a_job(), ReportRequest(url=receiver.url("/file.csv"), **options))
    assert isinstance(found, Report)
    return found


def column(found: Report, name: str) -> Column:
    """One column by its name."""
    return next(one for one in found.columns if one.name == name)


async def test_report_tells_numbers() -> None:
    """Type, count, missing, least, greatest, mean, quantiles."""
    found = column(await look("n\n1\n2\nNA\n3\n4\n"), "n")

    assert (found.type, found.count, found.missing, found.min, found.max, found.mean) == ("integer", 4, 1, 1, 4, 2.5)
    assert found.quantiles is not None
    assert found.quantiles["0.5"] == 2.5


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", "+3"], "integer"),
        (["1", "2.5", "1e3", ".5"], "number"),
        (["true", "No"], "boolean"),
        (["2024-02-29", "2023-01-01"], "date"),
        (["2024-02-29", "2024-02-29T10:00:00Z"], "datetime"),
        (["2023-02-29"], "text"),
        (["007", "008"], "text"),
        (["99999999999999999999"], "number"),
        (["1", "x"], "text"),
        (["", "n/a", "NULL"], "empty"),
        (["inf"], "text"),
        (["1_000"], "text"),
        (["٣"], "text"),
    ],
)
async def test_report_finds_the_narrowest_type(values: list[str], kind: str) -> None:
    """Codes with leading zeros are names, days that do not exist are text."""
    rows = "\n".join(f"{value},x" for value in values)

    assert column(await look(f"a,b\n{rows}\n"), "a").type == kind


async def test_report_counts_the_most_frequent_values() -> None:
    """The most frequent first."""
    found = column(await look("c\nred\nblue\nred\n"), "c")

    assert [(one.value, one.count) for one in found.top] == [("red", 2), ("blue", 1)]


async def test_report_orders_times_by_when_they_are() -> None:
    """Not by how they are written: 10:00+02:00 is before 09:00Z."""
    found = column(await look("t\n2024-01-01T10:00:00+02:00\n2024-01-01T09:00:00Z\n"), "t")

    assert (found.min, found.max) == ("2024-01-01T10:00:00+02:00", "2024-01-01T09:00:00Z")


async def test_report_reads_quotes_with_delimiters_and_line_breaks_in_them() -> None:
    """A quoted field is one value whatever it holds."""
    found = await look('name,note\n"Smith, J","said ""hi""\nand left"\n')

    assert (found.rows, column(found, "name").min, column(found, "note").min) == (1, "Smith, J", 'said "hi"\nand left')


async def test_report_counts_ragged_rows() -> None:
    """Short rows miss values, long ones lose them; both are told."""
    found = await look("a,b\n1\n1,2,3\n1,2\n\n")

    assert (found.rows, found.short_rows, found.long_rows, column(found, "b").missing) == (3, 1, 1, 1)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
async def test_report_finds_the_delimiter(delimiter: str) -> None:
    """Without being told."""
    found = await look(f"a{delimiter}b\n1.5{delimiter}x\n2{delimiter}y\n")

    assert (found.delimiter, [one.name for one in found.columns]) == (delimiter, ["a", "b"])


@pytest.mark.parametrize(
    ("encoded", "encoding"),
    [
        ("größe\n1\n".encode(), "utf-8"),
        (codecs.BOM_UTF8 + "größe\n1\n".encode(), "utf-8-sig"),
        ("größe\n1\n".encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + "größe\n1\n".encode("utf-16-be"), "utf-16"),
        ("größe\n1\n".encode("latin-1"), "latin-1"),
    ],
)
async def test_report_reads_encodings(encoded: bytes, encoding: str) -> None:
    """By the byte order mark, as UTF-8, or else as Latin-1, which fits anything."""
    async with Receiver() as receiver:
        found = await look_at(receiver, encoded)

    assert (found.encoding, [one.name for one in found.columns]) == (encoding, ["größe"])


async def test_report_names_columns_apart() -> None:
    """Empty and repeated titles get names of their own."""
    found = await look("a,,a\n1,2,3\n")

    assert [one.name for one in found.columns] == ["a", "column 2", "a (2)"]


async def test_report_stops_at_the_cap_of_rows() -> None:
    """And says that there is more."""
    found = await look("a\n1\n2\n3\n", max_rows=2)

    assert (found.rows, found.is_truncated) == (2, True)


async def test_report_fails_when_a_quote_is_never_closed() -> None:
    """The rest of the file would be one value: the line and the likely reason are told."""
    with pytest.raises(Fail, match="is a quote never closed"):
        await look('a,b\n"open,1\n' + "x,y\n" * 50_000)


async def test_report_fails_on_an_empty_file() -> None:
    """There is nothing to say about nothing."""
    with pytest.raises(Fail, match="the file is empty"):
        await look("\n\n")


async def test_report_keeps_within_its_memory() -> None:
    """A column of ever new values is counted up to a bound, and says so."""
    watcher = Watcher("id", Bounds(distinct=100, sample=100))
    for number in range(10_000):
        watcher.see(str(number))

    found = watcher.result()

    assert (found.distinct, found.is_distinct_exact, found.mean) == (100, False, 4999.5)
    assert found.quantiles is not None
    assert abs(found.quantiles["0.5"] - 5_000) < 1_500


async def test_report_downloads_through_the_guard() -> None:
    """An inner address is refused, for good."""
    async with Receiver() as receiver:
        with pytest.raises(Fail, match="not a public address"):
            await report(a_job(None), ReportRequest(url=receiver.url()))

        assert receiver.connections == 0


async def test_report_fails_when_the_file_is_too_large() -> None:
    """The download ends at the cap, however much is sent."""
    async with Receiver() as receiver:
        receiver.always(Flood())
        with pytest.raises(Fail, match="larger than 1000 bytes"):
            await report(a_job(), ReportRequest(url=receiver.url(), max_bytes=1_000))


async def test_report_retries_when_the_server_is_in_trouble() -> None:
    """After what the server asked for."""
    async with Receiver() as receiver:
        receiver.always(Answer(503, {"Retry-After": "7"}))
        with pytest.raises(Retry) as asked:
            await report(a_job(), ReportRequest(url=receiver.url()))

    assert asked.value.in_s == 7.0


async def test_report_fails_when_the_file_is_not_there() -> None:
    """Trying again would not help."""
    async with Receiver() as receiver:
        receiver.always(Answer(404))
        with pytest.raises(Fail, match="answered 404"):
            await report(a_job(), ReportRequest(url=receiver.url()))


@pytest.mark.parametrize("payload", [{}, {"csv": "a", "url": "http://x.example"}, {"csv": "a", "delimiter": '"'}])
def test_report_wants_one_source(payload: dict[str, Any]) -> None:
    """Refused before the job is accepted."""
    with pytest.raises(ValidationError):
        ReportRequest.model_validate(payload)


@given(st.text(max_size=300))
async def test_report_never_breaks_on_text(text: str) -> None:
    """Whatever it is given, it reports or fails with a reason."""
    try:
        found = await look(text)
    except Fail:
        return
    assert all(one.count + one.missing == found.rows for one in found.columns)
