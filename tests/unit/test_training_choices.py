"""What is meant by options that share a name."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

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
