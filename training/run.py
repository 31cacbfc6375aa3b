"""The whole run: fine-tune, score, write the artifact, add it to the store."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from contract import durable
from contract.artifact import Manifest
from training.artifact.export import write_artifact
from training.artifact.held_out import REPORT
from training.artifact.report import write_report
from training.artifact.store import TRAINING, Store
from training.artifact.suspects import write_suspects
from training.data.data_report import show
from training.data.encoded import encode
from training.data.recipe import Recipe
from training.errors import AlreadyTraining, BadBaseModel
from training.fit.checkpoint import TrainingState
from training.fit.frozen import look
from training.fit.loop import Parts, Run, load_weights
from training.fit.progress import TensorBoard, progress
from training.fit.start import Start
from training.pretrained.base_model import BaseModel, Tensors
from training.pretrained.base_models import load_base_model
from training.scoring import Finished, chosen_epoch, learnt_again, score
from training.settings import TrainingSettings

AGAIN = "again"
"""The folder, in that of the run, of the one that learns from the validation texts too."""


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
        started = time.monotonic()
        with console.status("reading all texts with the frozen base model"):
            frozen = look(base, data, recipe.parameters, work)
        for reason in (*recipe.reasons, *frozen.start.reasons):
            console.print(reason, soft_wrap=True)
        before_s = time.monotonic() - started
        parts = Parts(data.part(data.parts.train), data.part(data.parts.validation), len(data.classes))
        state, weights = _fit(recipe, base, parts, frozen.start, work, settings, console)
        finished = Finished(recipe=recipe, base=base, data=data, frozen=frozen, state=state, weights=weights)
        for line in (chosen_epoch(state), *learnt_again(finished)):
            console.print(line, soft_wrap=True)
        if finished.tunes_again:
            parts = Parts(data.part(finished.learnt), None, len(data.classes))
            again, weights = _fit(
                recipe, base, parts, frozen.start, work / AGAIN, settings, console, epochs=state.best_epoch + 1
            )
            finished, before_s = replace(finished, final=weights), before_s + again.seconds
        with console.status("scoring"), store.staging() as staged:
            trained = score(finished, before_s, console)
            write_report(trained, state, data.report, staged / REPORT, console)
            write_suspects(data, frozen, staged / REPORT, console)
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
    recipe: Recipe,
    base: BaseModel,
    parts: Parts,
    start: Start,
    work: Path,
    settings: TrainingSettings,
    console: Console,
    epochs: int | None = None,
) -> tuple[TrainingState, Tensors]:
    work.mkdir(exist_ok=True)
    with progress(console) as shown:
        logs = settings.logs_dir / recipe.name / recipe.key
        watchers = [shown, TensorBoard(logs if parts.validation is not None else logs / AGAIN)]
        run = Run(
            base=base,
            parts=parts,
            start=start,
            parameters=recipe.parameters,
            folder=work,
            watchers=watchers,
            checkpoint_s=settings.checkpoint_s,
            epochs=epochs,
        )
        return run.fit(), load_weights(run.best)


def _refuse_too_long(recipe: Recipe, base: BaseModel) -> None:
    positions = base.architecture.longest_text
    if recipe.parameters.max_length > positions:
        raise BadBaseModel(f"{base.name} has {positions} positions, max_length is {recipe.parameters.max_length}")
