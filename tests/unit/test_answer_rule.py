"""From scores to the answer for a text: one label, or those that reach their thresholds."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from contract.artifact import Manifest
from contract.prediction import Answer, AnswerRule, MultiLabelPrediction, Options, Prediction, TextRead
from tests.unit.test_golden_documents import golden
from worker.metrics import REVIEW_TEXTS
from worker.pipeline.answers import predictions

LABELS = ("c", "go", "java", "sql")
SCORES = np.array([0.5, 0.9, 0.3, 0.5], np.float32)
ONE = AnswerRule(labels=LABELS)
ANY = AnswerRule(labels=LABELS, thresholds=(0.5, 0.95, 0.2, 0.5))


READ = TextRead(tokens=7, truncated=False)


def written(
    rule: AnswerRule, options: Options | None = None, scores: np.ndarray[Any, Any] = SCORES, read: TextRead = READ
) -> str:
    asked = SimpleNamespace(options=options or Options(), read=read)
    [answer] = predictions(scores[None], rule, [asked])
    return answer


def held(rule: AnswerRule, options: Options | None = None) -> list[str]:
    return [one["label"] for one in json.loads(written(rule, options))["labels"]]


def test_the_bytes_of_a_one_label_answer_are_those_of_the_first_release() -> None:
    assert written(ONE) == '{"label":"go","score":0.9,"tokens":7,"truncated":false}'
    assert written(ONE, Options(top_k=2, scores=True)) == (
        '{"label":"go","score":0.9,"tokens":7,"truncated":false,'
        '"top":[{"label":"go","score":0.9},{"label":"c","score":0.5}],'
        '"scores":{"c":0.5,"go":0.9,"java":0.3,"sql":0.5}}'
    )


@pytest.mark.parametrize("rule", [ONE, ANY])
@pytest.mark.parametrize(
    ("unknown", "member"), [(0.0, ""), (0.1999, ""), (0.2, ',"unknown":0.2'), (2 / 3, ',"unknown":0.67')]
)
def test_a_notable_share_of_unknown_words_is_said(rule: AnswerRule, unknown: float, member: str) -> None:
    said = written(rule, read=TextRead(tokens=7, truncated=False, unknown=unknown))
    assert said == written(rule)[:-1] + member + "}"


@pytest.mark.parametrize("options", [Options(), Options(top_k=2)])
@pytest.mark.parametrize(("below", "marked"), [(0.0, False), (0.9, False), (0.900001, True), (1.0, True)])
def test_an_answer_with_a_score_below_the_bound_is_for_a_person(options: Options, below: float, marked: bool) -> None:
    before = REVIEW_TEXTS._value.get()
    said = written(AnswerRule(labels=LABELS, review_below=below), options)
    assert REVIEW_TEXTS._value.get() == before + marked
    plain = written(ONE, options)
    assert said == (plain.replace('"score":0.9,"tokens"', '"score":0.9,"review":true,"tokens"') if marked else plain)


def test_a_score_is_held_to_the_bound_as_it_is_shown() -> None:
    scores = np.array([0.1, 0.8999999, 0.0, 0.0], np.float32)
    assert "review" not in written(AnswerRule(labels=LABELS, review_below=0.9), scores=scores)


@pytest.mark.parametrize("rule", [ONE, ANY])
@pytest.mark.parametrize("options", [Options(), Options(top_k=2)])
@pytest.mark.parametrize(("distance", "marked"), [(0.25, False), (0.375, True)])
def test_a_text_that_is_too_far_from_what_was_learnt_is_marked(
    rule: AnswerRule, options: Options, distance: float, marked: bool
) -> None:
    columns = np.concatenate([SCORES, SCORES, [distance]]).astype(np.float32)
    said = written(replace(rule, unfamiliar_above=0.25), options, columns)
    plain = written(rule, options)
    assert said == (plain.replace(',"tokens"', ',"unfamiliar":true,"tokens"') if marked else plain)
    TypeAdapter(Answer).validate_json(said)


def test_a_threshold_changes_nothing_where_each_text_has_one_label() -> None:
    assert written(ONE, Options(threshold=0.99)) == written(ONE)


def test_the_labels_that_reach_their_own_thresholds_are_answered_best_first_and_in_order_on_a_tie() -> None:
    assert held(ANY) == ["c", "sql", "java"]


def test_the_bytes_of_an_answer_with_several_labels() -> None:
    assert written(ANY, Options(top_k=2)) == (
        '{"labels":[{"label":"c","score":0.5},{"label":"sql","score":0.5},{"label":"java","score":0.3}],'
        '"tokens":7,"truncated":false,"top":[{"label":"go","score":0.9},{"label":"c","score":0.5}]}'
    )


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [(0.0, ["go", "c", "sql", "java"]), (0.3, ["go", "c", "sql", "java"]), (0.6, ["go"]), (0.91, []), (1.0, [])],
)
def test_a_threshold_in_the_request_overrides_those_of_all_labels(threshold: float, expected: list[str]) -> None:
    assert held(ANY, Options(threshold=threshold)) == expected


def test_a_label_holds_by_its_score_as_it_is_shown() -> None:
    """So that whoever applies the threshold to `scores` finds the same labels."""
    rule = AnswerRule(labels=("a",), thresholds=(0.5,))
    assert json.loads(written(rule, scores=np.array([0.49999999], np.float32)))["labels"] == [
        {"label": "a", "score": 0.5}
    ]
    assert json.loads(written(rule, scores=np.array([0.499999], np.float32)))["labels"] == []


@pytest.mark.parametrize(("rule", "kind"), [(ONE, Prediction), (ANY, MultiLabelPrediction)])
@pytest.mark.parametrize("options", [Options(), Options(top_k=3, scores=True)])
def test_an_answer_is_read_as_what_it_is(rule: AnswerRule, kind: type, options: Options) -> None:
    text = written(rule, options)
    found: Answer = TypeAdapter(Answer).validate_json(text)
    assert isinstance(found, kind)
    assert found.model_dump(mode="json", exclude_none=True) == json.loads(text)


def test_a_manifest_says_by_its_activation_whether_a_text_may_have_several_labels() -> None:
    sigmoid = Manifest.model_validate_json(golden("manifest"))
    assert AnswerRule.of(sigmoid) == AnswerRule(labels=("java", "sql"), thresholds=(0.5, 0.5))
    softmax = sigmoid.model_copy(update={"activation": "softmax", "thresholds": ()})
    assert AnswerRule.of(softmax) == AnswerRule(labels=("java", "sql"), review_below=softmax.review_below or 0.0)


def test_a_threshold_that_nobody_chose_is_a_half() -> None:
    sigmoid = Manifest.model_validate_json(golden("manifest")).model_copy(update={"thresholds": ()})
    assert sigmoid.label_thresholds == (0.5, 0.5)
