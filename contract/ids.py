"""Job ids that prove that this service issued them, so that an expired job is told from one that never was.

An id is 6 bytes of time (ms), 6 random bytes and 6 bytes of keyed BLAKE2b (RFC 7693) over both, in lower-case
base32: 29 characters. The hash covers the caller too, so that an id proves nothing to another one. The key lives in
Redis, shared by every API process. Nothing is stored for an id once its job is gone, and yet `GET /jobs/<id>` can
answer 410 instead of 404.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets

KEY_BYTES = 32
ID_PATTERN = r"^[a-z2-7]{29}$"
_TIME, _RANDOM, _MAC = 6, 6, 6


def new_key() -> bytes:
    return secrets.token_bytes(KEY_BYTES)


def issue(key: bytes, now_ms: int, caller: str = "") -> str:
    """A new id for this caller, issued at `now_ms` (Unix milliseconds)."""
    payload = now_ms.to_bytes(_TIME) + secrets.token_bytes(_RANDOM)
    return _written(payload + _mac(key, payload, caller))


def was_issued(key: bytes, job_id: str, caller: str = "") -> bool:
    """True when `job_id` came from `issue` with this key, for this caller."""
    try:
        raw = base64.b32decode(job_id.upper() + "===")
    except (binascii.Error, ValueError):
        return False
    payload, mac = raw[: _TIME + _RANDOM], raw[_TIME + _RANDOM :]
    # An id has one spelling: other cases, and other values of the bit that 29 digits have to spare, were never issued.
    return _written(raw) == job_id and hmac.compare_digest(mac, _mac(key, payload, caller))


def _written(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _mac(key: bytes, payload: bytes, caller: str) -> bytes:
    return hashlib.blake2b(payload + caller.encode(), key=key, digest_size=_MAC).digest()
