"""What docs/security.md promises of the code: data stays data, secrets stay secret, packages are what was locked."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from contract.celery_config import celery_config
from contract.errors import StoreUnavailable
from contract.job_store import JobStore
from contract.redis_client import connect
from contract.settings import SharedSettings
from harness.ports import free_port

ROOT = Path(__file__).parents[2]
PACKAGES = ("contract", "encoders", "api", "worker", "training", "notifier", "storage", "local", "client/retort_client")
REVIVE_OBJECTS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
RUN_CODE = {"eval", "exec", "load_model", "import_module", "__import__"}
LOCKS = [path for path in sorted((ROOT / "requirements").glob("*.txt")) if not path.stem.endswith("-overrides")]
PASSWORD = "not-for-the-log"  # noqa: S105


def nodes() -> Iterator[tuple[str, ast.AST]]:
    """Every node of every source file, with the file's name."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                yield str(path.relative_to(ROOT)), node


def imported(node: ast.AST) -> set[str]:
    match node:
        case ast.Import(names):
            return {alias.name.split(".")[0] for alias in names}
        case ast.ImportFrom(module) if module:
            return {module.split(".")[0]}
    return set()


def called(node: ast.AST) -> str:
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name
    return ""


def test_nothing_revives_objects_from_bytes() -> None:
    assert [name for name, node in nodes() if imported(node) & REVIVE_OBJECTS] == []


def test_no_text_is_run_as_code() -> None:
    assert [name for name, node in nodes() if called(node) in RUN_CODE] == []


def test_messages_are_json_and_workers_take_no_orders() -> None:
    config = celery_config(SharedSettings())

    assert (config["accept_content"], config["task_serializer"]) == (["json"], "json")
    assert config["worker_enable_remote_control"] is False


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_package_is_pinned_with_its_hash(lock: Path) -> None:
    entries = re.split(r"\n(?=[a-zA-Z])", lock.read_text(encoding="utf-8"))
    packages = [entry for entry in entries if not entry.startswith("#")]

    assert packages
    assert [entry.splitlines()[0] for entry in packages if not re.match(r"[\w.\[\],-]+==\S+", entry)] == []
    assert [entry.splitlines()[0] for entry in packages if "--hash=sha256:" not in entry] == []


def test_the_password_is_in_no_error_and_no_description_of_the_settings() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    settings = SharedSettings(redis_url=url, redis_password=SecretStr(PASSWORD))

    with pytest.raises(StoreUnavailable) as away:
        JobStore(connect(settings), settings).now_ms()

    assert PASSWORD not in f"{away.value!r} {away.value.__cause__!r} {settings!r} {settings.model_dump_json()}"
