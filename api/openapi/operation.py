"""What the description of an operation is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A part of the address, of the query or of the headers."""

    name: str
    where: str
    description: str
    schema: Mapping[str, Any]

    def as_openapi(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "in": self.where,
            "required": self.where == "path",
            "description": self.description,
            "schema": dict(self.schema),
        }


@dataclass(frozen=True, kw_only=True)
class ResponseSpec:
    """A good answer: a model or a schema per media type."""

    status: int
    description: str
    content: Mapping[str, type[BaseModel] | Mapping[str, Any]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A method at an address."""

    method: str
    path: str
    name: str
    tag: str
    summary: str
    description: str
    answers: Sequence[ResponseSpec]
    problems: Sequence[str] = ()
    parameters: Sequence[Parameter] = ()
    body: type[BaseModel] | None = None
    examples: Mapping[str, Any] = field(default_factory=dict)
    needs_key: bool = True
    error: type[BaseModel] | None = None
    """What its problems are told as; problem details (RFC 9457) unless it is another protocol's."""
