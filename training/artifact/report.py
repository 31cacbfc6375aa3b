"""The training report: a page with pictures that one can show a colleague."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from rich.console import Console

from training.artifact import held_out, plots
from training.artifact.export import Trained
from training.artifact.trimmings import trimming
from training.data.data_report import DataReport
from training.evaluation.calibration import reliability, softmax
from training.evaluation.evaluate import confused_pairs, confusion, per_class, worst_mistakes
from training.fit.checkpoint import TrainingState

TEMPLATE = Path(__file__).with_name("report.html")
PAGE = "index.html"
MISTAKES = 20
LONGEST_TEXT = 400
MOST_PAIRS = 30
COMPARED = {"accuracy": "accuracy", "macro F1": "macro_f1"}


def write_report(trained: Trained, state: TrainingState, data: DataReport, folder: Path, console: Console) -> None:
    """Write the page, its pictures and the held-out predictions to the folder `folder`.

    A part that can't be made is said and left out.
    """
    folder.mkdir(parents=True)
    held, labels = trained.held, trained.labels
    before, after = softmax(held.logits), held.probabilities
    with trimming("learning.png", console):
        plots.learning(state.losses, state.history, folder / "learning.png")
    with trimming("confusion.png", console):
        plots.confusion(confusion(held, len(labels)), labels, folder / "confusion.png")
    with trimming("reliability.png", console):
        bins = reliability(before, held.labels), reliability(after, held.labels)
        plots.reliability(*bins, folder / "reliability.png")
    with trimming(PAGE, console):
        drawn = {picture.name for picture in folder.glob("*.png")}
        (folder / PAGE).write_text(page(trained, state, data, drawn), encoding="utf-8")
    held_out.write(held.texts, [labels[label] for label in held.labels], after, folder)


def page(trained: Trained, state: TrainingState, data: DataReport, pictures: Collection[str]) -> str:
    """The report as HTML; those pictures lie beside it."""
    made, metrics = trained.provenance, trained.metrics
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(f"Training report: {trained.name}"),
        created=f"{made.created:%Y-%m-%d %H:%M} UTC",
        duration=str(timedelta(seconds=round(made.duration_s))),
        base=escape(made.base_model),
        accuracy=f"{metrics['accuracy']:.1%}",
        interval=f"{metrics['accuracy_low']:.1%} … {metrics['accuracy_high']:.1%}",
        test_texts=len(trained.held.texts),
        temperature=trained.held.temperature,
        scores=_table(
            ("", "this model", "95% interval", "frozen base, linear head", "word counts"),
            [_compared(metrics, name, score) for name, score in COMPARED.items()],
        ),
        choices="".join(f"<li>{escape(choice)}</li>" for choice in trained.choices),
        learning=_picture("learning.png", "Learning curves", pictures),
        confusion=_picture("confusion.png", "Confusion matrix", pictures),
        reliability=_picture("reliability.png", "Reliability diagram", pictures),
        pairs=_pairs(trained),
        calibration=_table(
            ("", "before scaling", "after scaling"),
            [
                ("expected calibration error", metrics["calibration_error_raw"], metrics["calibration_error"]),
                ("log loss", metrics["log_loss_raw"], metrics["log_loss"]),
            ],
        ),
        epochs=_table(
            ("epoch", "training loss", "validation loss", "validation accuracy"),
            [
                (e.epoch + 1 or "start", e.train_loss, e.validation_loss, e.validation_accuracy)
                for e in [*filter(None, [state.start]), *state.history]
            ],
        ),
        classes=_classes(trained),
        mistakes=_mistakes(trained),
        data=_data(data, made.data_sha256 or ""),
        parameters=_table(("hyper-parameter", "value"), _as_text(made.hyperparameters)),
        packages=_table(("package", "version"), _as_text(made.packages)),
    )


def _compared(metrics: Mapping[str, float], name: str, score: str) -> tuple[Any, ...]:
    bounds = f"{metrics[f'{score}_low']:.4f} … {metrics[f'{score}_high']:.4f}"
    rivals = (metrics.get(f"{rival}_{score}", "") for rival in ("frozen", "baseline"))
    return name, metrics[score], bounds, *rivals


def _picture(name: str, shows: str, pictures: Collection[str]) -> str:
    return f'<img src="{name}" alt="{shows}">' if name in pictures else ""


def _pairs(trained: Trained) -> str:
    rows = [
        (trained.labels[true], trained.labels[said], count)
        for true, said, count in confused_pairs(trained.held, MOST_PAIRS)
    ]
    return _table(("label", "predicted", "texts"), rows)


def _classes(trained: Trained) -> str:
    scores = per_class(trained.held, len(trained.labels))
    rows = [(label, s.precision, s.recall, s.f1, s.texts) for label, s in zip(trained.labels, scores, strict=True)]
    return _table(("label", "precision", "recall", "F1", "texts"), rows)


def _mistakes(trained: Trained) -> str:
    held, labels = trained.held, trained.labels
    scores, predicted = held.probabilities.max(axis=-1), held.predicted
    rows = [
        (held.texts[index][:LONGEST_TEXT], labels[held.labels[index]], labels[predicted[index]], float(scores[index]))
        for index in worst_mistakes(held, MISTAKES)
    ]
    return _table(("text", "label", "predicted", "score"), rows)


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
    return _table(("data", ""), _as_text(facts))


def _as_text(facts: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    return [(name, str(value)) for name, value in facts.items()]


def _table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return f"<table><tr>{head}</tr>\n{body}</table>"


def _cell(value: Any) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td>{escape(str(value))}</td>"
    text = f"{value:.4f}" if isinstance(value, float) else str(value)
    return f'<td class="number">{text}</td>'
