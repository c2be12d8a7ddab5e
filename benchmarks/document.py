"""docs/benchmarks.md: a section for each program, between two marks, and the raw figures beside it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
DOCUMENT = HERE.parent / "docs" / "benchmarks.md"
RESULTS = HERE / "results"

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """What one program writes."""

    name: str
    program: str
    raw: Path
    """Where its figures are kept."""

    def keep(self, outcome: Figures, raw: Path | None = None) -> None:
        """Write the figures there, or to another file."""
        (raw or self.raw).write_text(json.dumps(outcome, indent=1) + "\n")

    def write(self, outcome: Figures, text: str) -> None:
        """Keep the figures, and put the text between the marks."""
        self.keep(outcome)
        begin, end = f"<!-- {self.name}: written by benchmarks/{self.program} -->", f"<!-- end of {self.name} -->"
        before, _, rest = DOCUMENT.read_text().partition(begin)
        _, _, after = rest.partition(end)
        DOCUMENT.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As Markdown: the first column to the left, numbers to the right."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def where(outcome: Figures) -> str:
    """When, with what and on what it was measured, in one sentence."""
    facts = outcome["about"]
    return f"{facts['date']}, commit {facts['commit']}, {facts['machine']}."
