"""benchmarks.md: what a run found, with machine and date, added to the end of the file."""

import os
import platform
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

GB = 1 << 30


def machine() -> dict[str, str]:
    """The machine, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "CPU": f"{os.cpu_count()} x {_cpu()}",
        "memory": f"{memory / GB:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "Prefect": version("prefect"),
    }


def add(file: Path, section: str) -> None:
    """Add a section to the end of the file."""
    known = file.read_text(encoding="utf-8").rstrip("\n") + "\n\n" if file.exists() else ""
    file.write_text(known + section.rstrip("\n") + "\n", encoding="utf-8")


def benchmarks(summaries: list[dict[str, Any]], *, machine: Mapping[str, str], at: datetime) -> str:
    """The section of a run: where it ran, a table of figures, and where the time goes."""
    tills = [each for each in summaries if "pgbench_per_second" in each]
    sent = [each for each in summaries if each["what"] == "messages"]
    rest = [each for each in summaries if each not in tills and each not in sent]
    parts = [f"## {at:%Y-%m-%d}", _place(machine)]
    parts += ([_figures(rest)] if rest else []) + ([_tills(tills)] if tills else [])
    parts += [_messages(sent)] if sent else []
    parts += [f"Cost per member at {_cost(each)}" for each in summaries if each["what"] == "cost per member"]
    parts += [_stages(each) for each in summaries if "steps" in each]
    return "\n\n".join(parts) + "\n"


def soak(laws: Iterable[tuple[str, int, float, str]], *, machine: Mapping[str, str], at: datetime) -> str:
    """The section of a soak: a line for each law."""
    table = _table(
        ("law", "examples", "seconds", "outcome"),
        [(law, f"{examples:,}", f"{seconds:.1f}", outcome) for law, examples, seconds, outcome in laws],
    )
    return "\n\n".join([f"## {at:%Y-%m-%d}, soak", _place(machine), table]) + "\n"


def _place(machine: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in machine.items())


def _figures(summaries: list[dict[str, Any]]) -> str:
    columns = (
        "what",
        "members",
        "transactions",
        "seconds",
        "beside",
        "ratio",
        "server's processor seconds",
        "beside",
        "seconds per million members",
        "peak memory of Python",
    )
    rows = []
    for each in summaries:
        beside = each.get("floor_seconds") or each.get("copy_seconds")
        ratio = each.get("ratio_to_floor") or each.get("ratio_to_copy")
        if "peak_memory_mb" in each:
            rows.append(
                (
                    each["what"],
                    f"{each['members']:,}",
                    f"{each['transactions']:,}",
                    f"{each['seconds']:.2f}",
                    f"{beside:.2f}" if beside else "",
                    f"{ratio:.2f}" if ratio else "",
                    f"{each.get('server_cpu_seconds') or ''}",
                    f"{each.get('floor_cpu_seconds') or ''}",
                    f"{each.get('seconds_per_million_members', '')}",
                    f"{each['peak_memory_mb']:.0f} MB",
                )
            )
    return _table(columns, rows)


def _messages(summaries: list[dict[str, Any]]) -> str:
    columns = ("what", "messages", "workers", "seconds", "per second", "peak memory of a worker", "grown by")
    rows = [
        (
            "e-mails to a local endpoint, as to SendGrid",
            f"{each['messages']:,}",
            str(each["workers"]),
            f"{each['seconds']:.2f}",
            f"{each['per_second']:.0f}",
            f"{each['worker_memory_mb']:.0f} MB",
            f"{each['grown_memory_mb']:.0f} MB",
        )
        for each in summaries
    ]
    return _table(columns, rows)


def _tills(summaries: list[dict[str, Any]]) -> str:
    columns = (
        "what",
        "clients",
        "HTTP, per second",
        "pgbench, per second",
        "ratio",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "processor ms of each: service, PostgreSQL, wrk",
        "PostgreSQL, pgbench",
        "start s",
    )
    rows = [
        (
            each["what"],
            f"{each['clients']}",
            f"{each['per_second']:,.0f}" if "per_second" in each else "",
            f"{each['pgbench_per_second']:,.0f}",
            f"{each['ratio']:.2f}" if "ratio" in each else "",
            *(f"{each[f'{name}_ms']:.1f}" if f"{name}_ms" in each else "" for name in ("p50", "p95", "p99")),
            _split(each.get("cpu_ms", {}), "api", "postgres", "load tool"),
            _split(each.get("pgbench_cpu_ms", {}), "postgres", "load tool"),
            f"{each.get('start_seconds', '')}",
        )
        for each in summaries
    ]
    return _table(columns, rows)


def _split(work: Mapping[str, float], *who: str) -> str:
    return ", ".join(f"{work[one]:.2f}" for one in who if one in work)


def _cost(summary: Mapping[str, Any]) -> str:
    return f"{summary['members']:,} members is {summary['ratio']} times that at {summary['against']:,}."


def _stages(summary: Mapping[str, Any]) -> str:
    """Where the time of a close goes, step by step; beside it the floor's stages, where it was measured."""
    title = f"Where the time goes: {summary['what'].partition(',')[0]}, {summary['members']:,} members"
    rows = [(name, f"{seconds:.2f}") for name, seconds in summary["steps"].items()]
    rows += [(f"floor: {name}", f"{seconds:.2f}") for name, seconds in summary.get("floor_stages", {}).items()]
    return f"{title}\n\n{_table(('step', 'seconds'), rows)}"


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cpu() -> str:
    """The processor's model, as Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
