"""What is known of one column of a table, row after row, in bounded memory."""

import random
import re
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from pydantic import BaseModel

MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "-"})
"""What stands for no value, in any case, without the spaces around it."""

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TOP = 5
LONGEST_SHOWN = 100

_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,300})")
_NUMBER = re.compile(r"[+-]?([0-9]{1,300}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_LEADING_ZERO = re.compile(r"[+-]?0[0-9]")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class ColumnType(StrEnum):
    """The narrowest type that every value of a column fits."""

    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    TEXT = "text"
    EMPTY = "empty"


class TopValue(BaseModel):
    """A frequent value."""

    value: str
    count: int


class Column(BaseModel):
    """One column of the table."""

    name: str
    type: ColumnType
    count: int
    """Values that are there."""
    missing: int
    distinct: int
    """Different values; counting stops at a bound."""
    is_distinct_exact: bool
    min: float | int | str | None
    """Least value: a number, a date or text, as the type says; null without values."""
    max: float | int | str | None
    mean: float | None
    """Only of numbers, as are quantiles."""
    quantiles: dict[str, float] | None
    """`{"0.05": …, "0.25": …, "0.5": …, "0.75": …, "0.95": …}`; of a fair sample when there are many values."""
    top: list[TopValue]
    """The most frequent values, with their counts."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one column may keep in memory."""

    distinct: int = 10_000
    sample: int = 10_000

    @classmethod
    def shared_by(cls, columns: int) -> "Bounds":
        """So that a table takes about the same memory however wide it is."""
        share = max(200, min(10_000, 200_000 // max(1, columns)))
        return cls(share, share)


class Watcher:
    """Sees every value of one column."""

    def __init__(self, name: str, bounds: Bounds) -> None:
        self._name = name
        self._bounds = bounds
        self._count = 0
        self._missing = 0
        self._counts: Counter[str] = Counter()
        self._is_distinct_exact = True
        self._least: str | None = None
        self._greatest: str | None = None
        self._candidates = dict(_PARSERS)
        self._extremes: dict[ColumnType, tuple[float, str, float, str]] = {}
        self._numbers = _Numbers(bounds.sample)

    def see(self, text: str) -> None:
        """Take the value of the next row."""
        value = text.strip()
        if value.lower() in MISSING:
            self._missing += 1
            return
        self._count += 1
        self._tally(value[:LONGEST_SHOWN])
        self._narrow(value)

    def miss(self) -> None:
        """The next row has no such column."""
        self._missing += 1

    def _tally(self, shown: str) -> None:
        if shown in self._counts or len(self._counts) < self._bounds.distinct:
            self._counts[shown] += 1
        else:
            self._is_distinct_exact = False
        if self._least is None or shown < self._least:
            self._least = shown
        if self._greatest is None or shown > self._greatest:
            self._greatest = shown

    def _narrow(self, value: str) -> None:
        """Cross out the types that this value does not fit; a column with none left is text."""
        for kind, parse in list(self._candidates.items()):
            number = parse(value)
            if number is None:
                del self._candidates[kind]
                continue
            known = self._extremes.get(kind)
            if known is None:
                self._extremes[kind] = (number, value, number, value)
            elif number < known[0]:
                self._extremes[kind] = (number, value, known[2], known[3])
            elif number > known[2]:
                self._extremes[kind] = (known[0], known[1], number, value)
            if kind is ColumnType.NUMBER:
                self._numbers.see(number)

    def result(self) -> Column:
        """What the column is, after the last row."""
        kind = next(iter(self._candidates), ColumnType.TEXT) if self._count else ColumnType.EMPTY
        least, greatest = self._range(kind)
        is_number = kind in {ColumnType.INTEGER, ColumnType.NUMBER}
        return Column(
            name=self._name,
            type=kind,
            count=self._count,
            missing=self._missing,
            distinct=len(self._counts),
            is_distinct_exact=self._is_distinct_exact,
            min=least,
            max=greatest,
            mean=self._numbers.mean if is_number else None,
            quantiles=self._numbers.quantiles() if is_number else None,
            top=[TopValue(value=value, count=count) for value, count in self._counts.most_common(TOP)],
        )

    def _range(self, kind: ColumnType) -> tuple[float | int | str | None, float | int | str | None]:
        match kind:
            case ColumnType.EMPTY:
                return None, None
            case ColumnType.TEXT | ColumnType.BOOLEAN:
                return self._least, self._greatest
            case ColumnType.INTEGER:
                low, _, high, _ = self._extremes[kind]
                return int(low), int(high)
            case ColumnType.NUMBER:
                low, _, high, _ = self._extremes[kind]
                return low, high
            case _:
                _, first, _, last = self._extremes[kind]
                return first, last


class _Numbers:
    """Mean and quantiles of a stream of numbers: all of them while they fit, then a fair sample (Vitter's R)."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._sample = array("d")
        self._seen = 0
        self.mean = 0.0
        # seeded: the same table gives the same report
        self._random = random.Random(0)  # noqa: S311 - sampling, no secret

    def see(self, number: float) -> None:
        self._seen += 1
        self.mean += (number - self.mean) / self._seen
        if len(self._sample) < self._size:
            self._sample.append(number)
            return
        place = self._random.randrange(self._seen)
        if place < self._size:
            self._sample[place] = number

    def quantiles(self) -> dict[str, float]:
        """By linear interpolation between the nearest ranks, as NumPy and R (type 7) do."""
        values = sorted(self._sample)
        found: dict[str, float] = {}
        for quantile in QUANTILES:
            rank = quantile * (len(values) - 1)
            low = int(rank)
            high = min(low + 1, len(values) - 1)
            found[f"{quantile:g}"] = values[low] + (values[high] - values[low]) * (rank - low)
        return found


def _integer(text: str) -> float | None:
    # beyond 2**53 a float would show another number than the file has
    if _INTEGER.fullmatch(text) and abs(number := int(text)) <= 2**53:
        return float(number)
    return None


def _number(text: str) -> float | None:
    """A number as written in data; ``007`` and the like are names, not numbers."""
    if not _NUMBER.fullmatch(text) or _LEADING_ZERO.match(text):
        return None
    number = float(text)
    return number if number not in (float("inf"), float("-inf")) else None


def _boolean(text: str) -> float | None:
    return {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}.get(text.lower())


def _date(text: str) -> float | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        return float(date.fromisoformat(text).toordinal())
    except ValueError:
        return None


def _datetime(text: str) -> float | None:
    """An ISO 8601 time in seconds; without an offset it counts as UTC."""
    if not _DATE.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


_PARSERS: dict[ColumnType, Callable[[str], float | None]] = {
    ColumnType.BOOLEAN: _boolean,
    ColumnType.INTEGER: _integer,
    ColumnType.NUMBER: _number,
    ColumnType.DATE: _date,
    ColumnType.DATETIME: _datetime,
}
"""From the narrowest to the widest: the first that no value contradicts is the column's type."""
