"""The model and its rivals on the texts that were held out: what the manifest says of how good it is."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
from rich.console import Console

from contract.artifact import Provenance
from contract.windows import LongReading
from encoders.families import CLASSIFIER
from training.artifact.export import Trained, package_versions
from training.artifact.trimmings import trimming
from training.data.batches import Examples, bucket_lengths
from training.data.encoded import EncodedCorpus, windows_of
from training.data.recipe import Recipe
from training.data.split import Rows
from training.evaluation.familiarity import Familiarity, distances, fit_familiarity, label_means
from training.evaluation.labelling import HeldOut
from training.evaluation.linear_head import Floats, Labels, LinearHead
from training.evaluation.other import learnt_other, other_scores
from training.fit.checkpoint import TrainingState
from training.fit.frozen import Frozen
from training.fit.model import Classifier, in_batches
from training.fit.start import fitted_head
from training.pretrained.base_model import BaseModel, Tensors

FOLDS = 4
TUNED_AGAIN = 500
"""With fewer texts for validation, a model that is tuned learns from them too: of more, a tenth is not worth it."""


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that has ended: what it came from, and what it left."""

    recipe: Recipe
    base: BaseModel
    data: EncodedCorpus
    frozen: Frozen
    state: TrainingState
    weights: Tensors
    """Of the best epoch, which have not learnt from the validation part."""
    final: Tensors | None = None
    """Of a model that has, where `tunes_again`."""

    @property
    def learns_again(self) -> bool:
        """Whether the model learns from the validation part too, which is small and has no more to choose."""
        few = self.frozen.start.labelling.few_texts if self.state.best_epoch < 0 else TUNED_AGAIN
        return len(self.data.parts.validation) < few

    @property
    def tunes_again(self) -> bool:
        """Whether it is tuned for that anew, for as many epochs as were best without."""
        return self.learns_again and self.state.best_epoch >= 0

    @property
    def fits_head(self) -> bool:
        """Whether its head is fitted on what the encoder reads, not trained by steps."""
        return self.state.best_epoch < 0 or self.recipe.parameters.loss == "contrastive"

    @property
    def learnt(self) -> Rows:
        """Rows that the published model learns from, and so do its rivals."""
        parts = self.data.parts
        return np.sort(np.concatenate([parts.train, parts.validation])) if self.learns_again else parts.train

    def labels(self, rows: Rows) -> Labels:
        labels: Labels = self.data.labels[rows]
        return labels

    def head(self, features: Floats) -> LinearHead:
        """A head fitted on features of the texts that the published model learns from."""
        start = self.frozen.start
        return fitted_head(features, self.labels(self.learnt), start.strength, self.recipe.parameters, start.labelling)

    def out_of_fold(self) -> tuple[Floats, Labels] | None:
        """What heads like the model's say of texts that they did not learn from, where the model is such a head and
        these are more texts than there are for validation; with their labels."""
        if self.state.best_epoch >= 0 or not self.learns_again or self.data.long == "max":
            return None  # the greatest of a text's windows can't be told from their mean
        start, rows, seed = self.frozen.start, self.learnt, self.recipe.parameters.seed
        own = self.frozen.features[rows], self.labels(rows)
        return start.labelling.out_of_fold(*own, start.strength, FOLDS, seed), own[1]


def score(run: Finished, before_s: float, console: Console) -> Trained:
    """What is to be written down. `before_s`: seconds that went into it, those of `run.state` aside."""
    started, way = time.monotonic(), run.frozen.start.labelling
    recipe, base, data = run.recipe, run.base, run.data
    model = _Published(run)
    held, known, familiarity = _held_out(run, model)
    rivals = _rivals(run, held, console)
    other = recipe.corpus.table.other
    metrics = (
        way.metrics(held) | rivals | {"test_texts": float(len(held.texts))} | other_scores(held, data.classes, other)
    )
    metrics |= familiarity.metrics if familiarity else {}
    found = (
        *learnt_other(other, metrics),
        *way.choices(held, metrics),
        *([familiarity.reason] if familiarity else []),
    )
    for line in found:
        console.print(line, soft_wrap=True)
    seconds = before_s + run.state.seconds + time.monotonic() - started
    return Trained(
        name=recipe.name,
        architecture=base.architecture,
        pooling=run.frozen.start.pooling,
        tokenizer=base.tokenizer,
        pipeline=base.pipeline,
        tensors={**(run.final or run.weights), **model.head.tensors},
        labels=data.classes,
        other=other,
        max_length=recipe.parameters.max_length,
        windows=windows_of(data.long, recipe.parameters.max_length),
        calibrated_on=len(known) if held.is_calibrated else 0,
        held=held,
        familiarity=familiarity,
        metrics=metrics,
        choices=(*recipe.reasons, *run.frozen.start.reasons, chosen_epoch(run.state), *learnt_again(run), *found),
        provenance=Provenance(
            created=datetime.now(UTC),
            base_model=base.name,
            base_sha256=base.sha256,
            data_sha256=recipe.corpus.sha256,
            seed=recipe.parameters.seed,
            hyperparameters=recipe.parameters.model_dump(),
            packages=package_versions(),
            duration_s=round(seconds, 1),
        ),
    )


def chosen_epoch(state: TrainingState) -> str:
    """Which model is published, and why, as a line."""
    losses = ", ".join(f"{epoch.validation_loss:.3f}" for epoch in state.history)
    start = state.loss_after(-1)
    if state.best_epoch < 0:
        return (
            f"published: the frozen base with a linear head, validation loss {start:.3f}; fine-tuned {losses or 'not'}"
        )
    return (
        f"published: epoch {state.best_epoch + 1}, of validation losses {losses}; frozen with a linear head {start:.3f}"
    )


def learnt_again(run: Finished) -> list[str]:
    """What was learnt from the validation part too, as a line."""
    count, epochs = len(run.data.parts.validation), run.state.best_epoch + 1
    what = f"tuned anew to epoch {epochs}" if run.tunes_again else "head fitted anew"
    return [f"{what}, with the {count} validation texts: they have no more to choose"] * run.learns_again


class _Encoder:
    """The model's encoder with these weights, in float32."""

    def __init__(self, run: Finished, weights: Tensors) -> None:
        model = Classifier(run.base.architecture, len(run.data.classes), pooling=run.frozen.start.pooling)
        model.load(weights)
        self._run = run
        self._read = in_batches(
            model.features, bucket_lengths(run.data.examples.lengths, run.recipe.parameters.buckets)
        )

    def features(self, rows: Rows) -> Floats:
        """float32[rows, hidden]: what the classifier reads of these texts, the mean over the windows of a text."""
        return self.read(rows).means

    def read(self, rows: Rows) -> _ReadTexts:
        """These texts as the classifier reads them, window by window."""
        part = self._run.data.part(rows)
        return _ReadTexts(part, self._read(part), self._run.data.long)

    @cached_property
    def means(self) -> Floats:
        """float32[groups, hidden]: where each label's training texts lie."""
        run, train = self._run, self._run.data.parts.train
        groups = [train[group] for group in run.frozen.start.labelling.groups(run.labels(train))]
        return label_means(self.features, groups, run.recipe.parameters.seed)


@dataclass(frozen=True)
class _ReadTexts:
    """What the classifier reads of some texts."""

    examples: Examples
    features: Floats
    """float32[rows, hidden]: a row for each window of a text."""
    long: LongReading

    @property
    def means(self) -> Floats:
        return self.examples.pooled(self.features, "mean")

    def logits(self, head: LinearHead) -> Floats:
        """float32[texts, labels]: as they are served."""
        return self.examples.pooled(head.logits(self.features), self.long)

    def distances(self, means: Floats) -> Floats:
        """float32[texts]: that of the nearest window."""
        nearest: Floats = np.minimum.reduceat(distances(self.features, means), self.examples.starts)
        return nearest


class _Published:
    """The model with the weights that are exported, and the one of the best epoch, by which all was chosen."""

    def __init__(self, run: Finished) -> None:
        self.chosen = _Encoder(run, run.weights)
        self.final = _Encoder(run, run.final) if run.final else self.chosen
        self.chosen_head, self.head = _head(run.weights), _head(run.final or run.weights)
        if run.learns_again and run.fits_head:
            self.head = run.head(self.final.features(run.learnt))


def _head(weights: Tensors) -> LinearHead:
    return LinearHead(weights[f"{CLASSIFIER}.weight"], weights[f"{CLASSIFIER}.bias"])


def _held_out(run: Finished, model: _Published) -> tuple[HeldOut, Labels, Familiarity | None]:
    """The test part, scored by the exported weights; the labels of the texts that calibrate it; and how near it is.

    What is chosen by the validation part is chosen by the model that did not learn from it.
    """
    way, data, parts = run.frozen.start.labelling, run.data, run.data.parts
    validation, test = model.chosen.read(parts.validation), model.final.read(parts.test)
    known = run.out_of_fold() or (validation.logits(model.chosen_head), run.labels(parts.validation))
    held: HeldOut = way.held_out(data.texts_of(parts.test), run.labels(parts.test), test.logits(model.head), known)
    means = model.final.means
    near = validation.distances(model.chosen.means)
    return held, known[1], fit_familiarity(means, near=near, held=test.distances(means))


def _rivals(run: Finished, held: HeldOut, console: Console) -> dict[str, float]:
    """Scores of what is simpler, decided as the model is, and by how many standard errors each leads the model
    (negative where it is behind)."""
    data, parts, way = run.data, run.data.parts, run.frozen.start.labelling
    known, features = run.labels(parts.validation), run.frozen.features
    found: dict[str, float] = {}

    def add(name: str, logits: Floats, by: tuple[Floats, Labels]) -> None:
        scored = way.rival_metrics(held, way.held_out(held.texts, held.labels, logits, by))
        found.update({f"{name}_{score}": value for score, value in scored.items()})

    def word_counts(rows: Rows, *of: Rows) -> list[Floats]:
        texts = [data.texts_of(each) for each in of]
        return way.word_counts(data.texts_of(rows), run.labels(rows), texts, run.recipe.parameters.seed)

    with trimming("the baseline by word counts", console):
        validation, test = word_counts(parts.train, parts.validation, parts.test)
        add("baseline", word_counts(run.learnt, parts.test)[0] if run.learns_again else test, (validation, known))
    start = run.frozen.start.head
    head = run.head(features[run.learnt]) if run.learns_again else start
    by = run.out_of_fold() or (start.logits(features[parts.validation]), known)
    add("frozen", head.logits(features[parts.test]), by)
    return found
