"""What there is to know about labelled texts before a model is trained on them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from contract.prediction import NOTABLE_UNKNOWN
from contract.windows import MOST, Windows
from encoders.tokenization import EncodedText
from training.data.label_form import LabelSet
from training.data.table import Table, normalized

SEVERAL = 0.05
"""Share of the texts from which on the base model is the wrong one."""
PERCENTILES = (5, 25, 50, 75, 90, 95, 99, 100)


@dataclass(frozen=True, kw_only=True)
class DataReport:
    rows: int
    """Usable rows."""
    dropped: dict[str, int]
    """Unusable rows, by what was wrong."""
    notes: list[str]
    """How the files were read, and which of their lines were left out."""
    classes: dict[str, int]
    """Texts by label, the most frequent first."""
    duplicates: int
    """Rows whose text occurred before, in whatever case and spacing."""
    conflicts: list[str]
    """Texts that occur with different labels."""
    lengths: dict[int, int]
    """Tokens by percentile, [CLS] and [SEP] included."""
    max_length: int
    truncated: int
    """Texts longer than `max_length` tokens, of which the end is not read, unless they are read in windows."""
    windows: int | None
    """Of those texts together; None where they are cut off."""
    cut: int
    """Texts of which not all is read, be it in windows."""
    unknown: int
    """Texts of which a notable share is unknown to the base model's vocabulary."""
    unreadable: int
    """Texts of which the tokenizer leaves nothing."""

    @property
    def imbalance(self) -> float:
        """How many times as frequent the most frequent label is as the rarest."""
        return max(self.classes.values()) / min(self.classes.values())


def report_on(
    table: Table, encoded: Sequence[EncodedText], max_length: int, windows: Windows | None = None
) -> DataReport:
    """`encoded` are the texts as the base model reads them, long ones in `windows` if there are any."""
    lengths = np.array([text.length for text in encoded], np.int64)
    labels_of: dict[str, set[LabelSet]] = defaultdict(set)
    for text, labels in zip(table.texts, table.label_sets, strict=True):
        labels_of[normalized(text)].add(labels)
    return DataReport(
        rows=len(table),
        dropped=table.dropped,
        notes=table.notes,
        classes=dict(Counter(chain.from_iterable(table.label_sets)).most_common()),
        duplicates=len(table) - len(labels_of),
        conflicts=sorted(text for text, labels in labels_of.items() if len(labels) > 1),
        lengths={percent: int(np.percentile(lengths, percent, method="nearest")) for percent in PERCENTILES},
        max_length=max_length,
        truncated=int((lengths > max_length).sum()),
        windows=sum(len(text.windows) for text in encoded if text.more) if windows else None,
        cut=sum(text.truncated for text in encoded),
        unknown=sum(text.unknown_share >= NOTABLE_UNKNOWN for text in encoded),
        unreadable=sum(text.empty for text in encoded),
    )


def show(report: DataReport, console: Console) -> None:
    """The report as a few lines; `show_classes` has the labels."""
    for note in report.notes:
        console.print(note, soft_wrap=True)
    console.print(f"{report.rows} texts, {len(report.classes)} labels")
    for problem, count in report.dropped.items():
        console.print(f"{count} rows dropped: {problem}", style="yellow")
    console.print(f"duplicates: {report.duplicates}, texts with different labels: {len(report.conflicts)}")
    for text in report.conflicts[:3]:
        console.print(f"  {text[:100]!r}", style="yellow")
    lengths = ", ".join(f"{percent}% ≤ {tokens}" for percent, tokens in report.lengths.items())
    console.print(f"tokens: {lengths}", soft_wrap=True)
    share = report.truncated / report.rows
    longer = f"{report.truncated} texts ({share:.1%})"
    if report.windows is None:
        console.print(f"cut off at {report.max_length} tokens: {longer}")
    else:
        rest = f"; {report.cut} of these texts are cut off after {MOST}" if report.cut else ""
        console.print(
            f"longer than {report.max_length} tokens: {longer}, read in {report.windows} windows{rest}", soft_wrap=True
        )
    for many, what in (
        (report.unknown, f"at least {NOTABLE_UNKNOWN:.0%} of what is read is unknown to the base model's vocabulary"),
        (report.unreadable, "nothing is left to read"),
    ):
        if many:
            advice = "; another --base reads them better" if many >= SEVERAL * report.rows else ""
            console.print(f"{many} texts ({many / report.rows:.1%}): {what}{advice}", style="yellow", soft_wrap=True)
    rarest, count = min(report.classes.items(), key=lambda each: each[1])
    console.print(f"rarest label: {rarest}, {count} texts; most frequent: {report.imbalance:.1f} times as many")


def show_classes(report: DataReport, console: Console) -> None:
    """A table of the labels with the number and share of their texts."""
    grid = Grid("label", "texts", "share")
    for label, count in report.classes.items():
        grid.add_row(label, str(count), f"{count / report.rows:.1%}")
    console.print(grid)
