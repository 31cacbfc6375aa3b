"""Texts that have none of the labels: which they are, what they are called, and how well they are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contract.artifact import read_manifest
from harness.tiny_artifact import write_tiny_artifact
from training.data.corpus import build_corpus
from training.data.other_label import FEWEST, NONE_OF_THESE
from training.data.recipe import Recipe
from training.data.table import one_label_table, read_table
from training.data.table_options import TableOptions
from training.errors import BadData
from training.evaluation.evaluate import HeldOutPredictions
from training.evaluation.other import learnt_other, other_scores
from training.hyperparameters import HyperParameters

LABELLED = [(f"question {number}", "java" if number % 2 else "misc") for number in range(40)]


def written(folder: Path, unlabelled: int, labelled: list[tuple[str, str]] = LABELLED) -> Path:
    rows = [*labelled, *((f"chatter {number}", "") for number in range(unlabelled))]
    path = folder / f"{unlabelled}.csv"
    path.write_text("post,tags\n" + "".join(f"{text},{label}\n" for text, label in rows))
    return path


@pytest.mark.parametrize(
    ("unlabelled", "asked", "found"),
    [
        (FEWEST, None, NONE_OF_THESE),
        (FEWEST - 1, None, None),
        (0, None, None),
        (FEWEST, "", None),
        (1, " misc ", "misc"),
        (0, "misc", "misc"),
        (1, "chatter", "chatter"),
    ],
)
def test_rows_without_a_label_are_learnt_where_they_are_no_slip_or_their_label_is_said(
    tmp_path: Path, unlabelled: int, asked: str | None, found: str | None
) -> None:
    table = read_table(written(tmp_path, unlabelled), TableOptions(other=asked))

    assert table.other == found
    assert table.labels == [label for _, label in LABELLED] + [found] * (unlabelled if found else 0)
    assert table.dropped == ({"empty label": unlabelled} if unlabelled and not found else {})
    assert any(f"none of the other labels: {found!r}" in note for note in table.notes) == (found is not None)


def test_a_few_slips_in_a_large_table_are_no_label(tmp_path: Path) -> None:
    large = [(f"question {number}", "java" if number % 2 else "sql") for number in range(1000)]

    assert read_table(written(tmp_path, 9, large)).other is None
    assert read_table(written(tmp_path, 11, large)).other == NONE_OF_THESE


def test_a_label_that_is_chosen_is_said_with_the_option_that_decides_otherwise(tmp_path: Path) -> None:
    noted = read_table(written(tmp_path, 8)).notes[-1]

    assert f"{NONE_OF_THESE!r}, with 8 texts that have no label; --other NAME" in noted
    assert "--other ''" in noted
    assert "--other" not in read_table(written(tmp_path, 8), TableOptions(other="misc")).notes[-1]


def test_rows_without_a_label_are_refused_where_bad_rows_are_unless_it_is_said_what_they_are(tmp_path: Path) -> None:
    path = written(tmp_path, FEWEST)

    with pytest.raises(BadData, match=f"empty label: {FEWEST} rows"):
        read_table(path, TableOptions(bad_rows="refuse"))
    assert read_table(path, TableOptions(bad_rows="refuse", other="misc")).other == "misc"


def test_without_any_label_there_is_nothing_to_learn(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="no row has both"):
        read_table(written(tmp_path, 20, []))


@pytest.mark.parametrize(("unlabelled", "dropped"), [(FEWEST, {}), (1, {"empty label": 1})])
def test_another_file_of_the_run_is_read_as_the_training_texts_are(
    tmp_path: Path, unlabelled: int, dropped: dict[str, int]
) -> None:
    read_by = read_table(written(tmp_path, unlabelled)).read_by
    (tmp_path / "test.csv").write_text("post,tags\none,java\ntwo,\n")

    test = read_table(tmp_path / "test.csv", read_by)

    assert (len(test), test.dropped) == (2 - len(dropped), dropped)
    assert (NONE_OF_THESE in test.labels) == (not dropped)


def test_texts_with_several_labels_need_no_such_label(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "a", "tags": ["x", "y"]}\n{"text": "b", "tags": []}\n')

    with pytest.raises(BadData, match="no --other is needed"):
        read_table(path, TableOptions(other="misc"))
    table = read_table(path, TableOptions(other=""))
    assert (table.label_sets, table.other) == ([("x", "y"), ()], None)


def test_a_label_that_no_text_has_is_refused(tmp_path: Path) -> None:
    table = read_table(written(tmp_path, 0), TableOptions(other="chatter"))

    with pytest.raises(BadData, match="--other chatter: no text has that label"):
        build_corpus(table, HyperParameters())


def test_whether_a_label_means_none_of_the_others_decides_whether_a_version_was_made_just_so(tmp_path: Path) -> None:
    corpora = [
        build_corpus(read_table(written(tmp_path, 0), TableOptions(other=other)), HyperParameters())
        for other in ("misc", None)
    ]
    recipes = [Recipe(name="tiny", base="tiny", corpus=corpus, parameters=HyperParameters()) for corpus in corpora]
    written_manifest = read_manifest(write_tiny_artifact(tmp_path / "tiny"))
    provenance = written_manifest.provenance.model_copy(
        update={
            "base_model": "tiny",
            "data_sha256": corpora[0].sha256,
            "hyperparameters": HyperParameters().model_dump(),
        }
    )
    made = written_manifest.model_copy(update={"provenance": provenance, "other": "misc"})

    assert [recipe.matches(made, "a" * 64) for recipe in recipes] == [True, False]


def test_how_well_it_is_told_is_measured_and_said() -> None:
    labels = np.array([0, 0, 1, 1, 1, 1], np.int32)
    said = np.array([0, 1, 1, 1, 1, 0])
    held = HeldOutPredictions(
        texts=["text"] * 6, labels=labels, logits=np.eye(2, dtype=np.float32)[said], temperature=1
    )

    scores = other_scores(held, ("java", "misc"), "misc")

    assert scores == {"other_precision": 0.75, "other_recall": 0.75, "other_texts": 4.0}
    assert learnt_other("misc", scores) == [
        "other 'misc': none of the other labels; of 4 such texts held out 75.0% are told, of the answers that say so "
        "75.0% are right"
    ]
    assert other_scores(held, ("java", "misc"), None) == {}
    assert learnt_other(None, {}) == []


def test_one_label_table_has_no_such_label_by_itself() -> None:
    assert one_label_table(["a"], ["x"]).other is None
