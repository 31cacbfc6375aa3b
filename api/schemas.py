"""The documents of the API, as pydantic models: requests are validated with them, OpenAPI is generated from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model, model_validator
from pydantic_core import PydanticCustomError

from api.settings import ApiSettings
from contract.artifact import Name
from contract.prediction import Options

TEXTS_FIELDS = ("texts", "X", "x")


class PredictRequest(BaseModel):
    """Texts to classify. One of `texts`, `X` and `x` holds them; they mean the same."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"oneOf": [{"required": [name]} for name in TEXTS_FIELDS]},
    )

    texts: list[str] = Field(default_factory=list, min_length=1)
    X: list[str] = Field(default_factory=list, min_length=1)
    x: list[str] = Field(default_factory=list, min_length=1)
    top_k: int = Field(default=1, ge=1, le=1000, description="labels per text, best first; more than one adds `top`")
    scores: bool = Field(default=False, description="add `scores`, every label's score")
    truncate: Literal["right", "left", "error"] = Field(
        default="right", description="which end of a text longer than the model's maximum is cut off; or an error"
    )
    deadline_s: int | None = Field(default=None, ge=1, description="the job expires when it is not done by then")
    model: Name | None = Field(default=None, description="the model to ask; the service's default one when absent")

    @model_validator(mode="after")
    def one_list(self) -> PredictRequest:
        given = [name for name in TEXTS_FIELDS if name in self.model_fields_set]
        if len(given) != 1:
            raise PydanticCustomError("one_of_texts", "give the texts in exactly one of `texts`, `X` and `x`")
        return self

    @property
    def given_texts(self) -> list[str]:
        return self.texts or self.X or self.x

    @property
    def options(self) -> Options:
        return Options(top_k=self.top_k, scores=self.scores, truncate=self.truncate)


def predict_request(settings: ApiSettings) -> type[PredictRequest]:
    """`PredictRequest` with the limits of these settings."""
    text = Annotated[str, Field(max_length=settings.max_text_chars)]
    fields: dict[str, Any] = {
        name: (list[text], Field(default_factory=list, min_length=1, max_length=settings.max_texts))
        for name in TEXTS_FIELDS
    }
    deadline = Annotated[int, Field(ge=1, le=settings.max_deadline_s)] | None
    described = PredictRequest.model_fields["deadline_s"].description
    fields["deadline_s"] = (deadline, Field(default=settings.default_deadline_s, description=described))
    return create_model("PredictRequest", __base__=PredictRequest, __doc__=PredictRequest.__doc__, **fields)
