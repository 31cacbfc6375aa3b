"""Reading a model's `config.json`, of Hugging Face's or of Google's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from contract.artifact import ActivationName, Architecture
from encoders.families import FAMILIES
from encoders.families.family import Family
from training.errors import BadBaseModel

ACTIVATIONS: dict[str, ActivationName] = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_accurate": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}
"""What Hugging Face's names of activations mean here."""

Config = Mapping[str, Any]


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises BadBaseModel, naming the file."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise BadBaseModel(f"{path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadBaseModel(f"{path}: not JSON: {error}") from error
    if not isinstance(content, dict):
        raise BadBaseModel(f"{path}: not a JSON object")
    return content


def family_in(config: Config, source: Path) -> Family:
    """The family that the configuration names. Raises BadBaseModel, with the list, when it is none of them."""
    kind = config.get("model_type", "bert")
    for family in FAMILIES.values():
        if kind in family.model_types:
            return family
    known = sorted(kind for family in FAMILIES.values() for kind in family.model_types)
    raise BadBaseModel(f"{source}: model_type {kind!r} is not among those that are read: {', '.join(known)}")


def architecture_in(
    config: Config, source: Path, activations: Mapping[str, ActivationName] = ACTIVATIONS
) -> Architecture:
    """The architecture in a configuration file; `activations` says what its `hidden_act` names mean here."""
    family = family_in(config, source)
    _refuse_what_changes_the_layers(config, source)
    found = {field: _entry(config, family, field) for field in ("hidden_act", "embedding_size", "pad_token_id")}
    if (activation := found["hidden_act"]) not in activations:
        raise BadBaseModel(f"{source}: hidden_act {activation!r} is not one of {', '.join(sorted(activations))}")
    fields = {field: _entry(config, family, field) for field in Architecture.model_fields}
    given = {field: value for field, value in fields.items() if value is not None}
    own = {
        "family": family.name,
        "activation": activations[activation],
        "embedding_size": found["embedding_size"] if _projects(family, found["embedding_size"], given) else None,
        "position_offset": _offset(found["pad_token_id"]) if family.positions_after_padding else 0,
    }
    if not family.token_types:
        own["type_vocab_size"] = 0
    try:
        return Architecture.model_validate(given | own)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        name = family.config_names.get(where, where)
        raise BadBaseModel(f"{source}: {name}{': ' if name else ''}{first['msg']}") from error


def _entry(config: Config, family: Family, field: str) -> Any:
    name = family.config_names.get(field, field)
    return config.get(name, family.config_defaults.get(field))


def _projects(family: Family, width: Any, given: Mapping[str, Any]) -> bool:
    return family.projection is not None and (family.always_projects or width != given.get("hidden_size"))


def _offset(padding: Any) -> Any:
    return padding + 1 if isinstance(padding, int) else padding


def _refuse_what_changes_the_layers(config: Config, source: Path) -> None:
    if (positions := config.get("position_embedding_type", "absolute")) != "absolute":
        raise BadBaseModel(f"{source}: position_embedding_type {positions!r} is not supported, only 'absolute'")
    if config.get("is_decoder"):
        raise BadBaseModel(f"{source}: is_decoder is set; only encoders can be served")
    if "auto_map" in config:
        raise BadBaseModel(f"{source}: auto_map asks for code of the model's own, which is never run")
    if "quantization_config" in config:
        raise BadBaseModel(f"{source}: quantization_config: save the model unquantized first")
    if config.get("pruned_heads"):
        raise BadBaseModel(f"{source}: pruned_heads: layers with unequal heads can't be served")
