"""What the images and docker-compose.yml promise: no root, nothing writable but volumes, Redis reachable by nobody."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.test_settings_documented import variables

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
DOCKERFILES = [ROOT / f"Dockerfile.{service}" for service in ("api", "worker", "notifier")]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_can_change_itself_or_gain_rights(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_images_run_as_a_numbered_user(dockerfile: Path) -> None:
    last_stage = dockerfile.read_text(encoding="utf-8").rpartition("\nFROM ")[2]

    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last_stage, re.MULTILINE)


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.name)
def test_images_install_only_what_is_hashed(dockerfile: Path) -> None:
    installs = re.findall(r"(?:pip install|pip sync)[^&\n]*(?:\\\n[^&\n]*)*", dockerfile.read_text(encoding="utf-8"))

    assert len(installs) == 2
    assert all("--require-hashes" in install for install in installs)


def test_redis_is_published_nowhere_and_asks_for_a_password() -> None:
    assert "ports" not in SERVICES["redis"]
    assert "requirepass" in SERVICES["redis"]["command"][-1]


def test_what_is_published_is_for_this_machine_unless_asked_otherwise() -> None:
    published = {name: port for name, service in SERVICES.items() for port in service.get("ports", [])}
    proxied = published.pop("proxy")

    assert "443" in proxied
    assert all(port.startswith(("127.0.0.1:", "${PUBLISH:-127.0.0.1}:")) for port in published.values())


@pytest.mark.parametrize(
    "path",
    [COMPOSE, *ROOT.glob("docker-compose.*.yml"), *DOCKERFILES, ROOT / "local" / "stack.py"],
    ids=lambda path: path.name,
)
def test_every_setting_that_is_set_exists(path: Path) -> None:
    named = set(re.findall(r"RETORT_[A-Z_]+", path.read_text(encoding="utf-8")))

    assert {
        name for name in named if name not in variables() and name.removesuffix("_FILE") not in variables()
    } == set()
