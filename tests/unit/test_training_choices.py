"""What is meant by options that share a name, and which suit a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from training.cli.train import unsuited
from training.hyperparameters import DataFacts, HyperParameters

FACTS = DataFacts(texts=1000, texts_a_label=100, long_text=40, hidden=384, positions=512)


@pytest.mark.parametrize(
    ("given", "precision", "label_precision"),
    [
        ({"precision": "bfloat16"}, "bfloat16", None),
        ({"precision": "0.9"}, "float32", 0.9),
        ({"label_precision": 0.8, "precision": "bfloat16"}, "bfloat16", 0.8),
        ({}, "float32", None),
    ],
)
def test_a_number_for_the_precision_is_that_of_labels(
    given: dict[str, object], precision: str, label_precision: float | None
) -> None:
    parameters, _ = HyperParameters.chosen(given, FACTS, "float32")

    assert (parameters.precision, parameters.label_precision) == (precision, label_precision)


@pytest.mark.parametrize("wrong", ["float16", "1.5", "0"])
def test_a_precision_that_is_neither_is_refused(wrong: str) -> None:
    with pytest.raises(ValidationError):
        HyperParameters.chosen({"precision": wrong}, FACTS, "float32")


@pytest.mark.parametrize(
    ("given", "several", "why"),
    [
        ({}, True, ""),
        ({}, False, ""),
        ({"precision": "0.9"}, True, ""),
        ({"accuracy": 0.9}, False, ""),
        ({"precision": "0.9"}, False, "each text has one label"),
        ({"accuracy": 0.9}, True, "--precision 0.9"),
        ({"loss": "contrastive"}, True, "pairs of texts"),
    ],
)
def test_choices_that_do_not_suit_the_labels_of_a_table_are_refused(
    given: dict[str, object], several: bool, why: str
) -> None:
    parameters, _ = HyperParameters.chosen(given, FACTS, "float32")

    found = unsuited(parameters, given, several=several)

    assert why in found
    assert bool(found) == bool(why)


def test_an_encoder_that_cannot_be_fine_tuned_is_left_as_it_is_with_the_reason() -> None:
    facts = replace(FACTS, why_frozen="nobody can")

    parameters, reasons = HyperParameters.chosen({}, facts, "float32")

    assert parameters.epochs == 0
    assert reasons == ["max_length 40: 95% of the texts have at most 40 tokens", "epochs 0: nobody can"]
    assert HyperParameters.chosen({"epochs": 2}, facts, "float32")[0].epochs == 2
