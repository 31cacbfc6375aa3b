"""Where people trip, the answer says what to do."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from contract.errors import RetortError


def detail(answer: Any, status: int) -> str:
    assert answer.status_code == status
    found: str = answer.get_json()["detail"]
    return found


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"text": ["a"]}, "did you mean 'texts'?"),
        ({"texts": ["a"], "topk": 3}, "did you mean 'top_k'?"),
        ({"texts": ["a"], "Model": "x"}, "did you mean 'model'?"),
        ({"texts": []}, "give at least one text"),
        ([], 'expected is one object, {"texts": ["'),
        (["a", "b"], 'expected is one object, {"texts": ["'),
    ],
)
def test_a_body_that_is_nearly_right_is_told_what_would_be(client: FlaskClient, body: object, said: str) -> None:
    assert said in detail(client.post("/predict", json=body), 422)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"parameters": {"topk": 3}}, "did you mean 'top_k'?"),
        ({"inputs": [{"nmae": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}, "did you mean 'name'?"),
    ],
)
def test_a_member_within_another_is_told_what_it_would_be(
    client: FlaskClient, more: dict[str, object], said: str
) -> None:
    inputs = [{"name": "text", "shape": [1], "datatype": "BYTES", "data": ["a"]}]
    answer = client.post("/v2/models/default/infer", json={"inputs": inputs, **more})
    assert said in answer.get_data(as_text=True)


def test_an_address_that_is_not_there_leads_to_those_that_are(client: FlaskClient) -> None:
    assert "/openapi.json lists every address" in detail(client.get("/health"), 404)


def test_a_member_like_no_other_gets_no_guess(client: FlaskClient) -> None:
    assert "did you mean" not in detail(client.post("/predict", json={"texts": ["a"], "zzz": 1}), 422)


def test_a_body_sent_as_a_form_is_told_how_to_send_it(client: FlaskClient) -> None:
    said = detail(client.post("/predict", data={"texts": "a"}), 415)
    assert "form" in said
    assert "Content-Type: application/json" in said


def test_predict_opened_in_a_browser_says_how_it_is_asked(client: FlaskClient) -> None:
    answer = client.get("/predict", headers={"Accept": "text/html"})
    assert "by POST; /docs" in detail(answer, 405)
    assert answer.headers["Allow"]


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("POST", "/predict?wiat=0", "did you mean 'wait'?"),
        ("POST", "/predict?wait=0&top_k=3", "top_k: belongs into the body"),
        ("GET", "/jobs/x/results?form=3", "did you mean 'from'?"),
        ("GET", "/jobs/x/results?limt=3", "did you mean 'limit'?"),
    ],
)
def test_a_parameter_that_is_nearly_right_is_refused(client: FlaskClient, method: str, path: str, said: str) -> None:
    assert said in detail(client.open(path, method=method, json={"texts": ["a"]}), 422)


@pytest.mark.parametrize("query", ["_=123", "format=json", "utm_source=x"])
def test_any_other_parameter_is_passed_over(client: FlaskClient, query: str) -> None:
    assert client.post(f"/predict?wait=0&{query}", json={"texts": ["a"]}).status_code == 202


def test_an_error_without_a_problem_of_its_own_is_logged_with_its_cause(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unheard(RetortError):
        code = "unheard-of"

    def fail() -> None:
        raise Unheard("what went wrong")

    monkeypatch.setitem(app.view_functions, "models.models", fail)
    answer = client.get("/models")
    assert (answer.status_code, answer.get_json()["type"]) == (500, "/problems#internal-error")
    assert "what went wrong" not in answer.text
    assert "what went wrong" in caplog.text
