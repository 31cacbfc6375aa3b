"""The options of a request are defined once, in contract/prediction.py; all who know them agree with that."""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from pydantic import Field, ValidationError

from api.openapi.document import openapi
from api.openapi.schemas import TEXTS_FIELDS, PredictRequest
from api.settings import ApiSettings
from api.views.admission import Question
from contract.prediction import AnswerRule, Options, TextRead, dump_options, known_options, load_options
from harness.answering_worker import ANY_LABELS, LABELS, ONE_LABEL, answer_document, scores
from retort_client import wire
from retort_client.cli.commands import predict
from worker.pipeline import answers

ROOT = Path(__file__).parents[2]
DOCUMENTED = set(re.findall(r"^\| `(\w+)` \| ", (ROOT / "docs/api.md").read_text(encoding="utf-8"), re.MULTILINE))
OPTIONS_OF_THE_CLIENT = (
    (ROOT / "docs/client.md").read_text(encoding="utf-8").split("Options are those of")[1].split(". ")[0]
)


class Later(Options):
    """A release with one option more."""

    of_a_release_to_come: float = Field(default=0.0, ge=0, le=1)


@pytest.mark.parametrize("name", Options.model_fields)
def test_an_option_is_taken_described_documented_and_sent_by_the_client(name: str) -> None:
    described = openapi(ApiSettings())["components"]["schemas"]["PredictRequest"]["properties"][name]
    assert described["description"] == Options.model_fields[name].description
    assert name in DOCUMENTED
    assert name in get_type_hints(wire.Options)
    assert name in inspect.signature(predict).parameters
    assert f"`{name}`" in OPTIONS_OF_THE_CLIENT


def test_the_client_knows_every_member_of_a_request_and_no_other() -> None:
    assert get_type_hints(wire.Options).keys() == PredictRequest.model_fields.keys() - set(TEXTS_FIELDS)
    assert get_args(get_type_hints(wire.Options)["truncate"]) == get_args(Options.model_fields["truncate"].annotation)


@pytest.mark.parametrize("bad", [{"top_k": 0}, {"top_k": 1001}, {"top_k": "3"}, {"scores": 1}, {"truncate": "middle"}])
def test_the_bounds_of_an_option_are_those_of_the_request(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PredictRequest(texts=["a"], **bad)  # type: ignore[arg-type]


@pytest.mark.parametrize("asked", [{}, {"top_k": 2}, {"top_k": 1}, {"threshold": 0.5, "scores": True}])
def test_the_options_of_a_request_are_those_of_its_record(asked: dict[str, Any]) -> None:
    options = PredictRequest(texts=["a"], **asked).options
    assert options == Options(**asked)
    assert json.loads(dump_options(options)) == {**Options().model_dump(), **asked}
    assert load_options(dump_options(options)) == known_options(dump_options(options)) == options


def test_a_later_option_at_its_default_changes_neither_record_nor_digest() -> None:
    assert Later(top_k=2).model_dump_json() == Options(top_k=2).model_dump_json()
    assert Later(of_a_release_to_come=0.5).model_dump() == {**Options().model_dump(), "of_a_release_to_come": 0.5}
    assert Options.model_validate_json(Later().model_dump_json()) == Options()


def test_the_digest_of_a_request_is_that_of_the_first_release() -> None:
    """Keys that an older API remembers go on standing for the same requests."""
    asked = Question(texts=["a"], texts_at="/texts", options=Options(top_k=2), model="default", deadline_s=3600)
    assert asked.digest == "594fcebe9bb38b913e327dd9684b3ac2b6b1a4434533b1a4459bcb68e1da1820"


@pytest.mark.parametrize("options", [Options(), Options(top_k=2), Options(top_k=9, scores=True)])
@pytest.mark.parametrize("rule", [ONE_LABEL, ANY_LABELS])
def test_the_stand_in_answers_by_the_workers_rule(options: Options, rule: AnswerRule) -> None:
    found = scores("some text")
    row = np.array([found[label] for label in LABELS])
    asked = SimpleNamespace(options=options, read=TextRead(tokens=4, truncated=False))
    [written] = answers.predictions(row[None], rule, [asked])
    assert json.loads(written) == answer_document("some text", options, rule)
