from __future__ import annotations

from pathlib import Path

import pytest
import redis

from harness.redis_server import RedisServer
from tests.integration.api.fuzz import fuzz


@pytest.mark.timeout(600)  # minutes on a machine that has much else to do
def test_what_the_document_promises_holds_for_generated_requests(
    store: redis.Redis, redis_server: RedisServer, tmp_path: Path
) -> None:
    """A short run; `python -m tests.integration.api.fuzz 400` is the long one."""
    assert store.dbsize() == 0
    done = fuzz(redis_server, tmp_path, examples=10, seed=1)
    assert done.returncode == 0, done.stdout
