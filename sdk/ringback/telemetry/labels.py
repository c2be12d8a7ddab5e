"""Metrics with labels, held ready: ``labels()`` costs more than what is counted, so each child is looked up once."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from prometheus_client.metrics import MetricWrapperBase

M = TypeVar("M", bound=MetricWrapperBase)

OTHER = "other"
MOST_TASKS = 200
MOST_QUEUES = 50
FEW = 1_000
"""For labels whose values we choose ourselves."""


class Labelled(Generic[M]):
    """A metric's children by their label values, with a bound on the values of each label.

    Queue names come from clients: past the bound a value is counted as ``other``, or one client could fill the memory
    of every scraper.
    """

    def __init__(self, metric: M, limits: Sequence[int], *, known: Sequence[tuple[str, ...]] = ()) -> None:
        """``limits`` are in the order of the labels; ``known`` children exist at zero from the start."""
        self._metric = metric
        self._limits = tuple(limits)
        self._seen: tuple[set[str], ...] = tuple(set[str]() for _ in limits)
        self._children: dict[tuple[str, ...], M] = {}
        for values in known:
            self.of(*values)

    def of(self, *values: str) -> M:
        """The child with those label values."""
        child = self._children.get(values)
        if child is None:
            child = self._make(values)
        return child

    def _make(self, values: tuple[str, ...]) -> M:
        bounded = tuple(
            self._bounded(value, seen, limit)
            for value, seen, limit in zip(values, self._seen, self._limits, strict=True)
        )
        child: Any = self._metric.labels(*bounded)
        if bounded == values:
            self._children[values] = child
        return child  # type: ignore[no-any-return]  # labels() is not told to return its own class

    @staticmethod
    def _bounded(value: str, seen: set[str], limit: int) -> str:
        if value not in seen and len(seen) >= limit:
            return OTHER
        seen.add(value)
        return value
