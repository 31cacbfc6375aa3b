"""The Open Inference Protocol below /v2: its documents, its errors and its bytes, through the WSGI application."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.openapi.inference_schemas import InferenceModel, InferResponse
from api.settings import ApiSettings
from contract.prediction import Options
from harness.answering_worker import ANY_LABELS, LABELS, VERSION, AnsweringWorker, answer_document
from harness.tiny_artifact import write_tiny_artifact
from tests.integration.api.conftest import ALICE, BOB, MakeApp, context

INFER = "/v2/models/default/infer"
TEXTS = ["why is my pointer null", "héllo ☃ 你好", "nul \0 is a character too", *(f"text {n}" for n in range(90))]


def message(texts: Sequence[str], **members: Any) -> dict[str, Any]:
    return {
        "inputs": [{"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": list(texts)}],
        **members,
    }


def packed(texts: Sequence[str | bytes]) -> bytes:
    encoded = [text if isinstance(text, bytes) else text.encode() for text in texts]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


def with_bytes(client: FlaskClient, data: bytes, shape: Sequence[int], told: int | None = None) -> TestResponse:
    """A request whose texts are bytes behind its JSON."""
    parameters = {"binary_data_size": len(data) if told is None else told}
    tensor = {"name": "text", "shape": shape, "datatype": "BYTES", "parameters": parameters}
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    return client.post(INFER, data=head + data, headers=headers)


def outputs(answer: TestResponse) -> dict[str, Any]:
    """The data of each output by its name."""
    assert answer.status_code == 200, answer.text
    return {output["name"]: output["data"] for output in answer.get_json()["outputs"]}


def error(answer: TestResponse) -> str:
    document = answer.get_json()
    assert list(document) == ["error"]
    assert answer.content_type == "application/json"
    return str(document["error"])


def nothing(texts: int) -> dict[str, list[Any]]:
    """Outputs that say nothing of texts that are known, short, sure and predicted."""
    marks = {name: [False] * texts for name in ("review", "unfamiliar")}
    return {**marks, "unknown": [0.0] * texts, "windows": [1] * texts, "error": [""] * texts}


def columns(rows: Sequence[dict[str, Any]], *names: str) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in names}


@pytest.mark.usefixtures("worker")
def test_the_answers_are_those_of_predict(client: FlaskClient) -> None:
    answer = client.post(INFER, json=message(TEXTS, id="42"))
    native = client.post("/predict", json={"texts": TEXTS}).get_json()["predictions"]
    assert outputs(answer) == {**columns(native, "label", "score", "tokens", "truncated"), **nothing(len(TEXTS))}
    document = answer.get_json()
    assert {name: document[name] for name in ("model_name", "model_version", "id")} == {
        "model_name": "default", "model_version": VERSION, "id": "42",
    }  # fmt: skip
    assert client.get(f"/jobs/{document['parameters']['job']}").get_json()["status"] == "succeeded"
    InferResponse.model_validate_json(answer.data)


@pytest.mark.usefixtures("worker")
def test_outputs_are_given_in_the_order_in_which_they_are_named(client: FlaskClient) -> None:
    names = ["scores", "label", "classes"]
    answer = client.post(INFER, json=message(TEXTS, outputs=[{"name": name} for name in names]))
    rows = [answer_document(text, Options(scores=True)) for text in TEXTS]
    found = answer.get_json()["outputs"]
    assert [(output["name"], output["shape"]) for output in found] == [
        ("scores", [len(TEXTS), 3]), ("label", [len(TEXTS)]), ("classes", [3]),
    ]  # fmt: skip
    assert found[0]["data"] == [score for row in rows for score in row["scores"].values()]
    assert found[2]["data"] == list(LABELS)


@pytest.mark.usefixtures("worker")
def test_parameters_are_the_options_of_predict(client: FlaskClient) -> None:
    asked = {"top_k": 2, "scores": True, "truncate": "error", "deadline_s": 60}
    found = outputs(client.post(INFER, json=message(TEXTS, parameters=asked)))
    rows = [answer_document(text, Options(top_k=2, scores=True, truncate="error")) for text in TEXTS]
    assert found["top_label"] == [one["label"] for row in rows for one in row["top"]]
    assert found["top_score"] == [one["score"] for row in rows for one in row["top"]]
    assert found["scores"] == [score for row in rows for score in row["scores"].values()]


@pytest.mark.usefixtures("worker")
def test_texts_may_stand_in_a_column(client: FlaskClient) -> None:
    column = {"name": "text", "shape": [2, 1], "datatype": "BYTES", "data": [["a"], ["b"]]}
    assert outputs(client.post(INFER, json={"inputs": [column]}))["label"] == [
        answer_document(text)["label"] for text in "ab"
    ]


@pytest.mark.usefixtures("worker")
def test_texts_may_be_bytes_behind_the_json(client: FlaskClient) -> None:
    answer = with_bytes(client, packed(TEXTS), [len(TEXTS)])
    assert outputs(answer)["label"] == [answer_document(text)["label"] for text in TEXTS]


@pytest.mark.usefixtures("worker")
def test_outputs_are_bytes_where_that_is_asked_for(client: FlaskClient) -> None:
    asked = [{"name": "label"}, {"name": "score", "parameters": {"binary_data": False}}, {"name": "truncated"}]
    answer = client.post(INFER, json=message(TEXTS, outputs=asked, parameters={"binary_data_output": True}))
    length = int(answer.headers["Inference-Header-Content-Length"])
    label, score, truncated = json.loads(answer.data[:length])["outputs"]
    rows = [answer_document(text) for text in TEXTS]
    labels = packed([row["label"] for row in rows])
    assert answer.data[length:] == labels + bytes(len(TEXTS))
    assert label["parameters"] == {"binary_data_size": len(labels)}
    assert truncated["parameters"] == {"binary_data_size": len(TEXTS)}
    assert score["data"] == [row["score"] for row in rows]
    assert answer.content_type == "application/octet-stream"


@pytest.mark.usefixtures("worker")
def test_a_text_that_fails_has_its_error_in_its_place(client: FlaskClient) -> None:
    found = outputs(client.post(INFER, json=message(["a", " "], parameters={"scores": True, "top_k": 2})))
    assert found["error"] == ["", "empty-text: the text is empty"]
    assert (found["label"][1], found["score"][1], found["tokens"][1]) == ("", 0, 0)
    assert found["scores"][3:] == [0, 0, 0]
    assert found["top_label"][2:] == ["", ""]


@pytest.mark.usefixtures("worker")
def test_a_text_that_fails_fails_a_request_that_would_not_see_it(client: FlaskClient) -> None:
    answer = client.post(INFER, json=message(["a", " ", "b"], outputs=[{"name": "label"}]))
    assert answer.status_code == 422
    assert "text 1: empty-text" in error(answer)


@pytest.mark.usefixtures("worker")
def test_labels_are_known_where_no_text_could_be_predicted(make_app: MakeApp, tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path, "default", VERSION)
    app = make_app(models_dir=tmp_path)
    found = outputs(app.test_client().post(INFER, json=message([""], parameters={"scores": True})))
    assert (found["classes"], found["scores"]) == (["java", "python", "sql"], [0, 0, 0])


def test_a_model_of_several_labels_gives_those_that_hold(
    make_app: MakeApp, settings: ApiSettings, tmp_path: Path
) -> None:
    write_tiny_artifact(tmp_path, "default", VERSION, thresholds=ANY_LABELS.thresholds)
    app = make_app(models_dir=tmp_path)
    with AnsweringWorker(settings, rule=ANY_LABELS):
        context(app).fleet.refresh()
        client = app.test_client()
        rows = [answer_document(text, rule=ANY_LABELS) for text in TEXTS]
        found = outputs(client.post(INFER, json=message([*TEXTS, ""])))
        refused = client.post(INFER, json=message(TEXTS, outputs=[{"name": "tokens"}, {"name": "score"}]))
    assert [json.loads(labels) for labels in found["labels"]] == [*(row["labels"] for row in rows), []]
    assert found.keys() == {"labels", "unfamiliar", "tokens", "truncated", "unknown", "windows", "error"}
    assert refused.status_code == 422
    assert "/outputs/1/name: this model gives a text any number of labels" in error(refused)
    told = InferenceModel.model_validate_json(client.get("/v2/models/default").data)
    assert [output.name for output in told.outputs][:3] == ["labels", "unfamiliar", "tokens"]


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("kind", [None, "application/json", "application/octet-stream"])
def test_the_types_that_clients_send_are_taken(client: FlaskClient, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    assert client.post(INFER, data=json.dumps(message(["a"])), headers=headers).status_code == 200


def test_a_request_that_outlasts_its_wait_names_its_job(app: Flask, settings: ApiSettings) -> None:
    client = app.test_client()
    answer = client.post(f"{INFER}?wait=0.01", json=message(["a"]))
    assert answer.status_code == 408
    address = answer.headers["Location"]
    assert f"{address}/results" in error(answer)
    with AnsweringWorker(settings):
        assert client.get(f"{address}?wait=30").get_json()["predictions"] == [answer_document("a")]


@pytest.mark.usefixtures("worker")
def test_the_same_idempotency_key_gives_the_same_job_in_both_protocols(client: FlaskClient) -> None:
    key = {"Idempotency-Key": "k"}
    native = client.post("/predict", json={"texts": ["a"]}, headers=key).get_json()["id"]
    answer = client.post(INFER, json=message(["a"]), headers=key)
    assert answer.get_json()["parameters"] == {"job": native}
    assert answer.headers["Idempotency-Replayed"] == "true"
    assert client.post(INFER, json=message(["b"]), headers=key).status_code == 422


def test_keys_hosts_and_limits_are_those_of_predict(make_app: MakeApp, keys_file: Path) -> None:
    client = make_app(api_keys_file=keys_file).test_client()
    assert client.get("/v2/health/live").status_code == 200
    for address in ("/v2", "/v2/models/default", "/v2/models/default/ready"):
        assert client.get(address).status_code == 401
    refused = client.post(INFER, json=message(["a"]))
    assert refused.status_code == 401
    assert "API key" in error(refused)
    assert client.get("/v2", headers=ALICE).status_code == 200
    many = client.post(INFER, json=message(["a"] * 3), headers=BOB)
    assert "/inputs/0/data: this API key may send 2 texts" in error(many)
    elsewhere = client.get("/v2", headers={**ALICE, "Host": "elsewhere.example"})
    assert elsewhere.status_code == 421
    assert error(elsewhere)


@pytest.mark.usefixtures("worker")
def test_the_version_that_workers_serve_can_be_asked_by_its_name(client: FlaskClient) -> None:
    assert client.post(f"/v2/models/default/versions/{VERSION}/infer", json=message(["a"])).status_code == 200
    assert client.get("/v2/models/default").get_json()["versions"] == [VERSION]
    assert client.get(f"/v2/models/default/versions/{VERSION}").get_json()["name"] == "default"
    assert client.get(f"/v2/models/default/versions/{VERSION}/ready").get_json() == {"name": "default", "ready": True}
    for address in ("", "/ready"):
        assert client.get(f"/v2/models/default/versions/7{address}").status_code == 404
    refused = client.post("/v2/models/default/versions/7/infer", json=message(["a"]))
    assert refused.status_code == 404
    assert f"'7' of model 'default' is not served, but {VERSION}" in error(refused)


def test_an_answer_of_another_version_than_the_one_asked_for_is_none(
    app: Flask, settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker may have changed versions while the request waited."""
    with AnsweringWorker(settings):
        monkeypatch.setattr("api.views.inference_models.served_versions", lambda *_: ["older"])
        answer = app.test_client().post("/v2/models/default/versions/older/infer", json=message(["a"]))
    assert answer.status_code == 404
    assert VERSION in error(answer)


def test_readiness_is_the_native_one(app: Flask, settings: ApiSettings) -> None:
    client = app.test_client()
    assert client.get("/v2/health/live").get_json() == {"live": True}
    assert (client.get("/v2/health/ready").status_code, client.get("/v2/models/default/ready").status_code) == (
        503,
        503,
    )
    with AnsweringWorker(settings):
        context(app).fleet.refresh()
        assert client.get("/v2/health/ready").get_json() == {"live": True, "ready": True}
        assert client.get("/v2/models/default/ready").get_json() == {"name": "default", "ready": True}


def test_a_model_s_metadata_tells_its_tensors(make_app: MakeApp, tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path, "default", VERSION)
    client = make_app(models_dir=tmp_path).test_client()
    told = InferenceModel.model_validate_json(client.get("/v2/models/default").data)
    assert (told.name, told.versions) == ("default", [VERSION])
    assert [(tensor.name, tensor.datatype, tensor.shape) for tensor in told.inputs] == [("text", "BYTES", [-1])]
    assert {tensor.name: tensor.shape for tensor in told.outputs}["scores"] == [-1, 3]
    server = client.get("/v2").get_json()
    assert server["name"] == "retort"
    assert "binary_tensor_data" in server["extensions"]
