"""Asks a service with KServe's own client, in the environment that holds it, and prints what it read as JSON.

Its arguments are the service's address and the texts.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

MODEL = "default"


def request(texts: list[str], *, binary: bool, parameters: dict[str, Any]) -> InferRequest:
    array = np.array([text.encode() for text in texts], dtype=np.object_)
    tensor = InferInput("text", [len(texts)], "BYTES")
    tensor.set_data_from_numpy(array, binary_data=binary)
    outputs = [RequestedOutput(name, {"binary_data": binary}) for name in ("label", "score", "scores")]
    return InferRequest(MODEL, [tensor], request_id="7", parameters=parameters, request_outputs=outputs)


async def ask(url: str, texts: list[str]) -> dict[str, Any]:
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        found: dict[str, Any] = {
            "live": await client.is_server_live(url),
            "ready": await client.is_server_ready(url),
            "model_ready": await client.is_model_ready(url, MODEL),
        }
        for name, binary in (("binary", True), ("json", False)):
            asked = request(texts, binary=binary, parameters={"truncate": "left"})
            answer = await client.infer(url, asked, model_name=MODEL)
            found[name] = {output.name: output.as_numpy().tolist() for output in answer.outputs}
        try:
            await client.infer(url, request(texts, binary=False, parameters={"top": 1}), model_name=MODEL)
        except httpx.HTTPStatusError as error:
            found["error"] = str(error)
        return found


if __name__ == "__main__":
    told = asyncio.run(ask(sys.argv[1], sys.argv[2:]))
    print(json.dumps(told, default=lambda raw: raw.decode()))
