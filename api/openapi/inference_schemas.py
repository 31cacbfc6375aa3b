"""The documents of the Open Inference Protocol (KServe's v2), as far as texts and labels need it.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, create_model
from pydantic.json_schema import SkipJsonSchema

from api.http.tensors import DataType
from api.openapi.schemas import DEADLINE, NO_OPTIONS, Document, absent, deadline_field
from api.settings import ApiSettings
from contract.prediction import WHOLE, Options

INPUT = "text"
OutputName = Literal[
    "label",
    "score",
    "labels",
    "review",
    "unfamiliar",
    "tokens",
    "truncated",
    "unknown",
    "windows",
    "error",
    "top_label",
    "top_score",
    "scores",
    "classes",
]


class ProtocolPart(BaseModel):
    """What a client sends: these members and no others."""

    model_config = ConfigDict(extra="forbid", strict=True)


class InputParameters(ProtocolPart):
    binary_data_size: SkipJsonSchema[int | None] = Field(default=None, ge=0)


class OutputParameters(ProtocolPart):
    binary_data: bool | None = Field(default=None, description="send the tensor's bytes behind the JSON")


class InferParameters(Options):
    """How the texts are to be predicted; as in `POST /predict`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    deadline_s: Annotated[int, Field(ge=1), WHOLE] | None = Field(default=None, description=DEADLINE)
    binary_data_output: bool = Field(
        default=False, description="send the bytes of every tensor behind the JSON that says nothing else"
    )

    @property
    def options(self) -> Options:
        asked = self.model_fields_set.intersection(Options.model_fields)
        return Options(**{name: getattr(self, name) for name in asked}) if asked else NO_OPTIONS


class InferInput(ProtocolPart):
    """The texts."""

    model_config = ConfigDict(json_schema_extra={"required": ["name", "shape", "datatype", "data"]})

    name: Literal["text"]
    shape: list[Annotated[int, Field(ge=1), WHOLE]] = Field(
        min_length=1, max_length=2, description="[N] or [N, 1], of N texts"
    )
    datatype: Literal["BYTES"]
    parameters: InputParameters = InputParameters()
    data: list[str] = []


class RequestedOutput(ProtocolPart):
    name: OutputName
    parameters: OutputParameters = OutputParameters()


class InferRequest(ProtocolPart):
    """Texts to classify, as a tensor. What follows the JSON, if anything does, are the bytes of its data."""

    id: str | None = Field(default=None, max_length=255, description="comes back with the answer")
    model_name: SkipJsonSchema[str | None] = Field(default=None, description="KServe's client repeats it here")
    parameters: InferParameters = InferParameters()
    inputs: list[InferInput] = Field(min_length=1, max_length=1)
    outputs: list[RequestedOutput] = Field(
        default=[],
        max_length=len(get_args(OutputName)),
        description="which tensors to answer with; the usual ones if none is named",
    )


def infer_request(settings: ApiSettings) -> type[InferRequest]:
    """`InferRequest` with the limits of these settings."""
    text = Annotated[str, Field(max_length=settings.max_text_chars)]
    most = most_texts(settings)
    described = {"type": "string", "maxLength": settings.max_text_chars}
    listed = {"type": "array", "minItems": 1, "maxItems": most}
    column = {"type": "array", "items": described, "minItems": 1, "maxItems": 1}
    data = Annotated[
        list[text],
        Field(max_length=most),
        BeforeValidator(_flat),
        WithJsonSchema({"anyOf": [{**listed, "items": described}, {**listed, "items": column}]}),
    ]
    one_input = create_model(
        "InferInput", __base__=InferInput, __doc__=InferInput.__doc__, data=(data, Field(default=[]))
    )
    parameters = create_model(
        "InferParameters",
        __base__=InferParameters,
        __doc__=InferParameters.__doc__,
        deadline_s=deadline_field(settings),
    )
    fields: dict[str, Any] = {
        "inputs": (list[one_input], Field(min_length=1, max_length=1)),  # type: ignore[valid-type]
        "parameters": (parameters, Field(default=parameters())),
    }
    return create_model("InferRequest", __base__=InferRequest, __doc__=InferRequest.__doc__, **fields)


def most_texts(settings: ApiSettings) -> int:
    """Texts of a request: an answer in tensors can't pass through page by page, it is held as a whole."""
    return min(settings.max_texts, settings.page_texts)


def _flat(data: object) -> object:
    """A column of texts as a list of them: the protocol takes nested data as well as flat."""
    if isinstance(data, list) and data and all(isinstance(row, list) and len(row) == 1 for row in data):
        return [row[0] for row in data]
    return data


class InferOutput(Document):
    """A tensor: row-major, flat."""

    name: OutputName
    datatype: DataType
    shape: list[int]
    parameters: dict[str, int] = absent("`binary_data_size`: how many bytes behind the JSON are its data")
    data: list[str] | list[float] | list[int] | list[bool] = absent("unless it is sent as bytes")


class InferResponse(Document):
    """The answers, a tensor for each kind of thing that is said of a text."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "model_name": "default",
                "model_version": "20261122t114937-ea19d4",
                "parameters": {"job": "agraghjif5r26stp65nsosajqrlre"},
                "outputs": [
                    {"name": "label", "datatype": "BYTES", "shape": [1], "data": ["git"]},
                    {"name": "score", "datatype": "FP32", "shape": [1], "data": [0.915564]},
                ],
            }
        }
    )

    model_name: str
    model_version: str = absent("the version that answered; none when no text could be predicted")
    id: str = absent("the request's")
    parameters: dict[str, str] = Field(description="`job`: the job that answered, as the native API knows it")
    outputs: list[InferOutput]


class TensorMetadata(Document):
    name: str
    datatype: DataType
    shape: list[int] = Field(description="-1 where the size varies")


class InferenceModel(Document):
    """What a model takes and gives."""

    name: str
    versions: list[str] = Field(description="those that can be asked by their names")
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class InferenceServer(Document):
    name: str
    version: str
    extensions: list[str]


class ServerLive(Document):
    live: bool


class ServerReady(Document):
    live: bool
    ready: bool


class ModelReady(Document):
    name: str
    ready: bool


class ProtocolError(Document):
    """What every error below /v2 is."""

    error: str
