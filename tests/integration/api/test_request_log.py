from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.integration.api.conftest import MakeApp


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    def read() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return read


def test_a_line_says_who_did_what_and_how_long_it_took(lines: Any, make_app: MakeApp) -> None:
    answer = (
        make_app()
        .test_client()
        .post(
            "/predict?wait=0", json={"texts": ["secret", "b"]}, headers={"User-Agent": "curl/8", "X-Request-Id": "r-1"}
        )
    )
    [line] = lines()
    assert line["ms"] > 0
    assert {name: line[name] for name in ("level", "method", "path", "status", "agent", "caller", "request")} == {
        "level": "INFO", "method": "POST", "path": "/predict", "status": 202, "agent": "curl/8", "caller": "",
        "request": "r-1",
    }  # fmt: skip
    assert (line["job"], line["texts"]) == (answer.get_json()["id"], 2)
    assert "secret" not in json.dumps(line)


def test_a_file_is_logged_as_any_answer_is(lines: Any, make_app: MakeApp) -> None:
    make_app().test_client().get("/docs/swagger-ui.css")
    assert [(line["path"], line["status"]) for line in lines()] == [("/docs/swagger-ui.css", 200)]


def test_texts_are_logged_only_when_switched_on(lines: Any, make_app: MakeApp) -> None:
    make_app(log_texts=True).test_client().post("/predict?wait=0", json={"texts": ["secret"]})
    assert lines()[0]["content"] == ["secret"]


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "é", "x" * 129, '"}', "<script>"])
def test_a_request_id_that_is_not_sane_is_replaced(client: FlaskClient, given: str) -> None:
    answer = client.get("/health/live", headers={"X-Request-Id": given})
    assert answer.headers["X-Request-Id"] != given
    assert len(answer.headers["X-Request-Id"]) == 16


def test_hostile_headers_stay_inside_their_line(lines: Any, make_app: MakeApp) -> None:
    make_app().test_client().get(
        "/jobs/%0a%7b%22level%22:1%7d", headers={"User-Agent": 'a"}\x1b[31m{"x": "' + "y" * 9999}
    )
    [line] = lines()
    assert line["path"] == '/jobs/\n{"level":1}'
    assert len(line["agent"]) <= 200


def test_a_failure_is_logged_with_its_cause_and_the_client_sees_only_its_id(
    lines: Any, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app()
    monkeypatch.setattr(app.extensions["retort"].jobs, "new_id", lambda *_: 1 / 0)
    answer = app.test_client().post("/predict", json={"texts": ["a"]})
    assert answer.status_code == 500
    assert answer.get_json()["type"] == "/problems#internal-error"
    assert "ZeroDivisionError" not in answer.text
    failure = next(line for line in lines() if line["level"] == "ERROR")
    assert "ZeroDivisionError" in failure["exc_info"]
    assert failure["request"] == answer.headers["X-Request-Id"]
