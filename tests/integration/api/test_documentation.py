"""The pages that the service shows of itself."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from api.http.problems import KINDS


def test_the_interactive_page_and_all_it_loads_come_from_the_service(client: FlaskClient) -> None:
    page = client.get("/docs/").text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(loaded) >= 3
    for address in [*loaded, "/openapi.json"]:
        assert address.startswith("/")
        assert client.get(address).status_code == 200
    assert "http:" not in page
    assert "https:" not in page
    assert '"validatorUrl": null' in page


@pytest.mark.parametrize("kind", KINDS)
def test_the_type_of_every_problem_leads_to_its_paragraph(client: FlaskClient, kind: str) -> None:
    assert f'id="{kind}"' in client.get("/problems").text
