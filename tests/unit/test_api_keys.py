from __future__ import annotations

import os
import time
import tomllib
from pathlib import Path

import pytest

from api import keys
from contract.api_keys import SETTLED_S, Keys, digest
from contract.errors import BadSettings


def write(path: Path, **names: str) -> Path:
    """A file with a key per name; the replacement is atomic, as an operator's should be."""
    new = path.with_suffix(".new")
    new.write_text("".join(f'[[keys]]\nname = "{name}"\nsha256 = "{digest(key)}"\n' for name, key in names.items()))
    new.replace(path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.toml"


def test_a_key_finds_its_caller_and_another_finds_nobody(path: Path) -> None:
    found = Keys(write(path, alice="a", bob="b"))
    assert [getattr(found.find(key), "name", None) for key in ("a", "b", "c", "")] == ["alice", "bob", None, None]


class Clock:
    """Time passes when it is told to."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def test_keys_are_rotated_without_a_restart(path: Path) -> None:
    clock = Clock()
    found = Keys(write(path, alice="old"), clock)
    write(path, alice="new")
    clock.now += 2 * SETTLED_S
    assert found.find("old") is None
    assert found.find("new") is not None


def test_a_file_that_is_being_written_counts_once_it_is_whole(path: Path) -> None:
    clock = Clock()
    found = Keys(write(path, alice="a", bob="b"), clock)
    whole = path.read_text()
    for written in range(0, len(whole), 20):  # some of these are good TOML with fewer keys
        path.write_text(whole[:written])
        os.utime(path, (clock.now, clock.now))
        clock.now += SETTLED_S / 2
        assert found.find("b") is not None
    assert found.complaint is None


def test_a_broken_or_missing_file_leaves_the_keys_as_they_were(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    found = Keys(write(path, alice="a"), clock)
    path.write_text("[[keys")
    clock.now += 2 * SETTLED_S
    for _ in range(3):
        assert found.find("a") is not None
    assert found.complaint is not None
    path.unlink()
    for _ in range(3):
        assert found.find("a") is not None
    assert found.complaint == f"RETORT_API_KEYS_FILE: {path} is gone"
    assert len(caplog.records) == 2  # said once each
    write(path, alice="a")
    clock.now += 2 * SETTLED_S
    assert found.find("a") is not None
    assert found.complaint is None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[[keys", "Expected"),
        ('[[keys]]\nname = "alice"\nsha256 = "12"\n', r"keys\.0\.sha256"),
        ('[[keys]]\nname = "alice"\nkey = "a"\n', r"keys\.0"),
        ("", "keys: Field required"),
        ((f'[[keys]]\nname = "alice"\nsha256 = "{digest("a")}"\n' * 2), "same name"),
    ],
)
def test_a_bad_file_at_the_start_is_refused_with_variable_and_place(path: Path, content: str, complaint: str) -> None:
    path.write_text(content)
    with pytest.raises(BadSettings, match=rf"RETORT_API_KEYS_FILE: .*keys\.toml: .*{complaint}"):
        Keys(path)


def test_a_missing_file_at_the_start_is_refused(path: Path) -> None:
    with pytest.raises(BadSettings, match="No such file"):
        Keys(path)


def test_a_new_key_works_once_its_lines_are_in_the_file(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys.main(["new", "alice"])
    printed = capsys.readouterr()
    path.write_text(printed.out)
    key = printed.err.split()[-1]
    assert key not in printed.out
    found = Keys(path).find(key)
    assert found is not None
    assert found.name == "alice"
    assert tomllib.loads(printed.out)["keys"][0]["sha256"] == digest(key)


SHA = digest("a")


def test_a_new_secret_can_sign_and_is_shown_nowhere_else(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys.main(["secret"])
    secret = capsys.readouterr().out.strip()
    path.write_text(f'[[keys]]\nname = "a"\nsha256 = "{SHA}"\nwebhook_secrets = ["{secret}"]\n')
    found = Keys(path).named("a")
    assert found is not None
    assert [each.get_secret_value() for each in found.webhook_secrets] == [secret]
    assert secret not in f"{found!r} {found.model_dump_json()}"
    assert Keys(path).named("b") is None


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "c2VjcmV0IG9mIHRlc3RzLCBhbmQgb2YgdGVzdHMgb25seQ=="])
def test_a_secret_that_is_none_is_refused_and_not_shown(path: Path, secret: str) -> None:
    path.write_text(f'[[keys]]\nname = "a"\nsha256 = "{SHA}"\nwebhook_secrets = ["{secret}"]\n')
    with pytest.raises(BadSettings, match=r"keys\.0\.webhook_secrets\.0: .*24 to 64 bytes") as refused:
        Keys(path)
    assert len(secret) <= len("whsec_") or secret not in str(refused.value)


def test_a_webhook_needs_a_secret_that_signs_it(path: Path) -> None:
    path.write_text(f'[[keys]]\nname = "a"\nsha256 = "{SHA}"\nwebhook = "https://hooks.example.com/"\n')
    with pytest.raises(BadSettings, match="`webhook` needs `webhook_secrets`"):
        Keys(path)


@pytest.mark.parametrize("arguments", [[], ["new"], ["new", "Not A Name"], ["old", "alice"]])
def test_a_wrong_command_says_how_it_is_used(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match=r"usage|name"):
        keys.main(arguments)
