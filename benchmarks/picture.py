"""The benchmark as one SVG picture: whole-road rate as bars, latency at 100 jobs/s as a line from p50 to p99."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LABELS, LEFT, RATES, RIGHT = 980, 300, 310, 330, 700
ROW, TOP, BAR = 34, 64, 18
LATENCIES = WIDTH - RIGHT - 30
WHAT = "Whole-road rate and latency of each stack"
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .head { font-weight: 600 } .soft { fill: #59636e; font-size: 11px }
  .ours { fill: #0a7d5a } .other { fill: #9aa4b0 } .grid { stroke: #d1d9e0 } .range { stroke-width: 3 }
  .range.ours { stroke: #0a7d5a } .range.other { stroke: #9aa4b0 } .page { fill: #ffffff }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .soft { fill: #9198a1 } .page { fill: #0d1117 } .grid { stroke: #30363d }
    .ours { fill: #3fb98c } .other { fill: #6e7883 } .range.ours { stroke: #3fb98c } .range.other { stroke: #6e7883 }
  }
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stack."""

    title: str
    rate: float
    latency_ms: tuple[float, float] | None
    """p50 and p99 at 100 jobs/s; absent when it did not hold that rate."""
    is_ours: bool = False


def _round_up(value: float) -> float:
    """The next value that divides well by four."""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-9)))
    return next(step * power for step in (1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0, 10.0) if step * power >= value)


def _axis(left: int, width: int, top_value: float, height: int, unit: str) -> list[str]:
    parts = []
    for step in range(5):
        x = left + width * step / 4
        parts.append(f'<line class="grid" x1="{x:.1f}" y1="{TOP - 10}" x2="{x:.1f}" y2="{height - 34}"/>')
        label = f"{top_value * step / 4:,.4g}{unit if step == 4 else ''}"
        parts.append(f'<text class="soft" x="{x:.1f}" y="{height - 18}" text-anchor="middle">{label}</text>')
    return parts


def _row(bar: Bar, y: int, most: float, longest: float) -> list[str]:
    kind = "ours" if bar.is_ours else "other"
    length = RATES * bar.rate / most
    parts = [
        f'<text x="{LABELS}" y="{y + 14}" text-anchor="end">{escape(bar.title)}</text>',
        f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>',
        f'<text x="{LEFT + length + 6:.1f}" y="{y + 14}">{bar.rate:,.0f}</text>',
    ]
    if bar.latency_ms is None:
        return [*parts, f'<text class="soft" x="{RIGHT}" y="{y + 14}">not held</text>']
    p50, p99 = (RIGHT + LATENCIES * value / longest for value in bar.latency_ms)
    middle = y + BAR / 2
    return [
        *parts,
        f'<line class="range {kind}" x1="{p50:.1f}" y1="{middle}" x2="{p99:.1f}" y2="{middle}"/>',
        f'<circle class="{kind}" cx="{p50:.1f}" cy="{middle}" r="6"/>',
        f'<circle class="{kind}" cx="{p99:.1f}" cy="{middle}" r="3"/>',
    ]


def draw(bars: Sequence[Bar]) -> str:
    """The picture's text; legible on light and on dark pages."""
    height = TOP + ROW * len(bars) + 40
    most = _round_up(max(bar.rate for bar in bars) * 1.1)
    longest = _round_up(max((bar.latency_ms[1] for bar in bars if bar.latency_ms), default=1.0))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{WHAT}">',
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}"/>',
        f'<text class="head" x="{LEFT}" y="24">whole road, jobs/s</text>',
        f'<text class="soft" x="{LEFT}" y="42">submit → verified webhook, more is better</text>',
        f'<text class="head" x="{RIGHT}" y="24">latency at 100 jobs/s, ms</text>',
        f'<text class="soft" x="{RIGHT}" y="42">p50 (large) to p99 (small), less is better</text>',
        *_axis(LEFT, RATES, most, height, ""),
        *_axis(RIGHT, LATENCIES, longest, height, " ms"),
    ]
    for number, bar in enumerate(bars):
        parts += _row(bar, TOP + ROW * number, most, longest)
    return "\n".join([*parts, "</svg>"]) + "\n"
