"""The training report: a page with pictures that one can show a colleague."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Protocol

from rich.console import Console

from contract.artifact import Provenance
from training.artifact import held_out, multi_label_findings, plots, single_label_findings
from training.artifact.findings import Findings
from training.artifact.html import picture, section, table
from training.artifact.trimmings import trimming
from training.data.data_report import DataReport
from training.evaluation.label_sets import HeldOutSets
from training.evaluation.labelling import HeldOut
from training.fit.checkpoint import TrainingState

TEMPLATE = Path(__file__).with_name("report.html")
PAGE = "index.html"
RIVALS = {"frozen": "frozen base, linear head", "baseline": "word counts"}


class Reported(Protocol):
    """What a page is made of."""

    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def held(self) -> HeldOut: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...
    @property
    def choices(self) -> tuple[str, ...]: ...
    @property
    def provenance(self) -> Provenance: ...


def write_report(
    trained: Reported, state: TrainingState | None, data: DataReport | None, folder: Path, console: Console
) -> None:
    """Write the page, its pictures and the held-out predictions to the folder `folder`.

    A part that can't be made is said and left out. What was trained elsewhere has no `state`.
    """
    folder.mkdir(parents=True)
    held, labels = trained.held, trained.labels
    if state:
        with trimming("learning.png", console):
            plots.learning(state.losses, state.history, folder / "learning.png")
    if isinstance(held, HeldOutSets):
        multi_label_findings.draw(held, folder, console)
    else:
        single_label_findings.draw(held, labels, folder, console)
    with trimming(PAGE, console):
        drawn = {each.name for each in folder.glob("*.png")}
        (folder / PAGE).write_text(page(trained, state, data, drawn), encoding="utf-8")
    held_out.write(held, labels, folder)


def page(trained: Reported, state: TrainingState | None, data: DataReport | None, pictures: Collection[str]) -> str:
    """The report as HTML; those pictures lie beside it."""
    made, metrics, found = trained.provenance, trained.metrics, _findings(trained, pictures)
    main = found.compared[found.main]
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"Training report: {trained.name}"),
        created=f"{made.created:%Y-%m-%d %H:%M} UTC",
        duration=str(timedelta(seconds=round(made.duration_s))),
        base=escape(made.base_model),
        headline=f"{metrics[main]:.1%} {found.main}",
        interval=f"{metrics[f'{main}_low']:.1%} … {metrics[f'{main}_high']:.1%}",
        test_texts=len(trained.held.texts),
        scores=_scores(metrics, found.compared),
        choices="".join(f"<li>{escape(choice)}</li>" for choice in trained.choices),
        learning=_learning(state, pictures) if state else "",
        findings="\n".join(found.sections),
        data=section("Data", _data(data, made.data_sha256 or "")) if data else "",
        parameters=table(("hyper-parameter", "value"), _as_text(made.hyperparameters)) if made.hyperparameters else "",
        packages=table(("package", "version"), _as_text(made.packages)),
    )


def _findings(trained: Reported, pictures: Collection[str]) -> Findings:
    held = trained.held
    if isinstance(held, HeldOutSets):
        return multi_label_findings.findings(held, trained.labels, trained.metrics, pictures)
    return single_label_findings.findings(held, trained.labels, trained.metrics, pictures)


def _scores(metrics: Mapping[str, float], compared: Mapping[str, str]) -> str:
    """The scores with their intervals, beside those of the rivals that there are."""
    rivals = [rival for rival in RIVALS if any(f"{rival}_{score}" in metrics for score in compared.values())]
    rows = [
        (
            name,
            metrics[score],
            f"{metrics[f'{score}_low']:.4f} … {metrics[f'{score}_high']:.4f}",
            *(metrics.get(f"{rival}_{score}") for rival in rivals),
        )
        for name, score in compared.items()
    ]
    explained = (
        "<p>Word counts: TF-IDF with logistic regression, on the same split.</p>" if "baseline" in rivals else ""
    )
    return table(("", "this model", "95% interval", *(RIVALS[rival] for rival in rivals)), rows) + explained


def _learning(state: TrainingState, pictures: Collection[str]) -> str:
    epochs = [
        (e.epoch + 1 or "start", e.train_loss, e.validation_loss, e.validation_accuracy)
        for e in [*filter(None, [state.start]), *state.history]
    ]
    heads = ("epoch", "training loss", "validation loss", "validation accuracy")
    return section("Learning", picture("learning.png", "Learning curves", pictures), table(heads, epochs))


def _data(data: DataReport, fingerprint: str) -> str:
    facts: Mapping[str, Any] = {
        "usable rows": data.rows,
        **{f"dropped: {problem}": count for problem, count in data.dropped.items()},
        "labels": len(data.classes),
        "most frequent label to rarest": round(data.imbalance, 2),
        "duplicate texts": data.duplicates,
        "texts with different labels": len(data.conflicts),
        "tokens, by percentile": ", ".join(f"{percent}%: {tokens}" for percent, tokens in data.lengths.items()),
        f"cut off at {data.max_length} tokens": data.truncated,
        "sha256 of the rows": fingerprint,
    }
    return table(("data", ""), _as_text(facts))


def _as_text(facts: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return [(name, str(value)) for name, value in facts.items()]
