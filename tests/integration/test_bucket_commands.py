"""Training's command line where the models, and the texts, are in a bucket; and that no secret is told by any of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from contract.errors import BadSettings, BucketUnavailable, NoModel
from contract.settings import SharedSettings
from contract.store_url import StoreUrl
from harness.ports import free_port
from harness.s3_server import SECRET
from harness.tiny_artifact import write_tiny_artifact
from storage.bucket import Bucket, told
from tests.store_rig import add_version, bucket_of
from training.artifact.opened import open_store
from training.artifact.store import Store
from training.cli import app
from training.data.table import read_table
from training.errors import BadData


@pytest.fixture
def store(bucket_settings: SharedSettings, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The model `tiny` in a bucket, as the commands are told of it."""
    monkeypatch.setenv("RETORT_MODELS_DIR", str(bucket_settings.models_dir))
    monkeypatch.setenv("RETORT_MODELS_CACHE_DIR", str(bucket_settings.models_cache_dir))
    monkeypatch.setenv("RETORT_MODEL", "tiny")
    monkeypatch.setenv("COLUMNS", "300")
    return open_store(bucket_settings, "tiny")


@pytest.fixture
def versions(store: Store, tmp_path: Path) -> list[str]:
    """Three, of which the last is current."""
    return [add_version(store, tmp_path, number) for number in (1, 2, 3)]


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, arguments)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def current(store: Store) -> str | None:
    return store.versions.served().version


def test_versions_are_listed_shown_compared_and_made_current(store: Store, versions: list[str]) -> None:
    starred = [line.split()[:3] for line in run("list").splitlines() if "2026" in line]
    assert starred == [["tiny", versions[0], "random"], ["tiny", versions[1], "random"], ["*", "tiny", versions[2]]]
    assert versions[2] in run("show")
    assert "0 of 0 common" in run("compare", versions[0], versions[1])

    assert f"current: {versions[0]}" in run("activate", versions[0])
    assert current(store) == versions[0]
    assert f"current: {versions[2]}" in run("rollback")
    assert f"deleted: {versions[0]}, {versions[1]}" in run("prune", "--keep", "1")
    assert store.versions.names() == versions[2:]


def test_a_version_made_elsewhere_is_published(store: Store, versions: list[str], tmp_path: Path) -> None:
    made = write_tiny_artifact(tmp_path / "elsewhere", version="20260102t000000-abcdef")

    assert f"current: {made.name}" in run("publish", str(made))
    assert current(store) == made.name
    assert store.rollback() == versions[-1]


@pytest.mark.usefixtures("versions")
def test_nothing_is_trained_where_the_bucket_has_a_current_version() -> None:
    assert "nothing to do" in run("train", "--data", "nowhere.csv", "--if-missing")


@pytest.mark.usefixtures("store")
def test_an_empty_bucket_says_so(bucket_settings: SharedSettings) -> None:
    assert f"no version of any model in {bucket_settings.models_dir}" in run("list")
    with pytest.raises(NoModel, match="is published"):
        run("rollback")


def test_a_table_is_read_from_a_bucket(store: Store, tmp_path: Path) -> None:
    (tmp_path / "tickets.csv").write_text("text,label\nundo a commit,git\ncenter a div,css\n")
    bucket_of(store).upload(tmp_path / "tickets.csv", "data/tickets.csv")
    address = f"{bucket_of(store).url}/data/tickets.csv"

    table = read_table(address)

    assert table == read_table(tmp_path / "tickets.csv")
    assert table.places[0].file == "tickets.csv"
    with pytest.raises(BadData, match=rf"{bucket_of(store).url}/data/nothing\.csv: there is no such object"):
        read_table(f"{bucket_of(store).url}/data/nothing.csv")
    with pytest.raises(BadData, match="ftp:// is not known"):
        read_table("ftp://host/tickets.csv")


@pytest.mark.usefixtures("versions")
def test_a_bucket_that_can_t_be_reached_is_one_line_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")

    done = subprocess.run([sys.executable, "-m", "training", "list"], capture_output=True, text=True)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Connection refused" in done.stderr
    assert "once it can be reached" in done.stderr
    assert SECRET not in done.stderr + done.stdout


def test_what_the_bucket_refuses_names_the_bucket_and_the_reason(
    bucket_settings: SharedSettings,  # noqa: ARG001  the environment
) -> None:
    with pytest.raises(BucketUnavailable, match=r"s3://nobody-s/models: .*404 Not Found \(NoSuchBucket\)") as raised:
        Bucket(StoreUrl("s3", "nobody-s", "models")).list()

    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_written_to_a_bucket_that_is_not_there_fails(
    bucket_settings: SharedSettings,  # noqa: ARG001  the environment
    tmp_path: Path,
) -> None:
    bucket = Bucket(StoreUrl("s3", "nobody-s", "models"))
    (tmp_path / "file").write_text("content")

    for write in (lambda: bucket.write("a", b"content", None), lambda: bucket.upload(tmp_path / "file", "a")):
        with pytest.raises(BucketUnavailable, match="NoSuchBucket"):
            write()


def test_parameters_of_addresses_are_not_told() -> None:
    """Azure's shared access signatures are such."""
    error = Exception("Generic MicrosoftAzure error: Error performing GET https://a.b/c?sv=1&sig=secret in 1ms - no\nx")

    assert told(error) == "Error performing GET https://a.b/c in 1ms - no"


def test_without_the_library_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)

    with pytest.raises(BadSettings, match=r"needs the package obstore.*requirements/storage\.txt"):
        Bucket(StoreUrl("s3", "models"))
