"""What is asked about each text and what is answered: options of a job, predictions of a chunk."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from contract.artifact import Strict

TextErrorCode = Literal["text-too-long", "text-failed", "empty-text", "not-predicted"]


class Options(Strict):
    """How a job wants its texts predicted."""

    top_k: int = Field(default=1, ge=1, description="labels returned per text, best first; more than one adds `top`")
    scores: bool = Field(default=False, description="add `scores`, every label's score")
    truncate: Literal["right", "left", "error"] = Field(
        default="right", description="which end of a text that is longer than the model's maximum is cut off"
    )


def known_options(stored: str) -> Options:
    """The options that this release knows, for showing a job that a newer one may have admitted.

    Raises ValueError for what is no JSON object.
    """
    found = json.loads(stored)
    if not isinstance(found, dict):
        raise ValueError("options are no object")
    return Options.model_validate({name: value for name, value in found.items() if name in Options.model_fields})


class Scored(Strict):
    label: str
    score: float = Field(ge=0, le=1)


class Prediction(Strict):
    """The answer for one text."""

    label: str = Field(description="the label with the highest score")
    score: float = Field(ge=0, le=1, description="calibrated probability of the label")
    tokens: int = Field(ge=2, description="tokens that the model read, [CLS] and [SEP] included")
    truncated: bool = Field(description="whether a part of the text was cut off")
    top: list[Scored] | None = Field(default=None, description="the `top_k` best labels, when more than one was asked")
    scores: dict[str, float] | None = Field(default=None, description="every label's score, when asked for")


class TextError(Strict):
    code: TextErrorCode
    detail: str


class Failed(Strict):
    """In the place of a prediction: this text could not be predicted, the others of its job were."""

    error: TextError


Answer = Prediction | Failed


class ChunkResult(BaseModel):
    """What a worker commits for one chunk; lies in the job record as JSON without the keys that are None."""

    model_config = ConfigDict(frozen=True)

    version: str = Field(description="the model version that answered")
    predictions: Annotated[list[Answer], Field(description="one per text, in their order")]
