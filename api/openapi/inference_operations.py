"""The operations of the Open Inference Protocol: what the service answers below /v2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from api.http import tensors
from api.openapi import inference_schemas
from api.openapi.operation import JSON, Operation, Parameter, ResponseSpec
from api.settings import ApiSettings

TAG = "open inference protocol"
_NAME = Parameter(name="name", where="path", description="the model's name", schema={"type": "string"})
_VERSION = Parameter(
    name="version", where="path", description="a version that workers serve", schema={"type": "string"}
)
_EXAMPLES = {
    "texts": {
        "value": {
            "inputs": [
                {
                    "name": "text",
                    "shape": [1],
                    "datatype": "BYTES",
                    "data": ["Why does my code keep throwing me null pointer exception?"],
                }
            ]
        }
    }
}


def operations(settings: ApiSettings, asking: Sequence[Parameter]) -> list[Operation]:
    """asking: what a request can say outside of its body."""
    of_models = [*_with_versions(_metadata()), *_with_versions(_ready()), *_with_versions(_infer(settings, asking))]
    return [replace(each, error=inference_schemas.ProtocolError) for each in (_server(), *of_models, *_health())]


def _with_versions(operation: Operation) -> Iterator[Operation]:
    """The operation without a version in its address, and with one."""
    yield operation
    yield replace(
        operation,
        path=operation.path.replace("{name}", "{name}/versions/{version}"),
        name=f"{operation.name}_version",
        summary=f"{operation.summary}, of a version",
        parameters=[_NAME, _VERSION, *operation.parameters[1:]],
        problems=[*operation.problems, "no-version"],
    )


def _infer(settings: ApiSettings, asking: Sequence[Parameter]) -> Operation:
    return Operation(
        method="post",
        path="/v2/models/{name}/infer",
        name="infer",
        tag=TAG,
        summary="Classify texts",
        description="What `POST /predict` does, in the protocol's words. Tensors may also stand as bytes behind the "
        f"JSON, in both directions (binary tensor data): `{tensors.HEADER}` says where the JSON ends. A request that "
        "is not answered in time is refused (408), and names its job.",
        parameters=[_NAME, *asking],
        body=inference_schemas.infer_request(settings),
        examples=_EXAMPLES,
        answers=[
            ResponseSpec(
                status=200,
                description="The answers",
                content={
                    JSON: inference_schemas.InferResponse,
                    tensors.BINARY: {"type": "string", "format": "binary"},
                },
                headers={
                    tensors.HEADER: "how many bytes are JSON, where tensors follow it",
                    "Preference-Applied": "the preferences that were followed",
                    "Idempotency-Replayed": "`true` when an earlier request had made the job",
                },
            )
        ],
        problems=[
            "invalid-json", "no-model", "not-found", "not-in-time", "gone-job", "too-large", "unsupported-media-type",
            "invalid-request", "texts-not-predicted", "idempotency-conflict", "backlog-full", "store-unavailable",
        ],
    )  # fmt: skip


def _metadata() -> Operation:
    return Operation(
        method="get",
        path="/v2/models/{name}",
        name="model_metadata",
        tag=TAG,
        summary="What a model takes and gives",
        description="The tensors of its requests and answers, and the versions that can be asked by their names.",
        parameters=[_NAME],
        answers=[ResponseSpec(status=200, description="The model", content={JSON: inference_schemas.InferenceModel})],
        problems=["no-model", "not-found"],
    )


def _ready() -> Operation:
    return Operation(
        method="get",
        path="/v2/models/{name}/ready",
        name="model_ready",
        tag=TAG,
        summary="Whether a model would answer now",
        description="Redis answers, and a worker is ready for the model.",
        parameters=[_NAME],
        answers=[
            ResponseSpec(status=200, description="It would", content={JSON: inference_schemas.ModelReady}),
            ResponseSpec(status=503, description="It would not", content={JSON: inference_schemas.ModelReady}),
        ],
        problems=["no-model", "not-found"],
    )


def _server() -> Operation:
    return Operation(
        method="get",
        path="/v2",
        name="server_metadata",
        tag=TAG,
        summary="Which server this is",
        description="Its version, and the extensions of the protocol that it knows.",
        answers=[ResponseSpec(status=200, description="It", content={JSON: inference_schemas.InferenceServer})],
    )


def _health() -> list[Operation]:
    return [
        Operation(
            method="get",
            path="/v2/health/live",
            name="server_live",
            tag=TAG,
            summary="Whether the process answers",
            description="As `/health/live`.",
            answers=[
                ResponseSpec(status=200, description="It does", content={JSON: inference_schemas.ServerLive}),
                ResponseSpec(status=503, description="It does not", content={JSON: inference_schemas.ServerLive}),
            ],
            needs_key=False,
        ),
        Operation(
            method="get",
            path="/v2/health/ready",
            name="server_ready",
            tag=TAG,
            summary="Whether a text would be answered now",
            description="As `/health/ready`.",
            answers=[
                ResponseSpec(status=200, description="Ready", content={JSON: inference_schemas.ServerReady}),
                ResponseSpec(status=503, description="Not ready", content={JSON: inference_schemas.ServerReady}),
            ],
            needs_key=False,
        ),
    ]
