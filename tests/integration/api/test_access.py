"""API keys: who is let in, how often, and what they see."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from contract.api_keys import digest
from harness.until import until
from tests.integration.api.conftest import ALICE, BOB, KEYS, MakeApp

BODY = {"texts": ["a"]}


@pytest.fixture
def app(make_app: MakeApp, keys_file: Path) -> Flask:
    return make_app(api_keys_file=keys_file)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer nobody's"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "alice's key"},
        {"X-API-Key": ""},
        {"X-API-Key": digest("alice's key")},
    ],
)
@pytest.mark.parametrize("path", ["/predict", "/jobs/x", "/jobs/x/results", "/models", "/models/default"])
def test_without_a_valid_key_nothing_is_done(client: FlaskClient, path: str, headers: dict[str, str]) -> None:
    answer = client.open(path, method="POST" if path == "/predict" else "GET", json=BODY, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.get_json()["type"] == "/problems#unauthorized"


@pytest.mark.parametrize("headers", [ALICE, BOB, {"Authorization": "bearer  alice's key"}])
def test_a_valid_key_is_let_in(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post("/predict?wait=0", json=BODY, headers=headers).status_code == 202


@pytest.mark.parametrize("path", ["/health/live", "/metrics", "/openapi.json", "/docs/", "/problems"])
def test_probes_and_documentation_need_no_key(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200


def test_a_job_is_seen_by_its_caller_only(client: FlaskClient) -> None:
    location = client.post("/predict?wait=0", json=BODY, headers=ALICE).headers["Location"]
    assert client.get(location, headers=ALICE).status_code == 200
    for answer in (
        client.get(location, headers=BOB),
        client.get(f"{location}/results", headers=BOB),
        client.delete(location, headers=BOB),
    ):
        assert (answer.status_code, answer.get_json()["type"]) == (404, "/problems#unknown-job")
    assert client.get(location, headers=ALICE).get_json()["status"] == "queued"


def test_an_idempotency_key_belongs_to_its_caller(client: FlaskClient) -> None:
    jobs = [
        client.post("/predict?wait=0", json=BODY, headers=caller | {"Idempotency-Key": "k"}).get_json()["id"]
        for caller in (ALICE, BOB)
    ]
    assert jobs[0] != jobs[1]


def test_a_key_is_held_to_its_rate(client: FlaskClient) -> None:
    answers = [client.get("/models", headers=BOB) for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 2  # eight requests touch two seconds at most, three are allowed in each
    assert refused[0].headers["Retry-After"] == "1"
    assert {client.get("/models", headers=ALICE).status_code for _ in range(8)} == {200}


def test_a_key_is_held_to_its_number_of_texts(client: FlaskClient) -> None:
    for field in ("texts", "X"):
        refused = client.post("/predict?wait=0", json={field: ["a"] * 3}, headers=BOB)
        assert (refused.status_code, refused.get_json()["errors"][0]["pointer"]) == (422, f"/{field}")
    assert client.post("/predict?wait=0", json={"texts": ["a"] * 3}, headers=ALICE).status_code == 202


def test_a_removed_key_no_longer_opens(client: FlaskClient, keys_file: Path) -> None:
    assert client.get("/models", headers=ALICE).status_code == 200
    keys_file.write_text(KEYS.replace(digest("alice's key"), digest("another")))
    assert client.get("/models", headers=ALICE).status_code == 200  # somebody may still be writing it
    until(lambda: client.get("/models", headers=ALICE).status_code == 401, 10)


def test_a_key_that_is_given_another_name_loses_no_job(client: FlaskClient, keys_file: Path) -> None:
    location = client.post("/predict?wait=0", json=BODY, headers=ALICE).headers["Location"]
    keys_file.write_text(KEYS.replace('name = "alice"', 'name = "alice-2"\nowner = "alice"'))
    new = f'\n[[keys]]\nname = "alice-3"\nowner = "alice"\nsha256 = "{digest("new key")}"\n'
    with keys_file.open("a") as file:
        file.write(new)
    until(lambda: client.get("/models", headers={"X-API-Key": "new key"}).status_code == 200, 10)
    for headers in (ALICE, {"X-API-Key": "new key"}):
        assert client.get(location, headers=headers).status_code == 200


def test_another_callers_deleted_job_is_as_unknown_as_one_that_never_was(client: FlaskClient) -> None:
    location = client.post("/predict?wait=0", json=BODY, headers=ALICE).headers["Location"]
    for _ in range(2):  # cancelled, then deleted
        assert client.delete(location, headers=ALICE).status_code == 204
    assert client.get(location, headers=ALICE).status_code == 410
    for answer in (client.get(location, headers=BOB), client.delete(location, headers=BOB)):
        assert (answer.status_code, answer.get_json()["type"]) == (404, "/problems#unknown-job")
    assert client.get(f"{location}/results", headers=BOB).status_code == 404


def test_an_id_has_one_spelling(client: FlaskClient) -> None:
    location = client.post("/predict?wait=0", json=BODY, headers=ALICE).headers["Location"]
    job_id = location.removeprefix("/jobs/")
    digits = "abcdefghijklmnopqrstuvwxyz234567"
    twin = job_id[:-1] + digits[digits.index(job_id[-1]) ^ 1]
    for other in (job_id.upper(), twin):
        assert client.get(f"/jobs/{other}", headers=ALICE).status_code == 404


def test_a_key_file_that_is_gone_or_broken_is_said_and_its_keys_hold(
    client: FlaskClient, keys_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def warnings() -> list[str]:
        found: list[str] = client.get("/health/ready").get_json().get("warnings", [])
        return found

    assert warnings() == []
    keys_file.rename(keys_file.with_suffix(".away"))
    assert [f"RETORT_API_KEYS_FILE: {keys_file} is gone"] == warnings()
    assert client.get("/models", headers=ALICE).status_code == 200
    assert [record.error for record in caplog.records if "API keys" in record.message] == warnings()  # type: ignore[attr-defined]
    keys_file.write_text(KEYS + "junk")
    until(lambda: any("is gone" not in warning for warning in warnings()), 10)
    assert client.get("/models", headers=ALICE).status_code == 200
    keys_file.write_text(KEYS)
    until(lambda: not warnings(), 10)


def test_without_a_key_file_everybody_is_the_same_caller(make_app: MakeApp) -> None:
    client = make_app().test_client()
    location = client.post("/predict?wait=0", json=BODY).headers["Location"]
    assert client.get(location, headers=BOB).status_code == 200
