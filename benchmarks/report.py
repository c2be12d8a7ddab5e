"""What came of a run, as text: a line while it goes, tables at the end, and docs/benchmarks.md."""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import picture
import stacks

DOCUMENT = stacks.HERE.parent / "docs" / "benchmarks.md"
PICTURE = DOCUMENT.with_suffix(".svg")
RAW = stacks.HERE / "results" / "latest.json"
BEGIN, END = "<!-- results: written by benchmarks/run.py -->", "<!-- end of results -->"

BUSY_CORES = 0.3

Figures = Mapping[str, Any]
Pick = Callable[[Figures], float]


def line(stack: stacks.Stack, figures: Figures, number: int, took_s: float) -> str:
    """One stack's round in a line."""
    flood = figures["flood"]
    steady = [f"{rate}/s {e['road_ms']['p50']}/{e['road_ms']['p99']} ms" for rate, e in figures["steady"].items()]
    parts = [
        f"accept {flood['accept_per_s']:,.0f}/s",
        f"road {flood['road_per_s']:,.0f}/s",
        f"{total_cpu_us(flood) / 1000:.2f} ms of CPU a job",
        f"others on {foreign_cores([figures]):.2f} cores",
    ]
    return f"  {stack.name} #{number} ({took_s:.0f} s): {', '.join(parts)}; {'; '.join(steady)}"


def total_cpu_us(load: Figures) -> float:
    """CPU of every process for one job: the stack, the servers, the receiver and the load generator."""
    return sum(load["cpu_us_per_job"].values())


def foreign_cores(rounds: Sequence[Figures]) -> float:
    """The most that anything else on the machine used meanwhile: near 0 on a quiet one."""
    loads = [load for each in rounds for load in [*each["steady"].values(), each["flood"]]]
    return max(load["foreign_cores"] for load in loads)


def median(rounds: Sequence[Figures], pick: Pick) -> float:
    """Over the rounds of one stack."""
    return statistics.median(pick(each) for each in rounds)


def is_held(load: Figures) -> bool:
    """Whether the stack kept up with a steady rate: all webhooks came, the last within a second of the last answer."""
    return load["arrived"] == load["jobs"] and load["behind_s"] < 1


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def _chosen(outcome: Figures) -> list[tuple[stacks.Stack, Sequence[Figures]]]:
    return [(stack, outcome["results"][stack.name]) for stack in stacks.STACKS if stack.name in outcome["results"]]


def speed_table(outcome: Figures) -> str:
    """Accept rate, whole-road rate, what the first stack is to each, CPU and memory."""
    chosen = _chosen(outcome)
    best = median(chosen[0][1], lambda each: each["flood"]["road_per_s"])
    rows = []
    for stack, rounds in chosen:
        own = set(rounds[0]["memory"]) - {"postgresql", "rabbitmq", "receiver"}
        road = median(rounds, lambda each: each["flood"]["road_per_s"])
        memory = median(rounds, lambda each: sum(each["memory"][name]["total_pss"] for name in own))  # noqa: B023
        rows.append(
            [
                stack.title,
                f"{median(rounds, lambda each: each['flood']['accept_per_s']):,.0f}",
                f"{road:,.0f}",
                f"{best / road:.2f}",
                f"{median(rounds, lambda each: total_cpu_us(each['flood'])) / 1000:.2f}",
                f"{memory:.0f}",
            ]
        )
    first = chosen[0][0].title.partition(" (")[0]
    head = ["stack", "accepted /s", "whole road /s", f"{first} does times that", "CPU of all, ms a job", "memory, MiB"]
    return _table(head, rows)


def latency_table(outcome: Figures, measure: str, rates: Sequence[str]) -> str:
    """p50 / p95 / p99 at each steady rate; ``measure`` is ``road_ms`` or ``accept_ms``."""
    rows = []
    for stack, rounds in _chosen(outcome):
        cells = []
        for rate in rates:
            values = [median(rounds, lambda each: each["steady"][rate][measure][p]) for p in ("p50", "p95", "p99")]  # noqa: B023
            held = all(is_held(each["steady"][rate]) for each in rounds)
            cells.append(" / ".join(f"{value:.1f}" for value in values) if held else "not held")
        rows.append([stack.title, *cells])
    return _table(["stack", *[f"at {rate} jobs/s" for rate in rates]], rows)


def process_table(outcome: Figures, what: Callable[[Figures], Mapping[str, float]]) -> str:
    """A number of each process of each stack."""
    chosen = _chosen(outcome)
    names = list(dict.fromkeys(name for _, rounds in chosen for name in what(rounds[0])))
    rows = []
    for stack, rounds in chosen:
        known = what(rounds[0])
        cells = [f"{median(rounds, lambda each: what(each)[name]):.0f}" if name in known else "" for name in names]  # noqa: B023
        rows.append([stack.title, *cells])
    return _table(["stack", *names], rows)


def _largest_rss(figures: Figures) -> dict[str, float]:
    return {name: each["largest_rss"] for name, each in figures["memory"].items()}


def tables(outcome: Figures) -> str:
    """All tables, as Markdown."""
    rates = list(_chosen(outcome)[0][1][0]["steady"])
    parts = [
        ("As fast as it goes", speed_table(outcome)),
        (
            "Latency of the whole road, submit → verified webhook, p50 / p95 / p99 in ms",
            latency_table(outcome, "road_ms", rates),
        ),
        ("Latency of the 202, p50 / p95 / p99 in ms", latency_table(outcome, "accept_ms", rates)),
        (
            "CPU of each process, µs a job, as fast as it goes",
            process_table(outcome, lambda e: e["flood"]["cpu_us_per_job"]),
        ),
    ]
    if "100" in rates:
        cold = process_table(outcome, lambda each: each["steady"]["100"]["cpu_us_per_job"])
        parts.append(("CPU of each process, µs a job, at 100 jobs/s", cold))
    parts.append(
        ("Memory after all of that: resident set of the largest process, MiB", process_table(outcome, _largest_rss))
    )
    return "\n\n".join(f"### {title}\n\n{table}" for title, table in parts)


def about(outcome: Figures) -> str:
    """When, where and with what it was measured."""
    facts = outcome["about"]
    settings = ", ".join(f"{name} = {value}" for name, value in facts["postgresql_settings"].items())
    lines = [
        f"- {facts['date']}, commit {facts['commit']}, `{facts['command']}`, {outcome['rounds']} round(s), medians",
        f"- {facts['machine']}; everything on it, load generator and receiver too",
        f"- a write of 8 KiB with fdatasync takes {facts['flush_us']:.0f} µs there",
        f"- {quiet(outcome)}",
        f"- Python {facts['python']}, PostgreSQL {facts['postgresql']} ({settings}), RabbitMQ {facts['rabbitmq']}",
    ]
    for stack, _ in _chosen(outcome):
        versions = ", ".join(f"{name} {version}" for name, version in facts["versions"][stack.name].items())
        lines.append(f"- {stack.title}: {versions}")
    return "\n".join(lines)


def quiet(outcome: Figures) -> str:
    """Whether the machine had anything else to do."""
    most = max(foreign_cores(rounds) for _, rounds in _chosen(outcome))
    told = f"whatever else ran on the machine used up to {most:.2f} cores"
    return told if most < BUSY_CORES else f"**the machine was busy: {told}, so these figures are too low**"


def lost(outcome: Figures) -> str:
    """What went wrong over the whole run, in one sentence."""
    loads = [
        load for _, rounds in _chosen(outcome) for each in rounds for load in [*each["steady"].values(), each["flood"]]
    ]
    total = {
        name: sum(load[name] for load in loads)
        for name in ("jobs", "arrived", "refused", "duplicates", "bad_signatures")
    }
    missing = total["jobs"] - total["arrived"]
    return (
        f"{total['jobs']:,} jobs accepted and {total['refused']} refused; {missing} webhooks missing, "
        f"{total['duplicates']} came twice, {total['bad_signatures']} had a bad signature."
    )


def write(outcome: Figures, document: Path = DOCUMENT) -> None:
    """Keep the raw figures, draw the picture, and put the tables into the document."""
    RAW.parent.mkdir(exist_ok=True)
    RAW.write_text(json.dumps(outcome, indent=1) + "\n")
    PICTURE.write_text(picture.draw(_bars(outcome)))
    body = f"{about(outcome)}\n\n{lost(outcome)}\n\n![Whole road and latency]({PICTURE.name})\n\n{tables(outcome)}"
    raw = f"Raw figures: [`benchmarks/results/{RAW.name}`](../benchmarks/results/{RAW.name})."
    _put(document, BEGIN, END, f"{body}\n\n{raw}")


def _bars(outcome: Figures) -> list[picture.Bar]:
    bars = []
    for stack, rounds in _chosen(outcome):
        latency = None
        if all("100" in each["steady"] and is_held(each["steady"]["100"]) for each in rounds):
            p50 = median(rounds, lambda each: each["steady"]["100"]["road_ms"]["p50"])
            p99 = median(rounds, lambda each: each["steady"]["100"]["road_ms"]["p99"])
            latency = (p50, p99)
        rate = median(rounds, lambda each: each["flood"]["road_per_s"])
        bars.append(picture.Bar(stack.title, rate, latency, is_ours=stack.is_ringback))
    return bars


BEGIN_GROWTH, END_GROWTH = "<!-- growth: written by benchmarks/growth.py -->", "<!-- end of growth -->"
GROUPS = ("kept", "backlog", "destinations")


def growth_table(outcome: Figures) -> str:
    """Each case beside the first of its group."""
    rows = []
    for group in GROUPS:
        cases = {name: figures for name, figures in outcome["cases"].items() if group in name}
        first = next(iter(cases.values()))
        for name, figures in cases.items():
            cpu = total_cpu_us(figures)
            times = cpu / total_cpu_us(first)
            database = figures["cpu_us_per_job"]["postgresql"]
            rows.append([name, f"{figures['road_per_s']:,.0f}", f"{cpu:,.0f}", f"{database:,.0f}", f"{times:.2f}"])
    head = ["case", "whole road /s", "CPU of all, µs a job", "of it PostgreSQL", "times the first of its kind"]
    return _table(head, rows)


def write_growth(outcome: Figures, document: Path = DOCUMENT) -> None:
    """Put the growth figures into the document."""
    _put(document, BEGIN_GROWTH, END_GROWTH, f"{_where(outcome)}\n\n{growth_table(outcome)}")


BEGIN_MEMORY, END_MEMORY = "<!-- memory: written by benchmarks/memory.py -->", "<!-- end of memory -->"


def memory_table(outcome: Figures) -> str:
    """The resident set of each process, in MiB, by how many jobs it has seen."""
    measured = outcome["resident_mib"]
    names = [name for rows in measured.values() for name in rows[0]]
    steps = zip(*measured.values(), strict=True)
    rows = [
        [f"{number * outcome['step']:,}", *[f"{each[name]:.0f}" for each in step for name in each]]
        for number, step in enumerate(steps)
    ]
    return _table(["jobs so far", *names], rows)


def write_memory(outcome: Figures, document: Path = DOCUMENT) -> None:
    """Put the memory figures into the document."""
    _put(document, BEGIN_MEMORY, END_MEMORY, f"{_where(outcome)}\n\n{memory_table(outcome)}")


BEGIN_PROFILE, END_PROFILE = "<!-- profile: written by benchmarks/profile_road.py -->", "<!-- end of profile -->"


def profile_table(now: Figures, before: Figures) -> str:
    """µs of a job by what was done, for each process: before → now."""
    processes = list(now["us_per_job"])
    groups = list(dict.fromkeys(group for each in now["us_per_job"].values() for group in each))
    rows = [
        [
            group,
            *[
                _change(before["us_per_job"][name].get(group, 0.0), now["us_per_job"][name].get(group, 0.0))
                for name in processes
            ],
        ]
        for group in sorted(groups, key=lambda group: -sum(each.get(group, 0.0) for each in now["us_per_job"].values()))
    ]
    totals = [
        _change(sum(before["us_per_job"][name].values()), sum(now["us_per_job"][name].values())) for name in processes
    ]
    return _table(["µs a job", *processes], [*rows, ["**all**", *totals]])


def _change(before: float, now: float) -> str:
    return f"{before:.0f} → {now:.0f}"


def write_profile(now: Figures, before: Figures, document: Path = DOCUMENT) -> None:
    """Put the profile into the document."""
    text = f"Before: commit {before['about']['commit']}. Now: {_where(now)}\n\n{profile_table(now, before)}"
    _put(document, BEGIN_PROFILE, END_PROFILE, text)


def _where(outcome: Figures) -> str:
    facts = outcome["about"]
    return f"{facts['date']}, commit {facts['commit']}, {facts['machine']}."


def _put(document: Path, begin: str, end: str, body: str) -> None:
    before, _, rest = document.read_text().partition(begin)
    _, _, after = rest.partition(end)
    document.write_text(f"{before}{begin}\n\n{body}\n\n{end}{after}")
