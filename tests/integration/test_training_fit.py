"""The training loop, on a tiny BERT with random weights and words that give the label away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contract.artifact import Pooling
from tests.base_models import random_head, write_one_layer
from training.bert_compat import tf
from training.data.batches import Examples
from training.errors import Diverged
from training.evaluation.labelling import SINGLE_LABEL
from training.evaluation.linear_head import LinearHead
from training.fit.checkpoint import Epoch, TrainingState
from training.fit.contrast import TEMPERATURE, contrastive_loss
from training.fit.loop import Parts, Run, load_weights
from training.fit.progress import Step
from training.fit.start import Start
from training.hyperparameters import HyperParameters
from training.pretrained import hugging_face
from training.pretrained.base_model import BaseModel

pytestmark = pytest.mark.timeout(500)  # minutes on a machine that has much else to do

PARAMETERS = HyperParameters(epochs=3, batch_size=8, learning_rate=3e-3, dropout=0.1, max_length=32, buckets=1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    return hugging_face.load(write_one_layer(tmp_path_factory.mktemp("base")), "tiny")


def _examples(count: int, seed: int) -> Examples:
    """Random texts of 3 to 20 tokens, one of which (10, 11 or 12) is their label's."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 3, count).astype(np.int32)
    ids = []
    for label in labels:
        body = generator.integers(20, 60, generator.integers(1, 18)).astype(np.int32)
        body[generator.integers(len(body))] = 10 + label
        ids.append(np.array([2, *body, 3], np.int32))
    return Examples(ids, labels)


PARTS = Parts(_examples(100, seed=1), _examples(40, seed=2), labels=3)


class Killed(Exception):
    """Stands for SIGKILL: nothing after it runs."""


@dataclass
class Watch:
    """Records what happens, and kills the run after `kill_after` steps."""

    kill_after: int | None = None
    steps: list[Step] = field(default_factory=list)
    epochs: list[Epoch] = field(default_factory=list)

    def step(self, step: Step) -> None:
        self.steps.append(step)
        if len(self.steps) == self.kill_after:
            raise Killed

    def epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)


Result = tuple[TrainingState, dict[str, np.ndarray]]


def frozen_start(base: BaseModel, seed: int = 1) -> Start:
    """The first token of the frozen base and a head that knows nothing, for what is to be learnt."""
    return Start(pooling="first", strength=10.0, head=LinearHead(*random_head(base.architecture, 3, seed).values()))


@pytest.fixture(scope="module")
def start(base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Result]:
    def start(folder: Path | None = None, watch: Watch | None = None, every_s: float = 60, **changes: Any) -> Result:
        folder = folder or tmp_path_factory.mktemp("run")
        parameters = PARAMETERS.model_copy(update=changes)
        watchers = [watch] if watch else []
        begin = frozen_start(base)
        run = Run(
            base=base,
            parts=PARTS,
            start=begin,
            parameters=parameters,
            folder=folder,
            watchers=watchers,
            checkpoint_s=every_s,
        )
        state = run.fit()
        return state, load_weights(run.best)

    return start


def test_a_text_of_many_windows_counts_as_much_as_a_short_one(base: BaseModel, tmp_path: Path) -> None:
    texts = [[PARTS.train.ids[0]] * count for count in (1, 1, 6, 4)]
    train = Examples.in_windows(texts, np.zeros(4, np.int32))
    parts = Parts(train, PARTS.validation, labels=3)
    run = Run(base=base, parts=parts, start=frozen_start(base), parameters=PARAMETERS, folder=tmp_path)

    counted = np.zeros(4)
    for planned, (_, batch, shares) in zip(run._plan(epoch=0), run._remaining_batches(), strict=True):
        assert train.owners is not None
        np.add.at(counted, train.owners[planned.texts], shares[batch.weights > 0])

    assert counted == pytest.approx([3, 3, 3, 3])  # of twelve windows


@pytest.fixture(scope="module")
def unbroken(start: Callable[..., Result]) -> Result:
    return start()


def test_it_learns_and_says_so(start: Callable[..., Result], tmp_path: Path) -> None:
    watch = Watch()

    state, _ = start(tmp_path, watch)

    assert state.history[-1].validation_accuracy > 0.8
    assert state.history[-1].validation_loss < state.history[0].validation_loss
    assert [step.number for step in watch.steps] == list(range(39))
    assert {step.steps for step in watch.steps} == {39}
    assert watch.epochs == [state.start, *state.history]
    assert sum(step.texts for step in watch.steps) == 300

    again = Watch()
    repeated, _ = start(tmp_path, again)
    assert again.steps == []
    assert repeated.history == state.history


@pytest.mark.parametrize("killed_after", [5, 13], ids=["within_an_epoch", "before_validation"])
def test_killed_and_started_again_it_ends_as_an_unbroken_run(
    start: Callable[..., Result], unbroken: Result, tmp_path: Path, killed_after: int
) -> None:
    with pytest.raises(Killed):
        start(tmp_path, Watch(kill_after=killed_after), every_s=0)

    resumed = Watch()
    state, weights = start(tmp_path, resumed, every_s=0)

    assert 0 < len(resumed.steps) < 39
    assert state.history == unbroken[0].history
    assert state.losses == unbroken[0].losses
    assert all(np.array_equal(weights[name], expected) for name, expected in unbroken[1].items())


@pytest.mark.parametrize("pooling", ["mean", "pooler"])  # the other tests read the first token
def test_every_pooling_learns_also_from_batches_that_are_not_full(
    base: BaseModel, tmp_path: Path, pooling: Pooling
) -> None:
    begin = replace(frozen_start(base), pooling=pooling)

    run = Run(base=base, parts=PARTS, start=begin, parameters=PARAMETERS, folder=tmp_path)
    state = run.fit()

    assert len(PARTS.train) % PARAMETERS.batch_size
    assert state.history[-1].validation_accuracy > 0.7
    assert ("bert.pooler.dense.weight" in load_weights(run.best)) == (pooling == "pooler")


def test_pairs_teach_an_encoder_and_a_new_head_and_an_interruption_changes_nothing(
    start: Callable[..., Result], tmp_path: Path
) -> None:
    unbroken, weights = start(loss="contrastive")
    with pytest.raises(Killed):
        start(tmp_path, Watch(kill_after=16), every_s=0, loss="contrastive")
    again, resumed = start(tmp_path, every_s=0, loss="contrastive")

    assert unbroken.start
    assert unbroken.history[-1].validation_accuracy > unbroken.start.validation_accuracy
    assert unbroken.history[-1].validation_accuracy > 0.6  # of three labels
    assert unbroken.losses[-1] < unbroken.losses[0]
    assert again.history == unbroken.history
    assert all(np.array_equal(resumed[name], expected) for name, expected in weights.items())


def test_without_texts_to_validate_by_it_learns_from_all_for_so_many_epochs_and_keeps_the_last(
    base: BaseModel, tmp_path: Path
) -> None:
    parameters = PARAMETERS.model_copy(update={"loss": "contrastive"})
    begin, alone = frozen_start(base), Parts(PARTS.train, None, PARTS.labels)

    def run(folder: str, parts: Parts, epochs: int | None, watch: Watch) -> Run:
        (tmp_path / folder).mkdir(exist_ok=True)
        return Run(
            base=base, parts=parts, start=begin, parameters=parameters, folder=tmp_path / folder, watchers=[watch],
            checkpoint_s=0, epochs=epochs,
        )  # fmt: skip

    chosen, watch = run("chosen", PARTS, 2, Watch()), Watch()
    assert len(chosen.fit().history) == 2
    with pytest.raises(Killed):
        run("alone", alone, 2, Watch(kill_after=16)).fit()
    blind = run("alone", alone, 2, watch)
    state = blind.fit()

    # The same texts in the same order, at the rates of a run of all epochs: as if it had been looked at on the way.
    assert (state.epoch, state.history, watch.epochs) == (2, [], [])
    assert {step.steps for step in watch.steps} == {39}
    assert chosen.state.best_epoch == 1
    assert state.losses == chosen.state.losses
    expected = load_weights(chosen.best)
    assert all(np.array_equal(tensor, expected[name]) for name, tensor in load_weights(blind.best).items())


def test_the_contrastive_loss_is_that_of_picking_a_text_of_the_same_label() -> None:
    generator = np.random.default_rng(1)
    features, labels = generator.normal(size=(6, 4)).astype(np.float32), np.array([0, 1, 0, 1, 2, 0], np.int32)
    weights = np.array([0.25, 0.25, 0.25, 0.25, 0, 0], np.float32)  # the last two are no texts

    found = contrastive_loss(tf.constant(features), tf.constant(labels), tf.constant(weights))

    unit = features[:4] / np.linalg.norm(features[:4], axis=1, keepdims=True)
    chances = np.exp(unit @ unit.T / TEMPERATURE) * (1 - np.eye(4))
    picked = chances / chances.sum(axis=1, keepdims=True)
    expected = -np.mean([np.log(picked[own, other]) for own, other in ((0, 2), (2, 0), (1, 3), (3, 1))])
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_another_seed_is_another_run(start: Callable[..., Result], unbroken: Result) -> None:
    assert start(seed=2, epochs=1)[0].losses[0] != unbroken[0].losses[0]


def test_it_stops_when_the_validation_loss_no_longer_falls_and_keeps_the_best(start: Callable[..., Result]) -> None:
    # A rate at which the tiny model soon diverges.
    state, _ = start(epochs=12, learning_rate=0.3, warmup=0.5, patience=2)

    losses = [epoch.validation_loss for epoch in state.history]
    assert len(losses) < 12
    assert state.best_epoch == int(np.argmin(losses)) == len(losses) - 3


def test_a_start_that_no_epoch_betters_is_what_is_kept(base: BaseModel, tmp_path: Path) -> None:
    # A rate at which nothing is learnt but harm.
    parameters = PARAMETERS.model_copy(update={"learning_rate": 0.3, "warmup": 0.0})
    begin = frozen_start(base)

    run = Run(base=base, parts=PARTS, start=begin, parameters=parameters, folder=tmp_path)
    state = run.fit()

    assert state.best_epoch == -1
    weights = load_weights(run.best)
    assert np.array_equal(weights["classifier.weight"], begin.head.weight)
    assert all(np.array_equal(weights[f"bert.{name}"], base.tensors[name]) for name in ("embeddings.LayerNorm.bias",))


def test_no_epoch_at_all_keeps_the_start(base: BaseModel, tmp_path: Path) -> None:
    none = PARAMETERS.model_copy(update={"epochs": 0})
    run = Run(base=base, parts=PARTS, start=frozen_start(base), parameters=none, folder=tmp_path)

    assert run.fit().history == []
    assert run.best.exists()


def test_it_says_when_it_diverges(start: Callable[..., Result]) -> None:
    with pytest.raises(Diverged, match="lower learning rate"):
        start(learning_rate=1e30, warmup=0.0)


def test_bfloat16_learns_too(start: Callable[..., Result]) -> None:
    state, _ = start(precision="bfloat16")

    assert state.history[-1].validation_accuracy > 0.8


def test_a_seldom_class_weighs_as_much_as_a_frequent_one() -> None:
    labels = np.array([0] * 6 + [1] * 2, np.int32)

    assert SINGLE_LABEL.class_weights(labels).tolist() == pytest.approx([8 / 12, 8 / 4])


def test_batches_of_several_lengths_and_class_weights_learn_too(start: Callable[..., Result]) -> None:
    state, _ = start(buckets=3, class_weights=True)

    assert state.history[-1].validation_accuracy > 0.8
