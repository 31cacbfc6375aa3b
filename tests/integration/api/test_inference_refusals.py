"""What is refused below /v2, and in which words: those of the Open Inference Protocol, with the place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from contract.errors import StoreUnavailable
from tests.integration.api.conftest import MakeApp, context
from tests.integration.api.test_inference import INFER, error, message, packed, with_bytes


@pytest.mark.usefixtures("worker")
def test_an_output_that_needs_another_parameter_says_so(client: FlaskClient) -> None:
    answer = client.post(INFER, json=message(["a"], outputs=[{"name": "top_label"}]))
    assert "/outputs/0/name: 'top_label' needs the parameter `top_k`" in error(answer)
    answer = client.post(INFER, json=message(["a"], outputs=[{"name": "labels"}]))
    assert "this model gives a text one label, and no 'labels': ask for label and score" in error(answer)


@pytest.mark.parametrize(
    ("tensor", "where"),
    [
        ({"name": "texts"}, "/inputs/0/name"),
        ({"datatype": "FP32"}, "/inputs/0/datatype"),
        ({"shape": [2]}, "/inputs/0/shape: is of 2 texts; 1 came"),
        ({"shape": []}, "/inputs/0/shape"),
        ({"shape": [1, 1, 1]}, "/inputs/0/shape"),
        ({"shape": [-1]}, "/inputs/0/shape/0"),
        ({"data": [1]}, "/inputs/0/data/0"),
        ({"data": "a"}, "/inputs/0/data"),
        ({"data": [["a", "b"]], "shape": [1, 2]}, "/inputs/0/data/0"),
        ({"data": ["\ud800"]}, "/inputs/0/data/0: contains a lone surrogate"),
        ({"data": ["a" * 21]}, "/inputs/0/data/0"),
        ({"data": ["a"] * 8, "shape": [8]}, "/inputs/0/data"),
        ({"parameters": {"binary_data_size": 3}}, "/inputs/0/data: with `binary_data_size`"),
        ({"parameters": {"shared_memory_region": "r"}}, "/inputs/0/parameters/shared_memory_region: no such member"),
    ],
)
def test_a_bad_tensor_is_refused_by_its_place(make_app: MakeApp, tensor: dict[str, Any], where: str) -> None:
    client = make_app(page_texts=7, max_text_chars=20).test_client()
    good = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}
    answer = client.post(INFER, json={"inputs": [good | tensor]})
    assert answer.status_code == 422
    assert where in error(answer)


@pytest.mark.parametrize(
    ("data", "shape", "told", "where"),
    [
        (packed(["a"])[:-1], [1], None, "/inputs/0/data: ends within an element of 1 bytes"),
        (b"\x01\x00", [1], None, "/inputs/0/data: ends within the length of an element"),
        (b"\xff\xff\xff\xff", [1], None, "/inputs/0/data: ends within an element of 4294967295 bytes"),
        (packed([b"\xff"]), [1], None, "/inputs/0/data/0: is no UTF-8"),
        (packed(["a", "b"]), [1], None, "/inputs/0/shape: is of 1 texts; 2 came"),
        (packed(["a" * 21]), [1], None, "/inputs/0/data/0: 20 characters at most"),
        (packed(["a"] * 8), [8], None, "/inputs/0/shape: 7 texts at most"),
        (packed(["a"]), [1], 4, "/inputs: 5 bytes follow the JSON, and 4 are told of"),
    ],
)
def test_bad_bytes_are_refused_by_their_place(
    make_app: MakeApp, data: bytes, shape: list[int], told: int | None, where: str
) -> None:
    client = make_app(page_texts=7, max_text_chars=20).test_client()
    answer = with_bytes(client, data, shape, told)
    assert answer.status_code == 422
    assert where in error(answer)


@pytest.mark.parametrize("length", ["-1", "1.5", "9" * 20, "x", "٣", "10000"])
def test_a_bad_length_of_the_json_is_refused(client: FlaskClient, length: str) -> None:
    headers = {"Inference-Header-Content-Length": length.encode().decode("latin-1"), "Content-Type": "application/json"}
    answer = client.post(INFER, data=json.dumps(message(["a"])), headers=headers)
    assert answer.status_code == 422
    assert "Inference-Header-Content-Length: the length of the body's JSON" in error(answer)


@pytest.mark.parametrize("headers", [{"Content-Type": "text/plain"}, {"Origin": "https://elsewhere.example"}])
def test_what_any_page_of_a_browser_could_send_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post(INFER, data=json.dumps(message(["a"])), headers=headers)
    assert answer.status_code == 415
    assert error(answer)


@pytest.mark.parametrize("name", ["defualt", "no/such", "Ünknown", "a" * 300])
@pytest.mark.parametrize("address", ["", "/ready", "/infer"])
def test_a_model_that_is_not_here_is_unknown(client: FlaskClient, name: str, address: str) -> None:
    method = "POST" if address == "/infer" else "GET"
    answer = client.open(f"/v2/models/{name}{address}", method=method, json=message(["a"]))
    assert answer.status_code == 404
    assert error(answer)


def test_other_addresses_and_methods_are_refused_in_the_protocol_s_words(client: FlaskClient) -> None:
    for answer, status in (
        (client.get("/v2/nothing"), 404),
        (client.get(INFER), 405),
        (client.post(INFER, data="{", headers={"Content-Type": "application/json"}), 400),
        (client.post(INFER, json=[]), 422),
        (client.post(f"{INFER}?wiat=1", json=message(["a"])), 422),
    ):
        assert answer.status_code == status
        assert error(answer)
    assert client.get("/v2nothing").content_type == "application/problem+json"


def test_a_store_that_does_not_answer_is_told_in_the_protocol_s_words(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreUnavailable("Redis is away")

    monkeypatch.setattr(context(app).submitter, "admit", fail)
    answer = app.test_client().post(INFER, json=message(["a"]))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "Redis is away" in error(answer)
