"""A message as it lies in its queue: kombu's envelope, whose body is base64 of Celery's arguments."""

from __future__ import annotations

import base64
import json

from contract.message import Ticket, unpack


def tickets_of(message: str) -> list[Ticket]:
    """The tickets of a message. Raises ValueError for what is none, or is one of a newer release."""
    try:
        arguments, _, _ = json.loads(base64.b64decode(json.loads(message)["body"]))
        return unpack(arguments[0])
    except (KeyError, TypeError, IndexError, RecursionError) as error:
        raise ValueError(f"no message of this service: {type(error).__name__}") from error
