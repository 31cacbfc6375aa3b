"""`python -m api.keys new NAME [OWNER]`: make an API key. `python -m api.keys secret`: make one that signs webhooks."""

from __future__ import annotations

import base64
import secrets
import sys

from pydantic import ValidationError

from contract.api_keys import SECRET_PREFIX, Key, digest


def main(arguments: list[str]) -> None:
    """Make a key: what goes into the file to stdout, the key itself to stderr, so that `>> keys.toml` leaves it out."""
    match arguments:
        case ["new", name, *owners] if len(owners) <= 1:
            key = f"retort_{secrets.token_urlsafe(32)}"
            try:
                made = Key(name=name, sha256=digest(key), owner=owners[0] if owners else None)
            except ValidationError as error:
                first = error.errors()[0]
                sys.exit(f"{first['loc'][0]}: {first['msg']}")
            print(f'[[keys]]\nname = "{made.name}"\nsha256 = "{made.sha256}"')
            if made.owner:
                print(f'owner = "{made.owner}"')
            print(f"the key of {name}, shown this once: {key}", file=sys.stderr)
        case ["secret"]:
            print(SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode())
        case _:
            sys.exit("usage: python -m api.keys new NAME [OWNER] | secret")


if __name__ == "__main__":
    main(sys.argv[1:])
