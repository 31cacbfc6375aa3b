"""What the API says of itself holds: OpenAPI, the page of problems, the version."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

import api
from api.http import problems
from api.openapi.document import openapi
from api.openapi.schemas import Job
from api.openapi.webhooks import JobEnded
from api.settings import ApiSettings
from api.views.health import health_views
from api.views.inference import inference_views
from api.views.inference_models import inference_health_views, inference_model_views
from api.views.jobs import job_views
from api.views.models import model_views
from api.views.page import page_views
from api.views.predict import predict_views
from api.views.reports import report_link_views, report_views
from api.views.status import status_views
from contract import errors
from contract.webhooks import OwedWebhook

ROOT = Path(__file__).parents[2]
OPERATORS_ONLY = {"bad-model", "bad-settings", "bad-artifact", "bucket-unavailable"}
DESCRIBED = [
    page_views, predict_views, job_views, model_views, report_views, report_link_views, status_views, health_views,
    inference_views, inference_model_views, inference_health_views,
]  # fmt: skip


class NoServices:
    """Enough to register the views, which do nothing before the first request."""

    settings = ApiSettings()
    models = fleet = store = None


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi(ApiSettings())


def routes() -> set[tuple[str, str]]:
    app = Flask("api", static_folder=None)
    for views in DESCRIBED:
        app.register_blueprint(views(NoServices()))  # type: ignore[arg-type]
    return {
        (re.sub("<(.+?)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_is_described_and_every_description_has_a_route(document: dict[str, Any]) -> None:
    assert {(path, method) for path, item in document["paths"].items() for method in item} == routes()


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for child in node.values():
            yield from references(child)
    elif isinstance(node, list):
        for child in node:
            yield from references(child)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known


def test_the_example_of_a_job_is_one(document: dict[str, Any]) -> None:
    Job.model_validate(document["components"]["schemas"]["Job"]["example"])


def test_the_webhook_that_is_described_is_the_one_that_is_sent(document: dict[str, Any]) -> None:
    owed = OwedWebhook(
        job_id="agraghjif5r26stp65nsosajqrlre", taken_ms=2, ends="1", attempt=1, since_ms=1, address="", signer="a",
        state="expired", model="default", version="", texts=2, done=1, errors=0, finished_ms=1,
    )  # fmt: skip
    assert JobEnded.model_validate_json(owed.payload).data.id == owed.job_id
    assert set(document["webhooks"]) == {"job_ended"}


def test_the_limits_of_the_settings_are_in_the_document() -> None:
    limited = openapi(ApiSettings(max_texts=7, max_text_chars=9, max_deadline_s=11, default_deadline_s=5))
    properties = limited["components"]["schemas"]["PredictRequest"]["properties"]
    assert (properties["texts"]["maxItems"], properties["texts"]["items"]["maxLength"]) == (7, 9)
    assert properties["deadline_s"]["anyOf"][0]["maximum"] == 11
    assert properties["deadline_s"]["default"] == 5


def test_keys_are_asked_for_only_where_the_service_has_some(tmp_path: Path, document: dict[str, Any]) -> None:
    locked = openapi(ApiSettings(api_keys_file=tmp_path / "keys.toml"))
    assert "security" in locked["paths"]["/predict"]["post"]
    assert "security" not in locked["paths"]["/health/live"]["get"]
    assert "security" not in json.dumps(document)


def test_the_page_of_problems_is_the_table() -> None:
    assert (ROOT / "docs" / "problems.md").read_text(encoding="utf-8") == problems.markdown() + "\n"


def test_every_error_that_a_client_can_cause_is_a_problem_with_a_page() -> None:
    agreed = [error for error in errors.RetortError.__subclasses__() if error.__module__ == errors.__name__]
    codes = {error.code for error in agreed}
    assert codes - OPERATORS_ONLY <= problems.KINDS.keys()


def test_the_version_is_the_project_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert api.__version__ == project["version"]
