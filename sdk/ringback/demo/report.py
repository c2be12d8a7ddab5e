"""``report.csv``: what is in a CSV file, column by column."""

import asyncio
import io
import tempfile
from typing import IO, Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ringback.demo.columns import Bounds, Column, Watcher
from ringback.demo.requests import download
from ringback.demo.tables import Table
from ringback.job import Job
from ringback.outcomes import Fail
from ringback.task import task

IN_MEMORY_BYTES = 4 * 1024 * 1024
"""Larger downloads are kept in a temporary file meanwhile."""

ROWS_PER_LOOK = 2_000
"""Rows between two looks at whether to stop, and two words of progress."""


class ReportRequest(BaseModel):
    """A CSV file, given as it is or by its URL."""

    model_config = ConfigDict(extra="forbid")

    csv: str | None = Field(default=None, description="The file's text.")
    url: str | None = Field(default=None, max_length=2_048, description="Where to get it, instead of `csv`.")
    delimiter: Annotated[str, StringConstraints(pattern=r'^[^"\r\n]$')] | None = Field(
        default=None, description="Absent: found out, among comma, semicolon, tab and bar."
    )
    max_rows: int = Field(default=1_000_000, ge=1, le=10_000_000, description="Rows beyond are not looked at.")
    max_bytes: int = Field(default=67_108_864, ge=1, le=1_073_741_824, description="A larger download fails.")
    timeout_s: float = Field(default=60.0, gt=0, le=240, description="Seconds for the download.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.csv is None) == (self.url is None):
            raise ValueError("give either csv or url")
        return self


class Report(BaseModel):
    """What is in the file."""

    rows: int
    """Without the first one, which names the columns."""
    columns: list[Column]
    short_rows: int
    """Rows with too few values: those that they lack count as missing."""
    long_rows: int
    """Rows with too many values: the surplus is ignored."""
    is_truncated: bool
    """Whether there are more rows than were looked at."""
    delimiter: str
    encoding: str
    size: int
    """Bytes."""


@task("report.csv", timeout_s=300, max_attempts=3)
async def report(job: Job, payload: ReportRequest) -> Report:
    """Look at every value of a CSV file: type, count, missing, least, greatest, mean, quantiles, top values by column.

    The file is read row by row; memory is bounded whatever its length.
    """
    with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as file:
        if payload.url is not None:
            await job.progress(0.0, "downloading")
            policy = job.resources.egress
            await download(policy, payload.url, file, within_s=payload.timeout_s, max_bytes=payload.max_bytes)
        else:
            file.write((payload.csv or "").encode("utf-8", "replace"))
        return await asyncio.to_thread(look, job, file, payload)


def look(job: Job, file: IO[bytes], payload: ReportRequest) -> Report:
    """The report on a file; runs in a thread.

    Raises:
        Fail: it cannot be read as CSV, or the job was stopped.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    table = Table(file, payload.delimiter)
    try:
        return _look(job, table, size, payload.max_rows)
    finally:
        table.close()


def _look(job: Job, table: Table, size: int, max_rows: int) -> Report:
    bounds = Bounds.shared_by(len(table.names))
    watchers = [Watcher(name, bounds) for name in table.names]
    count = short = long = 0
    is_truncated = False
    for row in table.rows():
        if count >= max_rows:
            is_truncated = True
            break
        count += 1
        short += len(row) < len(watchers)
        long += len(row) > len(watchers)
        _see(watchers, row)
        if count % ROWS_PER_LOOK == 0:
            _tell(job, count)
    return Report(
        rows=count,
        columns=[watcher.result() for watcher in watchers],
        short_rows=short,
        long_rows=long,
        is_truncated=is_truncated,
        delimiter=table.delimiter,
        encoding=table.encoding,
        size=size,
    )


def _see(watchers: list[Watcher], row: list[str]) -> None:
    for watcher, value in zip(watchers, row, strict=False):
        watcher.see(value)
    for watcher in watchers[len(row) :]:
        watcher.miss()


def _tell(job: Job, rows: int) -> None:
    if job.is_cancelled:
        # the loop has stopped waiting for this thread; nobody sees what it raises
        raise Fail("stopped")
    job.progress_nowait(None, f"{rows} rows")
