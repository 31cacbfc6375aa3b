"""Downloads, from a local server that breaks off, refuses ranges, or serves the wrong file."""

from __future__ import annotations

import io
import random
import re
import stat
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from training.errors import BadBaseModel, BadDownload
from training.pretrained import catalog
from training.pretrained.archive import unpack
from training.pretrained.base_models import load_base_model
from training.pretrained.catalog import download_base, download_questions
from training.pretrained.http_download import fetch

CONTENT = bytes(range(256)) * 4000
OTHER_SHA256 = "0" * 64


class Server(ThreadingHTTPServer):
    """Serves `content` with ranges; each answer ends after `cut` bytes when that is set."""

    content = CONTENT
    etag = '"one"'
    cut: int | None = None
    ranges = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append(wanted)
        if self.path.endswith("missing"):
            self.send_error(404)
            return
        start = 0
        if wanted and server.ranges and self.headers.get("If-Range") == server.etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= len(server.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("ETag", server.etag)
        self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        end = len(server.content) if server.cut is None else start + server.cut
        self.wfile.write(server.content[start:end])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


CONSOLE = Console(quiet=True)


def test_a_file_arrives_whole_and_is_not_fetched_again(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        fetch(server.url, tmp_path / "file", CONSOLE)

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [None]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_connection_that_breaks_is_continued_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.cut = 400_000

    fetch(server.url, tmp_path / "file", CONSOLE, pause_s=0)

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked == [None, "bytes=400000-", "bytes=800000-"]


def test_a_later_call_goes_on_from_what_an_earlier_one_left(server: Server, tmp_path: Path) -> None:
    server.cut = 10_000
    with pytest.raises(BadDownload, match="the next try goes on"):
        fetch(server.url, tmp_path / "file", CONSOLE, pause_s=0)
    assert not (tmp_path / "file").exists()

    server.cut = None
    fetch(server.url, tmp_path / "file", CONSOLE)

    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.asked[-1] == "bytes=50000-"


def test_a_file_that_changed_meanwhile_is_fetched_from_its_start(server: Server, tmp_path: Path) -> None:
    server.cut = 10_000
    with pytest.raises(BadDownload):
        fetch(server.url, tmp_path / "file", CONSOLE, pause_s=0)

    server.cut, server.etag, server.content = None, '"two"', CONTENT[::-1]
    fetch(server.url, tmp_path / "file", CONSOLE)

    assert (tmp_path / "file").read_bytes() == CONTENT[::-1]


def test_a_server_without_ranges_is_asked_again_from_the_start(server: Server, tmp_path: Path) -> None:
    server.cut = 10_000
    with pytest.raises(BadDownload):
        fetch(server.url, tmp_path / "file", CONSOLE, pause_s=0)

    server.cut, server.ranges = None, False
    fetch(server.url, tmp_path / "file", CONSOLE)

    assert (tmp_path / "file").read_bytes() == CONTENT


def test_all_bytes_here_but_not_yet_in_place_is_finished(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    (tmp_path / "file.part.etag").write_text(server.etag)

    fetch(server.url, tmp_path / "file", CONSOLE)

    assert (tmp_path / "file").read_bytes() == CONTENT


def test_another_files_hash_is_refused_and_the_file_deleted(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BadDownload, match=f"expected {OTHER_SHA256}"):
        fetch(server.url, tmp_path / "file", CONSOLE, OTHER_SHA256)

    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_reported_at_once(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BadDownload, match="404"):
        fetch(f"{server.url}/missing", tmp_path / "file", CONSOLE)

    assert len(server.asked) == 1


def _zip(files: dict[str, bytes], link: str | None = None) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        if link:
            entry = zipfile.ZipInfo(link)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def _tar(files: dict[str, bytes], **special: bytes) -> bytes:
    """`special`: kinds of members that are no files, by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, kind in special.items():
            entry = tarfile.TarInfo(f"model/{name}")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    return buffer.getvalue()


def test_an_albert_comes_as_a_tar_and_is_found_by_its_name(server: Server, tmp_path: Path) -> None:
    server.content = _tar({"albert_base/albert_config.json": b"{}", "albert_base/model.ckpt-best.index": b"x"})

    folder = download_base("albert_base_v2", tmp_path, CONSOLE, host=server.url)

    assert folder == tmp_path / "albert_base_v2"
    assert [path.name for path in tmp_path.iterdir()] == ["albert_base_v2"]
    with pytest.raises(BadBaseModel, match=r"albert_base_v2/albert_config\.json: "):
        load_base_model("albert_base_v2", tmp_path)


@pytest.mark.parametrize("name", ["../evil", "/evil", "model/../../evil"])
def test_a_tar_that_points_outside_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.tar.gz").write_bytes(_tar({"model/albert_config.json": b"{}", name: b"x"}))

    with pytest.raises(BadDownload, match=re.escape(name)):
        unpack(tmp_path / "a.tar.gz", tmp_path / "model", {})

    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_tar_with_something_that_is_no_file_is_refused(tmp_path: Path, kind: bytes) -> None:
    (tmp_path / "a.tar.gz").write_bytes(_tar({"model/albert_config.json": b"{}"}, odd=kind))

    with pytest.raises(BadDownload, match="model/odd"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "model", {})


@pytest.mark.parametrize("cut", [0, 20, -5000])
def test_an_archive_that_is_broken_is_refused(tmp_path: Path, cut: int) -> None:
    (tmp_path / "a.tar.gz").write_bytes(_tar({"model/albert_config.json": random.Random(1).randbytes(9000)})[:cut])

    with pytest.raises(BadDownload, match=r"a\.tar\.gz"):
        unpack(tmp_path / "a.tar.gz", tmp_path / "model", {})

    assert [path.name for path in tmp_path.iterdir()] == ["a.tar.gz"]


def test_a_base_model_is_fetched_and_unpacked_once(server: Server, tmp_path: Path) -> None:
    name = "chinese_L-12_H-768_A-12"
    server.content = _zip({f"{name}/bert_config.json": b"{}", f"{name}/vocab.txt": b"a\n"})

    for _ in range(2):
        folder = download_base(name, tmp_path, CONSOLE, host=server.url)

    assert folder == tmp_path / name
    assert sorted(path.name for path in folder.iterdir()) == ["bert_config.json", "vocab.txt"]
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert len(server.asked) == 1


def test_a_base_model_with_other_files_than_the_pinned_ones_is_refused(server: Server, tmp_path: Path) -> None:
    name = catalog.DEFAULT_MODEL
    files = [f"{name}/{file}" for file in catalog.PINNED[name]]
    server.content = _zip(dict.fromkeys(files, b"not Google's"))

    with pytest.raises(BadDownload, match=r"bert_config\.json: sha256 is"):
        download_base(name, tmp_path, CONSOLE, host=server.url)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../evil", "/evil", "model/../../evil"])
def test_an_archive_that_points_outside_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.zip").write_bytes(_zip({"model/bert_config.json": b"{}", name: b"x"}))

    with pytest.raises(BadDownload, match=re.escape(name)):
        unpack(tmp_path / "a.zip", tmp_path / "model", {})

    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_an_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(_zip({"model/bert_config.json": b"{}"}, link="model/link"))

    with pytest.raises(BadDownload, match="model/link"):
        unpack(tmp_path / "a.zip", tmp_path / "model", {})


def test_an_unknown_base_model_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadDownload, match="multi_cased_L-12_H-768_A-12"):
        download_base("bert-base", tmp_path, CONSOLE)


def test_the_questions_are_fetched_once(server: Server, tmp_path: Path) -> None:
    server.content = b"post,tags\nhow do i sort,python\n"

    found = [download_questions(tmp_path, CONSOLE, server.url) for _ in range(2)]

    assert found[0].read_bytes() == server.content
    assert len(server.asked) == 1
