"""Reading CSV as it is found in the world: byte order marks, several encodings and delimiters, ragged rows."""

import csv
import io
from collections.abc import Iterator
from typing import IO

from ringback.outcomes import Fail

CHUNK_BYTES = 65_536
SAMPLE_CHARACTERS = 65_536
SAMPLE_ROWS = 50
DELIMITERS = (",", ";", "\t", "|")
MOST_COLUMNS = 1_000

_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def find_encoding(file: IO[bytes]) -> str:
    """``utf-8-sig`` or ``utf-16`` when a byte order mark says so, ``utf-8`` when all of it is that, else ``latin-1``.

    Leaves the file at its beginning. Latin-1 fits any bytes, so reading never fails for its encoding's sake.
    """
    start = file.read(3)
    file.seek(0)
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    try:
        text = io.TextIOWrapper(file, encoding="utf-8")
        while text.read(CHUNK_BYTES):
            pass
    except UnicodeDecodeError:
        return "latin-1"
    else:
        return "utf-8"
    finally:
        text.detach()
        file.seek(0)


def find_delimiter(sample: str) -> str:
    """The delimiter that cuts the first rows into most columns, as many in each; a comma when none does."""
    scores = {delimiter: _score(sample, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: scores[delimiter])
    return best if scores[best] > (0.0, 0) else ","


def _score(sample: str, delimiter: str) -> tuple[float, int]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) >= SAMPLE_ROWS:
                break
    except csv.Error:
        return 0.0, 0
    if not rows or len(rows[0]) == 1:
        return 0.0, 0
    width = len(rows[0])
    return sum(len(row) == width for row in rows) / len(rows), width


class Table:
    """The rows of a CSV file, read as they are asked for."""

    def __init__(self, file: IO[bytes], delimiter: str | None = None) -> None:
        """Without a delimiter it is found out. The file is left open, and at its end when all rows were read.

        Raises:
            Fail: there is nothing in it, or too many columns.
        """
        self.encoding = find_encoding(file)
        self._text = io.TextIOWrapper(file, encoding=self.encoding, errors="replace", newline="")
        if delimiter is None:
            delimiter = find_delimiter(self._text.read(SAMPLE_CHARACTERS))
            self._text.seek(0)
        self.delimiter = delimiter
        self._reader = csv.reader(self._text, delimiter=delimiter)
        header = self._next()
        if header is None:
            raise Fail("the file is empty")
        if len(header) > MOST_COLUMNS:
            raise Fail(f"the first row has {len(header)} columns, more than {MOST_COLUMNS}")
        self.names = unique_names(header)

    def rows(self) -> Iterator[list[str]]:
        """The rows under the first one; blank lines are left out.

        Raises:
            Fail: a row cannot be read; says which line.
        """
        while (row := self._next()) is not None:
            yield row

    def close(self) -> None:
        """Let go of the file, which stays open. Safe to call twice."""
        if not self._text.closed:
            self._text.detach()

    def _next(self) -> list[str] | None:
        try:
            return next((row for row in self._reader if row), None)
        except csv.Error as error:
            hint = "; is a quote never closed?" if "field limit" in str(error) else ""
            raise Fail(f"line {self._reader.line_num} is not CSV: {error}{hint}") from error


def unique_names(header: list[str]) -> list[str]:
    """Names of columns without spaces around them; an empty one is called by its number, a repeated one counted."""
    names: dict[str, None] = {}
    for number, title in enumerate(header, 1):
        wanted = title.strip()[:200] or f"column {number}"
        name, copy = wanted, 1
        while name in names:
            copy += 1
            name = f"{wanted} ({copy})"
        names[name] = None
    return list(names)
