"""Asks a service with Triton's own client, in the environment that holds it, and prints what it read as JSON.

Its arguments are the service's address, a version of its model `default`, and the texts.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import numpy as np
import tritonclient.http as blocking
import tritonclient.http.aio as asynchronous
from tritonclient.utils import InferenceServerException

PARAMETERS = {"top_k": 2, "truncate": "left"}
OUTPUTS = ("label", "score", "tokens", "truncated", "scores", "classes", "top_label", "top_score")


def asked(texts: list[str], *, binary: bool, column: bool = False) -> Any:
    """The input tensor; both clients share its class."""
    array = np.array([text.encode() for text in texts], dtype=np.object_)
    array = array[:, None] if column else array
    return blocking.InferInput("text", list(array.shape), "BYTES").set_data_from_numpy(array, binary_data=binary)


def wanted(names: tuple[str, ...], *, binary: bool) -> list[Any]:
    return [blocking.InferRequestedOutput(name, binary_data=binary) for name in names]


def read(result: Any) -> dict[str, Any]:
    """Every output as numpy has it."""
    return {
        name: result.as_numpy(name).tolist() for name in (each["name"] for each in result.get_response()["outputs"])
    }


def refused(client: Any, tensor: Any, **more: Any) -> list[str]:
    try:
        client.infer("default", [tensor], **more)
    except InferenceServerException as error:
        return [error.status(), error.message()]
    return []


def ask(host: str, version: str, texts: list[str]) -> dict[str, Any]:
    with blocking.InferenceServerClient(host) as client:
        found: dict[str, Any] = {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model_ready": client.is_model_ready("default", version),
            "absent_ready": client.is_model_ready("absent"),
            "server": client.get_server_metadata(),
            "model": client.get_model_metadata("default"),
        }
        for kind, binary in (("binary", True), ("json", False)):
            tensor, outputs = asked(texts, binary=binary), wanted(OUTPUTS, binary=binary)
            for name, of_version in ((kind, ""), (f"{kind}_version", version)):
                found[name] = read(
                    client.infer("default", [tensor], of_version, outputs=outputs, parameters=dict(PARAMETERS))
                )
        found["usual"] = read(client.infer("default", [asked(texts, binary=True, column=True)], request_id="7"))
        several = wanted(("labels", "scores"), binary=True)
        found["several"] = read(client.infer("several", [asked(texts, binary=True)], outputs=several))
        found["bad_input"] = refused(client, blocking.InferInput("other", [1], "BYTES"))
        found["late"] = refused(client, asked(texts, binary=True), query_params={"wait": "0"})
    return found


async def ask_asynchronously(host: str, texts: list[str]) -> dict[str, Any]:
    async with asynchronous.InferenceServerClient(host) as client:
        return {
            f"asynchronous_{kind}": read(
                await client.infer(
                    "default",
                    [asked(texts, binary=binary)],
                    outputs=wanted(OUTPUTS, binary=binary),
                    parameters=dict(PARAMETERS),
                )
            )
            for kind, binary in (("binary", True), ("json", False))
        }


if __name__ == "__main__":
    host, version, *texts = sys.argv[1:]
    told = ask(host, version, texts) | asyncio.run(ask_asynchronously(host, texts))
    print(json.dumps(told, default=lambda raw: raw.decode()))
