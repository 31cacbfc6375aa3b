"""Job ids that prove that this service issued them, so that an expired job is told from one that never was.

An id is 6 bytes of time (ms), 6 random bytes and 6 bytes of keyed BLAKE2b (RFC 7693) over both, in lower-case
base32: 29 characters. The key lives in Redis, shared by every API process. Nothing is stored for an id once its job
is gone, and yet `GET /jobs/<id>` can answer 410 instead of 404.
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


def issue(key: bytes, now_ms: int) -> str:
    """A new id, issued at `now_ms` (Unix milliseconds)."""
    payload = now_ms.to_bytes(_TIME) + secrets.token_bytes(_RANDOM)
    return base64.b32encode(payload + _mac(key, payload)).decode().rstrip("=").lower()


def was_issued(key: bytes, job_id: str) -> bool:
    """Whether `job_id` came from `issue` with this key."""
    try:
        raw = base64.b32decode(job_id.upper() + "===")
    except (binascii.Error, ValueError):
        return False
    if base64.b32encode(raw).decode().rstrip("=").lower() != job_id:
        return False  # another spelling of an id that was issued: upper case, or the last digit's spare bits
    payload, mac = raw[: _TIME + _RANDOM], raw[_TIME + _RANDOM :]
    return hmac.compare_digest(mac, _mac(key, payload))


def _mac(key: bytes, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, key=key, digest_size=_MAC).digest()
