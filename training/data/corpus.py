"""The texts of a run and the part that each belongs to: divided here, or by files of the user's own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np

from training.data.split import Split, split
from training.data.table import Table, normalized
from training.errors import BadData
from training.hyperparameters import HyperParameters


@dataclass(frozen=True)
class Corpus:
    """Every usable row of every file."""

    table: Table
    parts: Split
    sha256: str
    """Fingerprint of the rows of every file."""

    @property
    def leaked(self) -> int:
        """Texts for validation or test that are in the training part too; only files of one's own can have any."""
        known = {normalized(self.table.texts[row]) for row in self.parts.train}
        others = [*self.parts.validation, *self.parts.test]
        return sum(normalized(self.table.texts[row]) in known for row in others)


def build_corpus(
    train: Table, parameters: HyperParameters, validation: Table | None = None, test: Table | None = None
) -> Corpus:
    """Divide `train`, setting aside what no file of its own is given for.

    Raises BadData when there are fewer than two labels, a part is empty, or a label occurs only outside training.
    """
    parts = split(
        train,
        0.0 if validation else parameters.validation,
        0.0 if test else parameters.test,
        parameters.seed,
    )
    if any(own.several != train.several for own in (validation, test) if own):
        raise BadData("the files disagree whether a text has one label or several")
    tables = {"train": train}
    for part, own in (("validation", validation), ("test", test)):
        if own:
            start = sum(map(len, tables.values()))
            parts = parts.with_rows(part, np.arange(start, start + len(own)))
            tables[part] = own
    corpus = Corpus(_joined([*tables.values()]), parts, _fingerprint(tables))
    _refuse_unusable(corpus)
    return corpus


def _joined(tables: list[Table]) -> Table:
    dropped: dict[str, int] = {}
    for table in tables:
        dropped |= {problem: dropped.get(problem, 0) + count for problem, count in table.dropped.items()}
    texts = [text for table in tables for text in table.texts]
    notes = [note for table in tables for note in table.notes]
    label_sets = [labels for table in tables for labels in table.label_sets]
    places = [place for table in tables for place in table.places]
    return replace(tables[0], texts=texts, label_sets=label_sets, dropped=dropped, notes=notes, places=places)


def _fingerprint(tables: dict[str, Table]) -> str:
    """Of the rows and of the part that each file is for."""
    if len(tables) == 1:
        return tables["train"].sha256
    return hashlib.sha256("\n".join(f"{part} {table.sha256}" for part, table in tables.items()).encode()).hexdigest()


def _refuse_unusable(corpus: Corpus) -> None:
    table, parts = corpus.table, corpus.parts
    if not table.classes:
        raise BadData("no text has a label")
    if not table.several and len(table.classes) < 2:
        raise BadData(f"only one label, {table.labels[0]!r}: there is nothing to tell apart")
    if table.other and table.other not in table.classes:
        raise BadData(f"--other {table.other}: no text has that label, and none is without one")
    for name, rows in (("validation", parts.validation), ("test", parts.test)):
        if not len(rows):
            raise BadData(f"{len(table)} texts are too few: none is left for {name}")
    learnt = {label for row in parts.train for label in table.label_sets[row]}
    if unknown := sorted(set(table.classes) - learnt):
        raise BadData(f"no training text has the label {', '.join(map(repr, unknown))}")
