"""The application that the verbs are added to, and what they share."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import Console

from contract.artifact import NAME_PATTERN
from contract.errors import NoModel
from training.artifact.opened import open_store
from training.artifact.store import Store
from training.settings import TrainingSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
# No markup: what is printed holds texts, labels and paths of the user's, in which [b] is no tag.
console = Console(highlight=False, markup=False)
errors = Console(highlight=False, markup=False, stderr=True)


def _valid_name(name: str | None) -> str | None:
    if name is not None and not re.match(NAME_PATTERN, name):
        raise typer.BadParameter(f"{name!r} is no name: small letters, digits, '.', '_' and '-', at most 64")
    return name


ModelName = Annotated[str | None, typer.Option("--name", help="the model's name [RETORT_MODEL]", callback=_valid_name)]
DataFile = Annotated[
    str,
    typer.Option(help="labelled texts: .csv, .tsv, .jsonl, .parquet, the first three also .gz; a file, or s3://…"),
]
BaseName = Annotated[str, typer.Option(help="minilm, a folder, or the name of a downloaded base model")]
Margin = Annotated[float, typer.Option(help="accuracy, or micro F1, that may be lost against the current version")]
Force = Annotated[bool, typer.Option("--force", help="serve it even if it is worse")]


@dataclass(frozen=True)
class ModelTarget:
    """One model, with the settings that say where."""

    settings: TrainingSettings
    store: Store

    @property
    def current(self) -> str | None:
        try:
            return self.store.reader.current(self.store.name)
        except NoModel:
            return None

    def activate(self, version: str) -> None:
        """Make the version current, and say who will serve it."""
        self.store.activate(version)
        self.announce(version)

    def announce(self, version: str) -> None:
        """Say which version is current now and who will serve it."""
        from training.cli.served_by import served_by  # Redis's client takes as long to import as all else here

        console.print(f"current: {version}")
        console.print(served_by(self.store.name, self.settings), soft_wrap=True)


def named(name: str | None) -> ModelTarget:
    """The model `name`, or the one that RETORT_MODEL says."""
    settings = TrainingSettings.load()
    return ModelTarget(settings, open_store(settings, name or settings.default_model))
