"""The model and its rivals on the texts that were held out: what the manifest says of how good it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from rich.console import Console

from contract.artifact import Pooling, Provenance
from encoders.families import CLASSIFIER
from training.artifact.export import Trained, package_versions
from training.artifact.trimmings import trimming
from training.data.batches import bucket_lengths
from training.data.encoded import EncodedCorpus
from training.data.recipe import Recipe
from training.data.split import Rows
from training.evaluation.familiarity import Familiarity, fit_familiarity, label_means
from training.evaluation.labelling import HeldOut
from training.evaluation.linear_head import Floats, Labels, LinearHead
from training.fit.checkpoint import TrainingState
from training.fit.frozen import Frozen
from training.fit.model import Classifier, in_batches
from training.pretrained.base_model import BaseModel, Tensors

FOLDS = 4


def score(
    recipe: Recipe,
    base: BaseModel,
    data: EncodedCorpus,
    frozen: Frozen,
    state: TrainingState,
    weights: Tensors,
    before_s: float,
    console: Console,
) -> Trained:
    """What is to be written down. `before_s`: seconds that went into it before the first step."""
    started, way = time.monotonic(), frozen.start.labelling
    held, known, familiarity = _held_out(recipe, base, data, frozen, state, weights)
    rivals = _rivals(recipe, data, frozen, held, state, console)
    metrics = way.metrics(held) | rivals | {"test_texts": float(len(held.texts))}
    metrics |= familiarity.metrics if familiarity else {}
    found = (*way.choices(held, metrics), *([familiarity.reason] if familiarity else []))
    for line in found:
        console.print(line, soft_wrap=True)
    seconds = before_s + state.seconds + time.monotonic() - started
    return Trained(
        name=recipe.name,
        architecture=base.architecture,
        pooling=frozen.start.pooling,
        tokenizer=base.tokenizer,
        pipeline=base.pipeline,
        tensors=weights,
        labels=data.classes,
        max_length=recipe.parameters.max_length,
        calibrated_on=len(known) if held.is_calibrated else 0,
        held=held,
        familiarity=familiarity,
        metrics=metrics,
        choices=(
            *recipe.reasons,
            *frozen.start.reasons,
            chosen_epoch(state),
            *found,
        ),
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


class _Published:
    """The model with the weights that are exported, in float32."""

    def __init__(self, base: BaseModel, data: EncodedCorpus, pooling: Pooling, weights: Tensors, buckets: int) -> None:
        model = Classifier(base.architecture, len(data.classes), pooling=pooling)
        model.load(weights)
        self._data = data
        self._read = in_batches(model.features, bucket_lengths(data.examples.lengths, buckets))
        self.head = LinearHead(weights[f"{CLASSIFIER}.weight"], weights[f"{CLASSIFIER}.bias"])

    def features(self, rows: Rows) -> Floats:
        """float32[rows, hidden]: what the classifier reads of these texts."""
        return self._read(self._data.part(rows))


def _held_out(
    recipe: Recipe, base: BaseModel, data: EncodedCorpus, frozen: Frozen, state: TrainingState, weights: Tensors
) -> tuple[HeldOut, Labels, Familiarity | None]:
    """The test part, scored by the exported weights; the labels of the texts that calibrate it; and how near it is."""
    way, parts, labels = frozen.start.labelling, data.parts, data.examples.labels
    model = _Published(base, data, frozen.start.pooling, weights, recipe.parameters.buckets)
    validation, test = model.features(parts.validation), model.features(parts.test)
    known = _out_of_fold(recipe, data, frozen, state) or (model.head.logits(validation), labels[parts.validation])
    held: HeldOut = way.held_out(data.texts_of(parts.test), labels[parts.test], model.head.logits(test), known)
    groups = [parts.train[group] for group in way.groups(labels[parts.train])]
    means = label_means(model.features, groups, recipe.parameters.seed)
    return held, known[1], fit_familiarity(means, validation, test)


def _out_of_fold(
    recipe: Recipe, data: EncodedCorpus, frozen: Frozen, state: TrainingState
) -> tuple[Floats, Labels] | None:
    """What heads like the model's say of training texts that they did not see, where the model is such a head and these
    are more texts than there are for validation; with their labels."""
    start, rows, seed = frozen.start, data.parts.train, recipe.parameters.seed
    if state.best_epoch >= 0 or len(data.parts.validation) >= start.labelling.few_texts:
        return None
    labels: Labels = data.examples.labels[rows]
    logits = start.labelling.out_of_fold(frozen.features[rows], labels, start.strength, FOLDS, seed)
    return logits, labels


def _rivals(
    recipe: Recipe, data: EncodedCorpus, frozen: Frozen, held: HeldOut, state: TrainingState, console: Console
) -> dict[str, float]:
    """Scores of what is simpler, decided as the model is, and by how many standard errors each leads the model
    (negative where it is behind)."""
    parts, labels, way = data.parts, data.examples.labels, frozen.start.labelling
    known = labels[parts.validation]
    found: dict[str, float] = {}

    def add(name: str, logits: Floats, by: tuple[Floats, Labels]) -> None:
        scored = way.rival_metrics(held, way.held_out(held.texts, held.labels, logits, by))
        found.update({f"{name}_{score}": value for score, value in scored.items()})

    with trimming("the baseline by word counts", console):
        texts = data.texts_of(parts.train), [data.texts_of(rows) for rows in (parts.validation, parts.test)]
        validation, test = way.word_counts(texts[0], labels[parts.train], texts[1], recipe.parameters.seed)
        add("baseline", test, (validation, known))
    validation, test = (frozen.start.head.logits(frozen.features[rows]) for rows in (parts.validation, parts.test))
    add("frozen", test, _out_of_fold(recipe, data, frozen, state) or (validation, known))
    return found
