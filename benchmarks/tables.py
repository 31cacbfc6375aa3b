"""The tables of docs/benchmarks.md, out of what results.json holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def of(parts: Mapping[str, Any]) -> str:
    """One section for each part that was measured, and what it was measured on where that changes."""
    sections, last = [], ""
    for name, (title, table) in SECTIONS.items():
        if name in parts:
            machine = _measured_on(parts[name]["machine"])
            sections += [f"### {title}", *([machine] if machine != last else []), table(parts[name]["details"])]
            last = machine
    return "\n\n".join(sections)


def _model(rows: Sequence[Row]) -> str:
    return _table(
        ("size", "tokens a text", "arm", "texts/s", "tokens/s", "over plain", "over its own at 128", "real tokens",
         "of the peak"),
        (
            (row["size"], row["lengths"], row["arm"], _3(row["texts_per_s"]), _3(row["tokens_per_s"]),
             _3(row["over_plain"]), _3(row["over_uniform"]), f"{row['real_over_computed']:.0%}",
             "" if row["flops_over_peak"] is None else f"{row['flops_over_peak']:.0%}")
            for row in rows
        ),
    )  # fmt: skip


def _served(rows: Sequence[Row]) -> str:
    return _table(
        ("texts a request", "connections", "served over bare", "bare, texts/s", "served, texts/s",
         *rows[0]["cpu_seconds"]),
        (
            (row["asking"]["texts_per_request"], row["asking"]["connections"], _3(row["served_over_bare"]),
             _3(row["bare_texts_per_s"]), _3(row["served_texts_per_s"]), *map(_3, row["cpu_seconds"].values()))
            for row in rows
        ),
    )  # fmt: skip


def _latency(rows: Sequence[Row]) -> str:
    return _table(
        ("offered, of capacity", "offered/s", "answered in time/s", "p50, ms", "p95, ms", "p99, ms", "429s",
         "their p95, ms", "errors"),
        (
            (f"{row['share']:.0%}", _3(row["offered"]), _3(row["good"]),
             *(_3(1000 * row[name]) for name in ("p50_s", "p95_s", "p99_s")),
             row["refused"], _3(1000 * row["refused_p95_s"]), row["errors"])
            for row in rows
        ),
    )  # fmt: skip


def _single(rows: Sequence[Row]) -> str:
    return _table(("what", "measured"), ((name, _3(value)) for name, value in rows[0].items()))


def _ways(rows: Sequence[Row]) -> str:
    return _table(
        ("texts a request", "texts/s", "requests/s", *(f"{name}, µs a text" for name in rows[0]["cpu_us_per_text"])),
        (
            (row["name"], _3(row["texts_per_s"]), _3(row["requests_per_s"]), *map(_3, row["cpu_us_per_text"].values()))
            for row in rows
        ),
    )


def _feeds(rows: Sequence[Row]) -> str:
    return _table(
        ("load", "fill", "busy", "tokens a batch", "single questions, p95 ms"),
        (
            (row["name"], _3(row["fill"]), _3(row["busy"]), _3(row["tokens_per_batch"]),
             "" if row["interactive_p95_s"] is None else _3(1000 * row["interactive_p95_s"]))
            for row in rows
        ),
    )  # fmt: skip


def _fleets(rows: Sequence[Row]) -> str:
    return _table(
        ("a worker", "texts a request", "workers", "texts/s", "devices busy", "Redis busy", "API processes busy",
         "full first"),
        (
            (row["device"], row["texts_per_request"], f"{row['workers']:,}", _3(row["texts_per_s"]),
             f"{row['devices_busy']:.0%}", f"{row['redis_busy']:.0%}", _3(row["api_processes"]), row["full"])
            for row in rows
        ),
    )  # fmt: skip


def _beside(rows: Sequence[Row]) -> str:
    return _table(
        ("a worker", "fill", "single questions, p50 ms", "p95 ms"),
        (
            (row["device"], _3(row["fill"]), _3(1000 * row["questions_p50_s"]), _3(1000 * row["questions_p95_s"]))
            for row in rows
        ),
    )


def _families(rows: Sequence[Row]) -> str:
    return _table(
        ("family", "layers", "texts/s", "over BERT"),
        ((row["family"], row["layers"], _3(row["texts_per_s"]), _3(row["over_bert"])) for row in rows),
    )


def _housings(rows: Sequence[Row]) -> str:
    return _table(
        ("models", "one worker: s until ready", "MiB", "a worker each: s until ready", "MiB"),
        (
            (row["models"], _3(row["one_worker_s"]), _3(row["one_worker_mib"]), _3(row["worker_each_s"]),
             _3(row["worker_each_mib"]))
            for row in rows
        ),
    )  # fmt: skip


def _peers(rows: Sequence[Row]) -> str:
    return _table(
        ("texts", "engine", "precision", "tokens a batch", "texts/s", "Retort, texts/s", "Retort over it"),
        (
            (row["mix"], row["engine"], row["precision"], row["budget"], _3(row["texts_per_s"]),
             _3(row["retort_texts_per_s"]), _3(row["retort_over"]))
            for row in rows
        ),
    )  # fmt: skip


def _peer_servers(rows: Sequence[Row]) -> str:
    return _table(
        ("server", "texts a request", "connections", "texts/s", "Retort over it"),
        (
            (row["server"], row["texts_per_request"], row["connections"], _3(row["texts_per_s"]),
             _3(row["retort_over"]))
            for row in rows
        ),
    )  # fmt: skip


SECTIONS = {
    "model": ("Model: the engine against plain bert-for-tf2", _model),
    "peers": ("Engines side by side, MiniLM", _peers),
    "peer_servers": ("Servers side by side, MiniLM, short questions over HTTP", _peer_servers),
    "served_minilm": ("Served over bare, MiniLM; CPU seconds of each process a second", _served),
    "served_base": ("Served over bare, BERT-base", _served),
    "latency": ("Latency of single texts under open-loop load, MiniLM", _latency),
    "bulk": ("A job of 20,000 texts beside short questions, MiniLM", _single),
    "path": ("The way alone: a device that takes no time; CPU time of each process", _ways),
    "feed": ("A simulated GPU, 30 ms for 16,384 tokens: bulk jobs, and bulk jobs beside 50 single questions/s", _feeds),
    "null": ("The path alone: a model that costs next to nothing", _served),
    "repeated": ("10,000 questions of which some come again and again (Zipf, s = 1), MiniLM", _single),
    "families": ("Families in MiniLM's size (DistilBERT: half the layers) over BERT, by the engine", _families),
    "models": ("Models of MiniLM's size in one worker, and a worker each", _housings),
    "scale": ("Fleets in simulated time, as many requests as they can take", _fleets),
    "beside": ("Single questions beside bulk requests on one worker, in simulated time", _beside),
}


def _measured_on(machine: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return f"{machine['date']}, {machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, {packages}."


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


def _3(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{float(f'{value:.3g}'):,.10g}"
