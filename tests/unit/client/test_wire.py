"""What the client sends, and how it reads problems."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from retort_client import Client, problem, wire
from retort_client.errors import BadRequest, IdempotencyConflict, ServiceFailed, of_problem

CLIENT = Path(__file__).parents[3] / "client"


def test_texts_are_sent_as_utf8() -> None:
    request = wire.submission(["你好 ☃"], {"top_k": 3}, None)
    assert request.body is not None
    assert json.loads(request.body.decode()) == {"texts": ["你好 ☃"], "top_k": 3}
    assert "你好".encode() in request.body


def test_a_lone_surrogate_is_sent_for_the_service_to_point_at() -> None:
    request = wire.submission(["fine", "bad \ud800"], {}, None)
    assert request.body is not None
    assert json.loads(request.body) == {"texts": ["fine", "bad \ud800"]}


def test_a_single_string_is_no_list_of_texts() -> None:
    with pytest.raises(TypeError, match="list of strings"):
        wire.submission("why", {}, None)


def test_ids_and_names_stay_within_their_part_of_the_address() -> None:
    assert wire.job("../models?x#y").path == "/jobs/..%2Fmodels%3Fx%23y"
    assert wire.model("a/b").path == "/models/a%2Fb"


def test_an_address_without_a_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="begins with http"):
        Client("127.0.0.1:8000")


def test_a_problem_reads_as_one_line_with_every_fault() -> None:
    found = problem.parse(422, {}, json.dumps({
        "type": "/problems#invalid-request", "title": "Parts of the request are not valid", "status": 422,
        "detail": "two things", "request_id": "7f",
        "errors": [{"pointer": "/texts/3", "detail": "too long"}, {"parameter": "wait", "detail": "no number"}],
    }).encode())  # fmt: skip
    assert str(found) == (
        "Parts of the request are not valid (422 invalid-request): two things; /texts/3: too long; wait: no number "
        "[request 7f]"
    )


@pytest.mark.parametrize("body", [b"<html>upstream is down</html>", b"[1]", b'"text"', b'{"type": 1}', b"\xff\xfe"])
def test_an_error_that_is_no_problem_document_is_shown_as_it_is(body: bytes) -> None:
    found = problem.parse(502, {}, body)
    assert found.title == "Bad Gateway"
    assert found.status == 502
    assert found.detail == body.decode(errors="replace")


@pytest.mark.parametrize(
    ("status", "code", "family"),
    [(422, "idempotency-conflict", IdempotencyConflict), (422, "invalid-request", BadRequest),
     (413, "too-large", BadRequest), (500, "internal-error", ServiceFailed), (503, "store-unavailable", ServiceFailed)],
)  # fmt: skip
def test_each_family_of_problems_has_its_exception(status: int, code: str, family: type[Exception]) -> None:
    found = problem.Problem(type=f"https://x/problems#{code}", title="T", status=status, detail="d")
    assert type(of_problem(found, status)) is family


def test_the_library_needs_only_httpx_beside_the_standard_library() -> None:
    allowed = sys.stdlib_module_names | {"httpx", "retort_client"}
    for path in (CLIENT / "retort_client").glob("*.py"):
        assert {name.partition(".")[0] for name in imported(path)} <= allowed, path.name


def test_importing_the_library_loads_no_command_line_and_no_service() -> None:
    code = "import sys, retort_client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=CLIENT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint({"retort_client.cli", "contract", "api", "pydantic"})


def imported(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append(node.module or "")
    return found
