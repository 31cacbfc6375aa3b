"""The model and its rivals on the texts that were held out: what the manifest says of how good it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime

from rich.console import Console

from contract.artifact import Provenance
from training.artifact.export import Trained, package_versions
from training.artifact.trimmings import trimming
from training.data.batches import bucket_lengths
from training.data.encoded import EncodedCorpus
from training.data.recipe import Recipe
from training.evaluation import baseline
from training.evaluation.calibration import helpful_temperature
from training.evaluation.evaluate import HeldOutPredictions, Labels, intervals, label_scores, lead, scores
from training.evaluation.linear_head import Floats, out_of_fold
from training.evaluation.review import fit_review_below
from training.fit.checkpoint import TrainingState
from training.fit.frozen import Frozen
from training.fit.model import Classifier, predictor
from training.pretrained.base_model import BaseModel, Tensors

FEW_TEXTS = 500
"""With fewer for validation, a model that is linear is calibrated out of fold on the training part."""
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
    started = time.monotonic()
    held, calibrated_on = _held_out(recipe, base, data, frozen, state, weights)
    rivals = _rivals(recipe, data, frozen, held, console)
    metrics = scores(held) | intervals(held, len(data.classes)) | rivals | {"test_texts": float(len(held.texts))}
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
        calibrated_on=calibrated_on,
        held=held,
        metrics=metrics,
        choices=(
            *recipe.reasons,
            *frozen.start.reasons,
            chosen_epoch(state),
            chosen_review(held.review_below, metrics, recipe.parameters.accuracy),
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


def chosen_review(below: float | None, metrics: Mapping[str, float], asked: float) -> str:
    """Which answers are marked for review, and what that is worth on the held-out texts, as a line."""
    if below is None:
        return f"review_below none: no bound leaves answers of which {asked:.1%} are right"
    if "review_accuracy" not in metrics:
        return f"review_below {below:.4f}: no held-out text is above it"
    low, high = metrics["review_accuracy_low"], metrics["review_accuracy_high"]
    return (
        f"review_below {below:.4f}, for {asked:.1%} right above it: on the held-out texts "
        f"{metrics['review_accuracy']:.1%} ({low:.1%} to {high:.1%}); {metrics['review_share']:.1%} of them are above"
    )


def _held_out(
    recipe: Recipe, base: BaseModel, data: EncodedCorpus, frozen: Frozen, state: TrainingState, weights: Tensors
) -> tuple[HeldOutPredictions, int]:
    """The test part, scored in float32 by the exported weights, and how many texts its temperature comes from."""
    model = Classifier(base.architecture, len(data.classes), pooling=frozen.start.pooling)
    model.load(weights)
    predict = predictor(model, bucket_lengths(data.examples.lengths, recipe.parameters.buckets))
    test, validation = data.part(data.parts.test), data.part(data.parts.validation)
    if state.best_epoch < 0 and len(validation) < FEW_TEXTS:
        logits, known = _out_of_fold(recipe, data, frozen)
    else:
        logits, known = predict(validation), validation.labels
    temperature = helpful_temperature(logits, known)
    held = HeldOutPredictions(
        texts=data.texts_of(data.parts.test),
        labels=test.labels,
        logits=predict(test),
        temperature=temperature,
        review_below=fit_review_below(logits, known, temperature, recipe.parameters.accuracy),
    )
    return held, len(known) if temperature != 1.0 else 0


def _out_of_fold(recipe: Recipe, data: EncodedCorpus, frozen: Frozen) -> tuple[Floats, Labels]:
    """What heads like the model's say of training texts that they did not see: more texts than validation has."""
    rows = data.parts.train
    labels: Labels = data.examples.labels[rows]
    strength, seed = frozen.start.strength, recipe.parameters.seed
    return out_of_fold(frozen.features[rows], labels, len(data.classes), strength, FOLDS, seed), labels


def _rivals(
    recipe: Recipe, data: EncodedCorpus, frozen: Frozen, held: HeldOutPredictions, console: Console
) -> dict[str, float]:
    """Scores of what is simpler, and by how many standard errors each leads the model (negative where it is behind)."""
    train, test, labels = data.parts.train, data.parts.test, data.examples.labels
    predicted: dict[str, Labels] = {}
    with trimming("the baseline by word counts", console):
        texts = data.texts_of(train), data.texts_of(test)
        predicted["baseline"] = baseline.predict(texts[0], labels[train], texts[1], recipe.parameters.seed)
    predicted["frozen"] = frozen.start.head.logits(frozen.features[test]).argmax(axis=-1).astype(labels.dtype)
    found: dict[str, float] = {}
    for name, rival in predicted.items():
        found |= {f"{name}_{score}": value for score, value in label_scores(held.labels, rival).items()}
        found[f"{name}_lead"] = lead(rival, held.predicted, held.labels)
    return found
