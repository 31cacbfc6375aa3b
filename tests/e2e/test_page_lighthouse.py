"""What Lighthouse thinks of each part of the page, on a phone and on a desk. It comes from npm: `make lighthouse`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.process import ROOT
from tests.e2e.conftest import ARGUMENTS
from tests.e2e.page_stack import PageStack
from tests.e2e.test_page import PARTS

LIGHTHOUSE = ROOT / ".lighthouse" / "node_modules" / ".bin" / "lighthouse"
REPORTS = ROOT / "run" / "lighthouse"
CATEGORIES = ("performance", "accessibility", "best-practices")
LEAST = 95
TRIES = 3
"""The best of them counts: whatever else runs on the machine only costs points."""

pytestmark = pytest.mark.skipif(not LIGHTHOUSE.exists(), reason="Lighthouse is not there: make lighthouse")


@pytest.mark.parametrize("device", ["mobile", "desktop"])
@pytest.mark.parametrize("part", PARTS)
def test_each_part_has_at_least_95_of_100_points(stack: PageStack, chromium: str, part: str, device: str) -> None:
    tried: list[tuple[dict[str, int], dict[str, str]]] = []
    while len(tried) < TRIES and not any(min(points.values()) >= LEAST for points, _ in tried):
        report = audited(f"{stack.url}/#{part}", REPORTS / f"{part}-{device}.json", chromium, device)
        tried.append(({name: points_of(report, name) for name in CATEGORIES}, lost(report)))
    best, lost_by = max(tried, key=lambda one: min(one[0].values()))
    print(f"{part}, {device}: {best}, the best of {len(tried)}")
    assert min(best.values()) >= LEAST, lost_by


def audited(url: str, path: Path, chromium: str, device: str) -> Any:
    """Lighthouse's report, which stays at the path. Nothing is asked for but the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = " ".join(["--headless=new", *ARGUMENTS])
    command = [str(LIGHTHOUSE), url, f"--chrome-flags={flags}", f"--only-categories={','.join(CATEGORIES)}", "--quiet"]
    command += ["--no-enable-error-reporting", "--output=json", f"--output-path={path}"]
    command += ["--preset=desktop"] if device == "desktop" else []
    subprocess.run(command, env=os.environ | {"CHROME_PATH": chromium}, stderr=subprocess.DEVNULL, timeout=180)
    return json.loads(path.read_text(encoding="utf-8"))


def points_of(report: Any, category: str) -> int:
    """Of 100; 0 where Lighthouse could not look at the page."""
    return round(100 * (report["categories"][category]["score"] or 0))


def lost(report: Any) -> dict[str, str]:
    """The audits that cost points, with what they show."""
    counted = {
        audit["id"] for name in CATEGORIES for audit in report["categories"][name]["auditRefs"] if audit["weight"]
    }
    found = {name: report["audits"][name] for name in counted}
    return {
        name: audit.get("displayValue") or audit["title"]
        for name, audit in found.items()
        if (audit["score"] or 0) < 0.9
    }
