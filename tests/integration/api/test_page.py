"""What the page is made of: its files, who gets what at `/`, how the service stands, and training reports."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from api.openapi.status_schemas import ServiceStatus
from api.views.page import page_files
from contract.artifact import MANIFEST, read_manifest, sha256
from harness.answering_worker import AnsweringWorker
from harness.tiny_artifact import write_tiny_artifact
from tests.integration.api.conftest import ALICE, BOB, MakeApp
from tests.integration.api.test_jobs import submit

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Encoding": "gzip, br"}
MOST_BYTES = 150_000
VERSION = "20260101t000000-000000"
REPORT = f"/models/tiny/versions/{VERSION}/report"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A model with a report of two files, and a file beside them that its manifest does not list."""
    folder = write_tiny_artifact(tmp_path / "models")
    (folder / "report").mkdir()
    (folder / "report" / "index.html").write_text("<script>parent.location</script>a report")
    (folder / "report" / "learning.png").write_bytes(b"\x89PNG")
    manifest = read_manifest(folder).model_dump(mode="json")
    for name in ("report/index.html", "report/learning.png"):
        manifest["files"][name] = sha256(folder / name)
    (folder / MANIFEST).write_text(json.dumps(manifest))
    (folder / "report" / "unlisted.txt").write_text("not for anybody")
    return tmp_path / "models"


def test_a_browser_gets_the_page_and_a_terminal_a_few_lines(client: FlaskClient) -> None:
    page = client.get("/", headers=BROWSER)
    assert page.mimetype == "text/html"
    for accept in ("*/*", "application/json", ""):
        lines = client.get("/", headers={"Accept": accept})
        assert (lines.mimetype, lines.status_code) == ("text/plain", 200)
        assert "curl http://localhost/predict" in lines.text
    assert "Accept" in page.headers["Vary"]


def test_the_page_and_all_its_files_are_small() -> None:
    assert sum(len(file.compressed) for file in page_files().values()) < MOST_BYTES


def imported(name: str) -> set[str]:
    """The module and all that it can't begin without."""
    found = re.findall(r'^import .*"\./([\w-]+\.js)";$', page_files()[name].content.decode(), re.MULTILINE)
    return {name}.union(*map(imported, found))


def test_a_browser_asks_at_once_for_all_that_the_first_part_needs_and_no_more() -> None:
    index = page_files()["index.html"].content.decode()
    asked = re.findall(r'(?:src|rel="modulepreload" href)="/page/([\w-]+\.js)"', index)
    assert sorted(asked) == sorted(imported("app.js") | imported("try-view.js"))


@pytest.mark.parametrize("name", sorted(page_files()))
def test_every_file_of_the_page_forbids_what_the_page_does_not_need(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/page/{name}", headers=BROWSER)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_file_that_a_browser_has_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get("/page/app.js", headers=BROWSER)
    again = client.get("/page/app.js", headers=BROWSER | {"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert first.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in client.get("/page/app.js").headers


@pytest.mark.parametrize("name", ["nothing.js", "..", "%2e%2e%2fapp.py", "..%2fapp.py"])
def test_what_is_no_file_of_the_page_is_not_found(client: FlaskClient, name: str) -> None:
    assert client.get(f"/page/{name}").status_code == 404


def test_the_page_needs_no_key_and_what_it_asks_does(make_app: MakeApp, keys_file: Path) -> None:
    client = make_app(api_keys_file=keys_file).test_client()
    assert client.get("/", headers=BROWSER).status_code == 200
    assert client.get("/page/app.js").status_code == 200
    for address in ("/status", "/jobs", f"{REPORT}/index.html"):
        assert client.get(address).status_code == 401
    assert client.post(REPORT).status_code == 401


def test_a_caller_lists_only_its_own_jobs(make_app: MakeApp, keys_file: Path) -> None:
    client = make_app(api_keys_file=keys_file).test_client()
    mine = client.post("/predict?wait=0", json={"texts": ["a"]}, headers=ALICE).get_json()["id"]
    other = client.post("/predict?wait=0", json={"texts": ["b"]}, headers=BOB).get_json()["id"]
    assert [job["id"] for job in client.get("/jobs", headers=ALICE).get_json()["jobs"]] == [mine]
    assert [job["id"] for job in client.get("/jobs", headers=BOB).get_json()["jobs"]] == [other]


def test_the_status_counts_what_waits_and_for_how_long(client: FlaskClient, worker: AnsweringWorker) -> None:
    worker.go.clear()
    submit(client, ["a"] * 300)
    found = ServiceStatus.model_validate_json(client.get("/status").data)
    [model] = found.models
    bulk = next(lane for lane in model.lanes if lane.lane == "bulk")
    assert (found.ready, model.name, model.workers) == (True, "default", 1)
    assert (bulk.texts, bulk.seconds, bulk.drained) == (300, None, 0)
    assert (found.jobs.open, found.jobs.accepted, found.dead_letters) == (1, 1, 0)
    assert [one.id for one in found.workers] == [worker.id]


def test_without_a_worker_the_status_says_why_nothing_is_answered(client: FlaskClient) -> None:
    found = ServiceStatus.model_validate_json(client.get("/status").data)
    assert not found.ready
    assert "no worker is ready" in found.reasons[0]


def test_a_report_is_shown_as_a_document_without_powers(make_app: MakeApp, models: Path) -> None:
    client = make_app(models_dir=models).test_client()
    assert client.get("/models/tiny").get_json()["versions"][0]["report"] == f"{REPORT}/index.html"
    for name, kind in (("index.html", "text/html"), ("learning.png", "image/png")):
        answer = client.get(f"{REPORT}/{name}")
        assert (answer.status_code, answer.mimetype) == (200, kind)
        directives = answer.headers["Content-Security-Policy"].split("; ")
        assert {"sandbox", "default-src 'none'", "frame-ancestors 'self'"} <= set(directives)
        assert not any(directive.startswith("script-src") for directive in directives)


@pytest.mark.parametrize(
    "path",
    [
        f"tiny/versions/{VERSION}/report/unlisted.txt",
        f"tiny/versions/{VERSION}/report/..",
        f"tiny/versions/{VERSION}/report/%2e%2e%2fmanifest.json",
        f"tiny/versions/{VERSION}/report/..%2fweights.safetensors",
        "tiny/versions/../report/index.html",
        "../versions/tiny/report/index.html",
        "tiny/versions/20270101t000000-000000/report/index.html",
        "other/versions/x/report/index.html",
    ],
)
def test_nothing_but_what_the_manifest_lists_leaves_the_volume(make_app: MakeApp, models: Path, path: str) -> None:
    assert make_app(models_dir=models).test_client().get(f"/models/{path}").status_code == 404


def test_a_listed_file_that_leads_out_of_the_artifact_stays_inside(make_app: MakeApp, models: Path) -> None:
    picture = models / "tiny" / VERSION / "report" / "learning.png"
    picture.unlink()
    picture.symlink_to("/etc/passwd")
    assert make_app(models_dir=models).test_client().get(f"{REPORT}/learning.png").status_code == 404


def test_a_link_opens_one_report_without_a_key_until_it_has_run_out(
    make_app: MakeApp,
    models: Path,
    keys_file: Path,
    store: redis.Redis,
) -> None:
    client = make_app(models_dir=models, api_keys_file=keys_file).test_client()
    link = client.post(REPORT, headers=ALICE)
    address = link.get_json()["address"]
    assert (link.status_code, client.get(address).text) == (201, "<script>parent.location</script>a report")
    assert client.get(address.replace("index.html", "learning.png")).status_code == 200
    assert client.get(address.replace("index.html", "unlisted.txt")).status_code == 404
    [key] = store.keys("retort:report:*")
    assert 0 < store.ttl(key) <= link.get_json()["expires_s"]
    store.delete(key)
    assert client.get(address).status_code == 404


def test_a_version_without_a_report_has_no_link(make_app: MakeApp, tmp_path: Path) -> None:
    write_tiny_artifact(tmp_path, name="bare")
    client = make_app(models_dir=tmp_path).test_client()
    assert client.post(f"/models/bare/versions/{VERSION}/report").status_code == 404
    assert client.get("/models/bare").get_json()["versions"][0]["report"] is None
