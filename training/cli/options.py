"""Command-line options from the fields of a model: one place says a choice's name, type, default and meaning."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

Model = TypeVar("Model", bound=BaseModel)


def with_options(model: type[BaseModel], argument: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option per field of `model`; those that were used arrive as a dict named `argument`."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        def wrapped(**values: Any) -> None:
            given = {name: values.pop(name) for name in model.model_fields}
            command(**values, **{argument: {name: value for name, value in given.items() if value is not None}})

        own = inspect.signature(command, eval_str=True).parameters.values()
        added = [_parameter(name, field) for name, field in model.model_fields.items()]
        wrapped.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [*(each for each in own if each.name != argument), *added]
        )
        wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
        return wrapped

    return decorate


def validated(model: type[Model], given: Mapping[str, Any]) -> Model:
    """The model of what was given. Raises BadParameter, which names the option."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise bad_option(error) from error


def bad_option(error: ValidationError) -> typer.BadParameter:
    """What to tell about an option's value that the model refused."""
    first = error.errors()[0]
    if not first["loc"]:
        return typer.BadParameter(first["msg"].removeprefix("Value error, "))
    option = "--" + str(first["loc"][0]).replace("_", "-")
    return typer.BadParameter(f"{option}: {first['msg']}, not {first['input']!r}")


def _parameter(name: str, field: Any) -> inspect.Parameter:
    kind = field.annotation if field.annotation in (int, float, bool) else str
    default = "" if field.default is None else f"  [default: {field.default}]"
    option = typer.Option(help=f"{field.description}{default}", show_default=False)
    annotation = Annotated[kind | None, option]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
