from __future__ import annotations

import logging
import os

import pytest

from contract import native_stderr

LOG = logging.getLogger("a library in C")


def test_what_is_written_past_python_is_logged_line_by_line_and_afterwards_shown_again(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO), native_stderr.logged(LOG):
        os.write(2, b"one\ntwo \xff\n")
    os.write(2, b"three\n")
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "one"),
        ("INFO", "two �"),
    ]
    assert capfd.readouterr().err.endswith("three\n")


def test_what_was_written_before_a_failure_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ImportError):
        fail_to_load()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("ERROR", "no such library")]


@native_stderr.logged(LOG)
def fail_to_load() -> None:
    os.write(2, b"no such library\n")
    raise ImportError
