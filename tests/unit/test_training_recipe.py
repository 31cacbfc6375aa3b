"""When `--if-changed` has something to do: whenever anything that decides over the model is another."""

from __future__ import annotations

from pathlib import Path

import pytest

from contract.artifact import Manifest, read_manifest
from harness.tiny_artifact import write_tiny_artifact
from training.data.corpus import Corpus, build_corpus
from training.data.recipe import Recipe
from training.data.table import Table, one_label_table
from training.hyperparameters import HyperParameters

WEIGHTS, OTHER_WEIGHTS = "a" * 64, "b" * 64
PARAMETERS = HyperParameters(epochs=1)
ROWS = [(f"text number {n}", "even" if n % 2 == 0 else "odd") for n in range(40)]


def corpus(rows: list[tuple[str, str]] = ROWS, **own: Table) -> Corpus:
    return build_corpus(table(rows), PARAMETERS, **own)


def table(rows: list[tuple[str, str]]) -> Table:
    return one_label_table([text for text, _ in rows], [label for _, label in rows])


MADE = Recipe(name="tiny", base="bases/bert", corpus=corpus(), parameters=PARAMETERS)


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Of the version that MADE led to."""
    written = read_manifest(write_tiny_artifact(tmp_path))
    provenance = written.provenance.model_copy(
        update={
            "base_model": "bert",
            "base_sha256": WEIGHTS,
            "data_sha256": MADE.corpus.sha256,
            "hyperparameters": PARAMETERS.model_dump(),
        }
    )
    return written.model_copy(update={"provenance": provenance})


def test_the_same_again_is_nothing_new(manifest: Manifest) -> None:
    assert MADE.matches(manifest, WEIGHTS)
    assert Recipe(name="tiny", base="elsewhere/bert", corpus=corpus(), parameters=PARAMETERS).matches(manifest, WEIGHTS)


def test_other_weights_of_a_base_model_of_the_same_name_are_a_change(manifest: Manifest) -> None:
    assert not MADE.matches(manifest, OTHER_WEIGHTS)


def test_a_version_that_does_not_name_its_base_weights_is_told_by_the_base_models_name(manifest: Manifest) -> None:
    silent = manifest.model_copy(update={"provenance": manifest.provenance.model_copy(update={"base_sha256": None})})

    assert MADE.matches(silent, WEIGHTS)
    assert not Recipe(name="tiny", base="bases/other", corpus=corpus(), parameters=PARAMETERS).matches(silent, WEIGHTS)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param(Recipe(name="tiny", base="bases/other", corpus=corpus(), parameters=PARAMETERS), id="base model"),
        pytest.param(
            Recipe(name="tiny", base="bases/bert", corpus=corpus([*ROWS, ("one more", "odd")]), parameters=PARAMETERS),
            id="one more row",
        ),
        pytest.param(
            Recipe(name="tiny", base="bases/bert", corpus=corpus(ROWS[::-1]), parameters=PARAMETERS),
            id="order of the rows",
        ),
        pytest.param(
            Recipe(
                name="tiny", base="bases/bert", corpus=corpus([(ROWS[0][0], "odd"), *ROWS[1:]]), parameters=PARAMETERS
            ),
            id="one row's label",
        ),
        pytest.param(
            Recipe(name="tiny", base="bases/bert", corpus=corpus(validation=table(ROWS[:4])), parameters=PARAMETERS),
            id="own validation data",
        ),
        pytest.param(
            Recipe(name="tiny", base="bases/bert", corpus=corpus(test=table(ROWS[:4])), parameters=PARAMETERS),
            id="own test data",
        ),
    ],
)
def test_anything_else_that_decides_over_the_model_is_a_change(changed: Recipe, manifest: Manifest) -> None:
    assert not changed.matches(manifest, WEIGHTS)


@pytest.mark.parametrize("name", HyperParameters.model_fields)
def test_any_other_choice_of_a_run_is_a_change(manifest: Manifest, name: str) -> None:
    provenance = manifest.provenance
    other = provenance.model_copy(update={"hyperparameters": provenance.hyperparameters | {name: "another"}})

    assert not MADE.matches(manifest.model_copy(update={"provenance": other}), WEIGHTS)


def test_validation_and_test_data_that_change_places_are_a_change() -> None:
    one, other = table(ROWS[:4]), table(ROWS[4:8])

    assert corpus(validation=one, test=other).sha256 != corpus(validation=other, test=one).sha256
