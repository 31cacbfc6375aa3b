"""What a client can do wrong: each is told exactly what and where, and the service goes on."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.openapi.schemas import ProblemDocument
from api.settings import ApiSettings
from contract.redis_client import connect
from harness.redis_server import RedisServer
from tests.integration.api.conftest import context

JSON = "application/json"
DEEP, MANY = 9000, 120_000
GZIP = {"Content-Encoding": "gzip"}


class Bad(NamedTuple):
    """A request, and the answer that helps."""

    name: str
    status: int
    kind: str
    where: str | None = None
    """The pointer, parameter or header that the answer names."""
    body: bytes | None = None
    path: str = "/predict"
    method: str = "POST"
    headers: Mapping[str, str] = MappingProxyType({})
    type: str | None = JSON


def body(name: str, text: str | bytes, where: str, kind: str = "invalid-request") -> Bad:
    """A body that is JSON and not a request."""
    return Bad(name, 422, kind, where, text if isinstance(text, bytes) else text.encode())


def broken(name: str, text: bytes) -> Bad:
    """A body that is no JSON."""
    return Bad(name, 400, "invalid-json", "", text)


def header(name: str, status: int, kind: str, where: str | None = None, type: str | None = JSON, **headers: str) -> Bad:
    """A good body under bad headers."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Bad(name, status, kind, where, b'{"texts": ["a"]}', headers=named, type=type)


def address(name: str, method: str, path: str, status: int, kind: str, where: str | None = None) -> Bad:
    return Bad(name, status, kind, where, path=path, method=method, type=None)


UNKNOWN = "a" * 29

BAD = [
    # the shape of the document
    body("a list", "[]", ""),
    body("a list of texts", '["a"]', ""),
    body("a string", '"a"', ""),
    body("a number", "1", ""),
    body("null", "null", ""),
    body("true", "true", ""),
    body("an empty object", "{}", ""),
    body("options without texts", '{"top_k": 2}', ""),
    body("texts twice under two names", '{"texts": ["a"], "X": ["a"]}', ""),
    body("texts three times", '{"texts": ["a"], "X": ["a"], "x": ["b"]}', ""),
    body("a misspelt member", '{"text": ["a"]}', "/text"),
    body("a misspelt option", '{"texts": ["a"], "topk": 2}', "/topk"),
    body("a member with slash and tilde", '{"texts": ["a"], "a/b~c": 2}', "/a~1b~0c"),
    body("a very long member", '{"texts": ["a"], "' + "y" * 5000 + '": 2}', "/" + "y" * 100 + "…"),
    # the texts
    body("no texts", '{"texts": []}', "/texts"),
    body("no X", '{"X": []}', "/X"),
    body("null texts", '{"texts": null}', "/texts"),
    body("null x", '{"x": null}', "/x"),
    body("a string for texts", '{"texts": "a"}', "/texts"),
    body("a string for X", '{"X": "a"}', "/X"),
    body("an object for texts", '{"texts": {"0": "a"}}', "/texts"),
    body("a number for texts", '{"texts": 1}', "/texts"),
    body("true for texts", '{"texts": true}', "/texts"),
    body("a number for a text", '{"texts": ["a", 1]}', "/texts/1"),
    body("null for a text", '{"texts": ["a", "b", null]}', "/texts/2"),
    body("a list for a text", '{"texts": [["a"]]}', "/texts/0"),
    body("an object for a text", '{"texts": [{"text": "a"}]}', "/texts/0"),
    body("true for a text", '{"texts": [true]}', "/texts/0"),
    body("NaN for a text", '{"texts": [NaN]}', "/texts/0"),
    body("infinity for a text", '{"texts": ["a", -Infinity]}', "/texts/1"),
    body("a lone surrogate", '{"texts": ["a", "\\ud800"]}', "/texts/1"),
    body("a lone low surrogate in X", '{"X": ["\\udc00 b"]}', "/X/0"),
    body("a surrogate in the name of a member", '{"texts": ["a"], "\\ud800": 1}', ""),
    body("too many texts", '{"texts": [' + ",".join(['"a"'] * 1001) + "]}", "/texts"),
    body("a text that is too long", '{"texts": ["a", "' + "é" * 1001 + '"]}', "/texts/1"),
    # the options
    body("top_k of 0", '{"texts": ["a"], "top_k": 0}', "/top_k"),
    body("top_k below 0", '{"texts": ["a"], "top_k": -1}', "/top_k"),
    body("top_k far too large", '{"texts": ["a"], "top_k": 99999999999999999999}', "/top_k"),
    body("top_k as a string", '{"texts": ["a"], "top_k": "2"}', "/top_k"),
    body("top_k with a fraction", '{"texts": ["a"], "top_k": 1.5}', "/top_k"),
    body("top_k as a boolean", '{"texts": ["a"], "top_k": true}', "/top_k"),
    body("null top_k", '{"texts": ["a"], "top_k": null}', "/top_k"),
    body("scores as a number", '{"texts": ["a"], "scores": 1}', "/scores"),
    body("scores as a string", '{"texts": ["a"], "scores": "yes"}', "/scores"),
    body("an unknown truncate", '{"texts": ["a"], "truncate": "middle"}', "/truncate"),
    body("a boolean truncate", '{"texts": ["a"], "truncate": false}', "/truncate"),
    body("a deadline of 0", '{"texts": ["a"], "deadline_s": 0}', "/deadline_s"),
    body("a deadline too far", '{"texts": ["a"], "deadline_s": 86401}', "/deadline_s"),
    body("a deadline of NaN", '{"texts": ["a"], "deadline_s": NaN}', "/deadline_s"),
    body("a deadline of 1e999", '{"texts": ["a"], "deadline_s": 1e999}', "/deadline_s"),
    body("a deadline as text", '{"texts": ["a"], "deadline_s": "1h"}', "/deadline_s"),
    body("an unknown model", '{"texts": ["a"], "model": "nobody"}', "/model"),
    body("a model that is a path", '{"texts": ["a"], "model": "../../etc/passwd"}', "/model"),
    body("an empty model", '{"texts": ["a"], "model": ""}', "/model"),
    body("a model with a line break", '{"texts": ["a"], "model": "default\\n"}', "/model"),
    body("a model that is a number", '{"texts": ["a"], "model": 7}', "/model"),
    # no JSON at all
    broken("nothing", b""),
    broken("a blank", b" "),
    broken("words", b"texts=a"),
    broken("an unfinished object", b'{"texts": ["a"'),
    broken("single quotes", b"{'texts': ['a']}"),
    broken("a trailing comma", b'{"texts": ["a"],}'),
    broken("two documents", b'{"texts": ["a"]} {"texts": ["b"]}'),
    broken("a comment", b'{"texts": ["a"]} // ok'),
    broken("bytes that are not UTF-8", b'{"texts": ["\xff"]}'),
    broken("an overlong encoding", b'{"texts": ["\xc0\xaf"]}'),
    broken("UTF-16", '{"texts": ["a"]}'.encode("utf-16")),
    broken("a byte order mark", b'\xef\xbb\xbf{"texts": ["a"]}'),
    broken("a raw line break in a string", b'{"texts": ["a\nb"]}'),
    broken("an unknown escape", b'{"texts": ["\\x41"]}'),
    broken("lists in lists", b"[" * DEEP),
    broken("lists in texts", b'{"texts": ' + b"[" * DEEP + b"]" * DEEP + b"}"),
    broken("objects in objects", b'{"texts": ' + b'{"a": ' * DEEP + b"1" + b"}" * DEEP + b"}"),
    body("very many lists in lists", b"[" * MANY, ""),
    body("very many objects in objects", b'{"a": ' * MANY, ""),
    body("very many empty lists", b'{"texts": [' + b"[], " * MANY + b"[]]}", ""),
    body("very many members", b"{" + b",".join(b'"%d":1' % n for n in range(MANY // 2)) + b"}", ""),
    body("very many numbers", b'{"texts": [' + b"1, " * MANY + b"1]}", "/texts"),
    broken("zeros", bytes(100)),
    broken("an unfinished string of quotes", b'{"texts": ["' + b'\\"' * 400_000),
    body("nothing but quotes", b'"' * 900_000, ""),
    broken("a number of 5000 digits", b'{"texts": ["a"], "top_k": ' + b"9" * 5000 + b"}"),
    # types, sizes, encodings
    header("no type", 415, "unsupported-media-type", type=None),
    header("a form", 415, "unsupported-media-type", type="application/x-www-form-urlencoded"),
    header("plain text", 415, "unsupported-media-type", type="text/plain"),
    header("a type that is none", 415, "unsupported-media-type", type=";;;"),
    header("latin-1", 415, "unsupported-media-type", type="application/json; charset=latin-1"),
    header("a charset that is none", 415, "unsupported-media-type", type="application/json; charset=no\tsuch"),
    header("brotli", 415, "unsupported-media-type", Content_Encoding="br"),
    Bad("a gzip bomb", 413, "too-large", None, gzip.compress(bytes(10**7)), headers=GZIP),
    Bad("no gzip", 400, "bad-request", None, b'{"texts": ["a"]}', headers=GZIP),
    Bad("a gzip of no JSON", 400, "invalid-json", "", gzip.compress(b"text"), headers=GZIP),
    Bad("a body over the limit", 413, "too-large", None, b'{"texts": ["' + b"a" * 2_000_000 + b'"]}'),
    # headers and parameters
    header("an empty idempotency key", 422, "invalid-request", "Idempotency-Key", Idempotency_Key=""),
    header("a long idempotency key", 422, "invalid-request", "Idempotency-Key", Idempotency_Key="k" * 256),
    header("a key with an accent", 422, "invalid-request", "Idempotency-Key", Idempotency_Key="cl\xe9"),
    header("a key with a tab", 422, "invalid-request", "Idempotency-Key", Idempotency_Key="a\tb"),
    Bad("a wait in words", 422, "invalid-request", "wait", b'{"texts": ["a"]}', "/predict?wait=soon"),
    Bad("a wait below 0", 422, "invalid-request", "wait", b'{"texts": ["a"]}', "/predict?wait=-1"),
    Bad("a wait of NaN", 422, "invalid-request", "wait", b'{"texts": ["a"]}', "/predict?wait=nan"),
    # addresses and methods
    address("reading predictions", "GET", "/predict", 405, "method-not-allowed"),
    address("deleting predictions", "DELETE", "/predict", 405, "method-not-allowed"),
    address("posting to a job", "POST", f"/jobs/{UNKNOWN}", 405, "method-not-allowed"),
    address("patching a job", "PATCH", f"/jobs/{UNKNOWN}", 405, "method-not-allowed"),
    address("a method of one's own", "BREW", "/predict", 405, "method-not-allowed"),
    address("posting health", "POST", "/health/live", 405, "method-not-allowed"),
    address("nowhere", "GET", "/nowhere", 404, "not-found"),
    address("predict with a slash", "POST", "/predict/", 404, "not-found"),
    address("jobs without an id", "GET", "/jobs/", 404, "not-found"),
    address("a job that never was", "GET", f"/jobs/{UNKNOWN}", 404, "unknown-job"),
    address("results that never were", "GET", f"/jobs/{UNKNOWN}/results", 404, "unknown-job"),
    address("deleting what never was", "DELETE", f"/jobs/{UNKNOWN}", 404, "unknown-job"),
    address("a job with a zero byte", "GET", "/jobs/%00", 404, "unknown-job"),
    address("a job with a line break", "GET", "/jobs/a%0d%0aSet-Cookie:%20x", 404, "unknown-job"),
    address("a path upwards", "GET", "/jobs/..%2f..%2fetc%2fpasswd", 404, "not-found"),
    address("a model that never was", "GET", "/models/nobody", 404, "no-model"),
    address("a model upwards", "GET", "/models/..", 404, "no-model"),
    address("a hidden model", "GET", "/models/.git", 404, "no-model"),
    address("assets upwards", "GET", "/docs/..%2f..%2fflask_swagger_ui.py", 404, "not-found"),
    address("an asset that is none", "GET", "/docs/secret.txt", 404, "not-found"),
]  # fmt: skip


@pytest.fixture(scope="module")
def app(redis_server: RedisServer) -> Iterator[Flask]:
    limited = ApiSettings(
        redis_url=redis_server.url, max_texts=1000, max_text_chars=1000, max_body_bytes=1_000_000, default_wait_s=0
    )
    connect(limited).flushall()
    app = create_app(limited)
    yield app
    context(app).close()


@pytest.mark.parametrize("bad", BAD, ids=[bad.name for bad in BAD])
def test_a_bad_request_is_told_what_is_wrong(client: FlaskClient, bad: Bad) -> None:
    answer = client.open(bad.path, method=bad.method, data=bad.body, headers=bad.headers, content_type=bad.type)
    assert (answer.status_code, answer.mimetype) == (bad.status, "application/problem+json")
    problem = ProblemDocument.model_validate_json(answer.data)
    assert problem.type == f"/problems#{bad.kind}"
    assert problem.detail
    assert problem.request_id == answer.headers["X-Request-Id"]
    if bad.where is not None:
        assert bad.where in [place(fault) for fault in answer.get_json()["errors"]]
    assert client.post("/predict", json={"texts": ["a"]}).status_code == 202


def place(fault: dict[str, Any]) -> str:
    [where] = [fault[name] for name in ("pointer", "parameter", "header") if name in fault]
    assert fault["detail"]
    return str(where)


def test_the_table_is_long_enough_and_names_each_request_once() -> None:
    assert len({bad.name for bad in BAD}) == len(BAD) >= 60


@pytest.mark.parametrize(
    ("path", "allowed"), [("/predict", {"POST", "OPTIONS"}), ("/models", {"GET", "HEAD", "OPTIONS"})]
)
def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient, path: str, allowed: set[str]) -> None:
    assert set(client.patch(path).headers["Allow"].split(", ")) == allowed


def test_broken_json_is_told_line_and_column(client: FlaskClient) -> None:
    answer = client.post("/predict", data=b'{\n  "texts": [,]\n}', content_type=JSON)
    assert "line 2 column 13" in answer.get_json()["detail"]


def test_many_faults_are_listed_up_to_a_bound(client: FlaskClient) -> None:
    answer = client.post("/predict", json={"texts": [1] * 900})
    assert 10 <= len(answer.get_json()["errors"]) <= 50
    assert len(answer.data) < 10_000
