"""docs/operations.md lists every setting of every service with its default."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic.fields import FieldInfo

from contract.settings import PREFIX, SharedSettings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "operations.md"


def every_settings_class() -> Iterator[type[SharedSettings]]:
    """SharedSettings and what each service derives from it, in its `settings` module."""
    yield SharedSettings
    for module in sorted(path.parent.name for path in ROOT.glob("*/settings.py")):
        importlib.import_module(f"{module}.settings")
    yield from SharedSettings.__subclasses__()


def variables() -> dict[str, FieldInfo]:
    return {
        (PREFIX + name).upper(): field
        for settings in every_settings_class()
        for name, field in settings.model_fields.items()
    }


def documented_defaults() -> dict[str, str]:
    """The rows of the page's tables: | `RETORT_NAME` | `default` | what it does |"""
    rows = re.findall(r"^\| `(RETORT_\w+)` \| (.*?) \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: default.strip("`") for name, default in rows}


@pytest.mark.parametrize("variable", variables())
def test_every_setting_is_documented_with_its_default(variable: str) -> None:
    default = variables()[variable].get_default(call_default_factory=True)

    assert documented_defaults()[variable] == ("" if default is None else str(default))


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert documented_defaults().keys() <= variables().keys()


def test_every_setting_says_what_it_is() -> None:
    assert [variable for variable, field in variables().items() if not field.description] == []
