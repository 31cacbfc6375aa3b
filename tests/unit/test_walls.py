"""The walls between the packages, so that the API never carries TensorFlow and each service can be built alone."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OTHERS = {
    "contract": {
        "storage",
        "encoders",
        "api",
        "worker",
        "training",
        "notifier",
        "local",
        "harness",
        "tests",
        "benchmarks",
    },
    "storage": {"encoders", "api", "worker", "training", "notifier", "local", "harness", "tests", "benchmarks"},
    "encoders": {"storage", "api", "worker", "training", "notifier", "local", "harness", "tests", "benchmarks"},
    "api": {"encoders", "worker", "training", "notifier", "local", "harness", "tests", "benchmarks"},
    "worker": {"api", "training", "notifier", "local", "harness", "tests", "benchmarks"},
    "training": {"api", "worker", "notifier", "local", "harness", "tests", "benchmarks"},
    "notifier": {"storage", "encoders", "api", "worker", "training", "local", "harness", "tests", "benchmarks"},
    "local": {"api", "worker", "training", "notifier", "harness", "tests", "benchmarks"},
    "harness": {"api", "worker", "training", "notifier", "tests", "benchmarks"},
    "benchmarks": {"tests"},
}
CONNECT = {
    "http.client",
    "urllib.request",
    "urllib3",
    "requests",
    "httpx",
    "aiohttp",
    "smtplib",
    "ftplib",
    "xmlrpc.client",
    "obstore",
}
"""Modules whose use is to connect to others. Traces go out by OpenTelemetry's own, where an operator says so."""
IMPORT_ALL = """
import importlib.util, pkgutil, sys
package = importlib.import_module(sys.argv[1])
without = () if importlib.util.find_spec("openvino") else ("openvino_encoder",)  # it has no wheel for every platform
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith(("__main__", *without)):
        importlib.import_module(module.name)
print(*sorted(sys.modules), sep="\\n")
"""


def imported_names(package: str) -> Iterator[tuple[str, str]]:
    """Every (file, module) that the package's sources import, inside functions too."""
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((path.name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield path.name, node.module or ""


def modules_after_importing(package: str) -> set[str]:
    """What a fresh interpreter holds once every module of the package is imported."""
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL, package], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("package", OTHERS)
def test_no_package_imports_what_it_may_not_know(package: str) -> None:
    crossed = [found for found in imported_names(package) if found[1].split(".")[0] in OTHERS[package]]

    assert crossed == []


def test_contract_needs_only_the_standard_library_redis_and_pydantic() -> None:
    allowed = sys.stdlib_module_names | {"contract", "redis", "pydantic", "pydantic_settings"}

    assert [found for found in imported_names("contract") if found[1].split(".")[0] not in allowed] == []


def test_the_api_loads_neither_tensorflow_nor_a_worker() -> None:
    loaded = modules_after_importing("api")

    assert "flask" in loaded
    assert loaded.isdisjoint({"tensorflow", "tf_keras", "bert", "celery.worker", "worker", "training"})


def test_the_notifier_is_no_larger_than_it_must_be() -> None:
    loaded = modules_after_importing("notifier")

    assert "standardwebhooks.webhooks" in loaded
    assert loaded.isdisjoint({"tensorflow", "flask", "numpy", "httpx", "api", "worker", "training", "encoders"})


@pytest.mark.parametrize("package", ["contract", "encoders", "api", "worker"])
def test_api_and_worker_have_nothing_to_connect_with_but_redis(package: str) -> None:
    crossed = [found for found in imported_names(package) if found[1] in CONNECT]
    called = [
        path.name
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("create_connection", "connect_ex", "open_connection")
    ]

    assert (crossed, called) == ([], [])


@pytest.mark.parametrize("package", ["storage", "api"])
def test_what_connects_to_a_bucket_is_loaded_only_where_there_is_one(package: str) -> None:
    assert modules_after_importing(package).isdisjoint({"obstore", *CONNECT} - {"http.client", "urllib.request"})


def test_storage_alone_knows_the_library_of_buckets() -> None:
    found = {package for package in [*OTHERS, "tests"] for _, module in imported_names(package) if module == "obstore"}

    assert found == {"storage"}


def test_the_wall_around_connections_can_be_seen_through() -> None:
    """The notifier, and it alone, does what the rule above forbids."""
    text = (ROOT / "notifier" / "post.py").read_text(encoding="utf-8")

    assert "create_connection" in {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}


def test_encoders_need_only_numpy_tokenizers_safetensors_and_the_contract() -> None:
    allowed = sys.stdlib_module_names | {"encoders", "contract", "numpy", "tokenizers", "safetensors"}

    assert [found for found in imported_names("encoders") if found[1].split(".")[0] not in allowed] == []


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("worker/engine", ("redis", "celery", "kombu", "worker.pipeline", "worker.queueing")),
        ("worker/pipeline", ("celery", "kombu")),
        ("api/http", ("api.jobs", "contract.job")),
    ],
)
def test_a_room_does_not_know_the_ones_above_it(room: str, forbidden: tuple[str, ...]) -> None:
    crossed = [found for found in imported_names(room) if found[1].startswith(forbidden)]

    assert crossed == []


@pytest.mark.timeout(500)  # imports TensorFlow, which takes minutes on a machine that has much else to do
def test_the_engine_loads_neither_redis_nor_celery() -> None:
    loaded = modules_after_importing("worker.engine")

    assert "worker.engine.model" in loaded
    assert loaded.isdisjoint({"redis", "celery", "kombu", "worker.pipeline", "worker.queueing"})


def test_the_contract_loads_no_framework() -> None:
    loaded = modules_after_importing("contract")

    assert "contract.job_store" in loaded
    assert loaded.isdisjoint({"tensorflow", "flask", "celery", "kombu", "api", "worker", "training"})


@pytest.mark.parametrize("package", ["api", "worker", "training", "notifier"])
def test_only_the_contract_knows_how_the_record_lies_in_redis(package: str) -> None:
    named = {
        path.name
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("retort:")
    }

    assert named == set()


def test_the_command_line_of_training_leaves_it_to_its_verbs_how_numpy_is_imported() -> None:
    code = "import sys, training.cli; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "numpy" not in set(done.stdout.split())


def test_an_import_that_scores_nothing_loads_no_library_that_it_does_not_need() -> None:
    code = "import sys, training.cli, training.artifact.imported; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    loaded = set(done.stdout.split())
    assert "encoders.reference" in loaded
    assert loaded.isdisjoint({"tensorflow", "sklearn", "scipy", "pandas", "redis"})
