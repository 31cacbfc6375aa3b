"""Each image has what its program imports: what is installed beside it elsewhere hides what its lock lacks."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMPORT = """
import importlib, re, sys
from importlib.metadata import packages_distributions

locked, *names = sys.argv[1:]
locked = locked.split()
of = packages_distributions()

class Image:
    def find_spec(self, name, path=None, target=None):
        owners = [re.sub("[-_.]+", "-", each).lower() for each in of.get(name, ())]
        if owners and not set(owners) & set(locked):
            raise ModuleNotFoundError(f"no {name} in the image", name=name)

sys.meta_path.insert(0, Image())
for name in names:
    importlib.import_module(name)
"""


@pytest.mark.parametrize(
    ("lock", "imported"),
    [
        ("notifier.txt", ["notifier.__main__", "kombu.transport.redis"]),
        ("api.txt", ["api.app", "kombu.transport.redis"]),
    ],
)
def test_a_lock_has_what_its_program_imports(lock: str, imported: list[str]) -> None:
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    locked = " ".join(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))

    done = subprocess.run([sys.executable, "-c", IMPORT, locked, *imported], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
