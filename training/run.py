"""The whole run: fine-tune, score, write the artifact, add it to the store."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from contract.artifact import Manifest, Provenance
from training import durable
from training.artifact.export import Trained, package_versions, write_artifact
from training.artifact.held_out import REPORT
from training.artifact.report import write_report
from training.artifact.store import TRAINING, Store
from training.data.batches import bucket_lengths
from training.data.data_report import show
from training.data.encoded import EncodedCorpus, encode
from training.data.recipe import Recipe
from training.errors import AlreadyTraining, BadBaseModel
from training.evaluation import baseline
from training.evaluation.calibration import fit_temperature
from training.evaluation.evaluate import HeldOutPredictions, label_scores, scores
from training.fit.checkpoint import TrainingState
from training.fit.loop import Parts, Run, load_weights
from training.fit.model import Classifier, predictor
from training.fit.progress import TensorBoard, progress
from training.pretrained.base_model import BaseModel, Tensors
from training.pretrained.base_models import load_base_model
from training.settings import TrainingSettings


def train(recipe: Recipe, store: Store, settings: TrainingSettings, console: Console) -> Manifest:
    """Make the recipe's model and add it to the store; whether it is served is left to the caller.

    An interrupted run of the same recipe is continued. Raises BadBaseModel, Diverged and AlreadyTraining.
    """
    base = load_base_model(recipe.base, settings.base_models_dir)
    _refuse_too_long(recipe, base)
    data = encode(recipe, base)
    show(data.report, console)
    if leaked := recipe.corpus.leaked:
        console.print(f"{leaked} texts for validation or test are among the training texts", style="yellow")
    with _work_folder(recipe, base, store) as work:
        state, weights = _fit(recipe, base, data, work, settings, console)
        with console.status("scoring"), store.staging() as staged:
            trained = _trained(recipe, base, data, state, weights)
            write_report(trained, state, data.report, staged / REPORT)
            write_artifact(trained, staged)
            manifest = store.add(staged)
        shutil.rmtree(work)
    return manifest


@contextmanager
def _work_folder(recipe: Recipe, base: BaseModel, store: Store) -> Iterator[Path]:
    """The folder with the checkpoints of the recipe's run from this base model, for this process alone."""
    folder = store.folder / f"{TRAINING}{recipe.key}-{base.sha256[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with durable.lock(folder / ".lock", wait=False):
            yield folder
    except BlockingIOError as error:
        raise AlreadyTraining(f"{folder}: another process trains just this model") from error


def _fit(
    recipe: Recipe, base: BaseModel, data: EncodedCorpus, work: Path, settings: TrainingSettings, console: Console
) -> tuple[TrainingState, Tensors]:
    with progress(console) as shown:
        watchers = [shown, TensorBoard(settings.logs_dir / recipe.name / recipe.key)]
        run = Run(base, _parts(data), recipe.parameters, work, watchers, settings.checkpoint_s)
        return run.fit(), load_weights(run.best)


def _refuse_too_long(recipe: Recipe, base: BaseModel) -> None:
    positions = base.architecture.max_position_embeddings
    if recipe.parameters.max_length > positions:
        raise BadBaseModel(f"{base.name} has {positions} positions, max_length is {recipe.parameters.max_length}")


def _parts(data: EncodedCorpus) -> Parts:
    return Parts(data.part(data.parts.train), data.part(data.parts.validation), len(data.classes))


def _trained(recipe: Recipe, base: BaseModel, data: EncodedCorpus, state: TrainingState, weights: Tensors) -> Trained:
    started = time.monotonic()
    held = _held_out(recipe, base, data, weights)
    metrics = scores(held) | _baseline_scores(recipe, data) | {"test_texts": float(len(held.texts))}
    return Trained(
        name=recipe.name,
        architecture=base.architecture,
        tokenizer=base.tokenizer,
        vocabulary=base.vocabulary,
        tensors=weights,
        labels=data.classes,
        max_length=recipe.parameters.max_length,
        held=held,
        metrics=metrics,
        provenance=_provenance(recipe, base, state.seconds + time.monotonic() - started),
    )


def _held_out(recipe: Recipe, base: BaseModel, data: EncodedCorpus, weights: Tensors) -> HeldOutPredictions:
    """The test part, scored in float32 by the exported weights; the temperature comes from the validation part."""
    model = Classifier(base.architecture, len(data.classes), dropout=0.0)
    model.load(weights)
    predict = predictor(model, bucket_lengths(data.examples.lengths, recipe.parameters.buckets))
    validation = data.part(data.parts.validation)
    test = data.part(data.parts.test)
    temperature = fit_temperature(predict(validation), validation.labels)
    return HeldOutPredictions(data.texts_of(data.parts.test), test.labels, predict(test), temperature)


def _baseline_scores(recipe: Recipe, data: EncodedCorpus) -> dict[str, float]:
    train, test = data.parts.train, data.parts.test
    labels = data.examples.labels
    predicted = baseline.predict(data.texts_of(train), labels[train], data.texts_of(test), recipe.parameters.seed)
    return {f"baseline_{name}": score for name, score in label_scores(labels[test], predicted).items()}


def _provenance(recipe: Recipe, base: BaseModel, seconds: float) -> Provenance:
    return Provenance(
        created=datetime.now(UTC),
        base_model=base.name,
        base_sha256=base.sha256,
        data_sha256=recipe.corpus.sha256,
        seed=recipe.parameters.seed,
        hyperparameters=recipe.parameters.model_dump(),
        packages=package_versions(),
        duration_s=round(seconds, 1),
    )
