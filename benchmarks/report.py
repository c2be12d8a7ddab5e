"""What came of a run, as text: a line while it goes, tables at the end, and docs/benchmarks.md."""

import statistics
from collections.abc import Callable, Mapping, Sequence

import picture
import stacks
from document import DOCUMENT, RESULTS, Figures, Section, table

PICTURE = DOCUMENT.with_suffix(".svg")
SECTION = Section("results", "run.py", RESULTS / "latest.json")

BUSY_CORES = 0.3

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
    return float(sum(load["cpu_us_per_job"].values()))


def foreign_cores(rounds: Sequence[Figures]) -> float:
    """The most that anything else on the machine used meanwhile: near 0 on a quiet one."""
    loads = [load for each in rounds for load in [*each["steady"].values(), each["flood"]]]
    return float(max(load["foreign_cores"] for load in loads))


def median(rounds: Sequence[Figures], pick: Pick) -> float:
    """Over the rounds of one stack."""
    return statistics.median(pick(each) for each in rounds)


def is_held(load: Figures) -> bool:
    """Whether the stack kept up with a steady rate: all webhooks came, the last within a second of the last answer."""
    return bool(load["arrived"] == load["jobs"] and load["behind_s"] < 1)


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
    return table(head, rows)


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
    return table(["stack", *[f"at {rate} jobs/s" for rate in rates]], rows)


def process_table(outcome: Figures, what: Callable[[Figures], Mapping[str, float]]) -> str:
    """A number of each process of each stack."""
    chosen = _chosen(outcome)
    names = list(dict.fromkeys(name for _, rounds in chosen for name in what(rounds[0])))
    rows = []
    for stack, rounds in chosen:
        known = what(rounds[0])
        cells = [f"{median(rounds, lambda each: what(each)[name]):.0f}" if name in known else "" for name in names]  # noqa: B023
        rows.append([stack.title, *cells])
    return table(["stack", *names], rows)


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
    told = others(most)
    return told if most < BUSY_CORES else f"**the machine was busy: {told}, so these figures are too low**"


def others(cores: float) -> str:
    """What ran beside the benchmark."""
    return f"whatever else ran on the machine used up to {cores:.2f} cores"


def lost(outcome: Figures) -> str:
    """What went wrong over the whole run, in one sentence."""
    return lost_of(
        [
            load
            for _, rounds in _chosen(outcome)
            for each in rounds
            for load in [*each["steady"].values(), each["flood"]]
        ]
    )


def lost_of(loads: Sequence[Figures]) -> str:
    """What went wrong in these loads, in one sentence."""
    names = ("jobs", "arrived", "refused", "duplicates", "bad_signatures", "recorded_twice", "other_types")
    total = {name: sum(load[name] for load in loads) for name in names}
    missing = total["jobs"] - total["arrived"]
    return (
        f"{total['jobs']:,} jobs accepted and {total['refused']} refused; {missing} webhooks missing, "
        f"{total['duplicates']} came twice, {total['bad_signatures']} had a bad signature, "
        f"{total['recorded_twice']} were a second one for their job, {total['other_types']} of another type."
    )


def write(outcome: Figures) -> None:
    """Keep the raw figures, draw the picture, and put the tables into the document."""
    PICTURE.write_text(picture.draw(_bars(outcome)))
    raw = f"Raw figures: [`benchmarks/results/{SECTION.raw.name}`](../benchmarks/results/{SECTION.raw.name})."
    image = f"![Whole road and latency]({PICTURE.name})"
    SECTION.write(outcome, "\n\n".join([about(outcome), lost(outcome), image, tables(outcome), raw]))


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
