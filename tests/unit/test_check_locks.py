"""Which locks are resolved for which platforms."""

from __future__ import annotations

from pathlib import Path

from local.check_locks import targets

ROOT = Path(__file__).parents[2]
NOT_INSTALLED = {"build", "cpu-overrides", "peers-overrides"}
"""What builds packages and what resolves them."""


def test_every_lock_that_is_installed_is_resolved_for_linux_on_both_processors() -> None:
    locks = {path.stem for path in (ROOT / "requirements").glob("*.txt")} - NOT_INSTALLED

    for processor, absent in (("x86_64", set[str]()), ("aarch64", {"clients", "peers"})):
        found = {lock for each in targets() if each.platform.startswith(processor) for lock in each.locks}
        assert found == locks - absent


def test_images_are_resolved_for_the_python_that_they_hold() -> None:
    for service in ("api", "worker", "notifier"):
        assert "FROM python:3.11-" in (ROOT / f"Dockerfile.{service}").read_text(encoding="utf-8")

    pythons = {each.python for each in targets() if {"api", "worker-cpu", "notifier"} & {*each.locks}}

    assert pythons == {"3.11"}


def test_a_mac_needs_no_cuda() -> None:
    on_macs = [each for each in targets() if "darwin" in each.platform]

    assert on_macs
    assert not [each for each in on_macs if any("gpu" in lock for lock in each.locks)]
