"""Redis and its Sentinels behind TLS, user and password, by every client that this service has."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import redis
from celery import Celery
from pydantic import SecretStr

from contract.celery_config import celery_config
from contract.redis_client import connect
from contract.settings import SharedSettings
from harness.link import Link
from harness.redis_group import GROUP, RedisGroup
from harness.redis_server import RedisServer

USER, PASSWORD = "reader", "p/w"

pytestmark = pytest.mark.timeout(120)
Encrypted = Callable[[int], AbstractContextManager[Link]]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of its own for 127.0.0.1, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*made, *names], check=True, capture_output=True)
    return certificate, key


@pytest.fixture
def encrypted(certificate: tuple[Path, Path]) -> Encrypted:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return lambda port: Link(port, tls=context)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        redis.Redis(port=server.port).acl_setuser(USER, enabled=True, passwords=[f"+{PASSWORD}"], keys=["*"],
                                                  channels=["*"], commands=["+@all"])  # fmt: skip
        yield server


def test_a_server_behind_tls_is_asked_and_gets_messages(
    server: RedisServer, encrypted: Encrypted, certificate: tuple[Path, Path]
) -> None:
    with encrypted(server.port) as link:
        address = f"rediss://{USER}@127.0.0.1:{link.port}/0?ssl_ca_certs={certificate[0]}"
        settings = SharedSettings(redis_url=address, redis_password=SecretStr(PASSWORD))
        with connect(settings) as client:
            assert client.ping()
        with Celery("some", config_source=celery_config(settings), set_as_current=False) as celery:
            celery.send_task("some.task", queue="some")
        assert redis.Redis(port=server.port).llen("some") == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(server: RedisServer, encrypted: Encrypted) -> None:
    with encrypted(server.port) as link:
        client = connect(SharedSettings(redis_url=f"rediss://127.0.0.1:{link.port}/0"))
        with pytest.raises(redis.ConnectionError, match="certificate"):
            client.ping()


def test_sentinels_behind_tls_with_a_user_name_the_primary(
    tmp_path: Path, encrypted: Encrypted, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "SSL_CERT_FILE", str(certificate[0]))
    with RedisGroup(tmp_path, replicas=0) as group, encrypted(group.sentinel_ports[0]) as link:
        sentinel = redis.Redis(port=group.sentinel_ports[0])
        sentinel.acl_setuser(USER, enabled=True, passwords=[f"+{PASSWORD}"], channels=["*"], commands=["+@all"])
        sentinel.acl_setuser("default", enabled=False)
        settings = SharedSettings(
            redis_url=f"redis+sentinel://127.0.0.1:{link.port}/{GROUP}", redis_sentinel_tls=True,
            redis_sentinel_user=USER, redis_sentinel_password=SecretStr(PASSWORD),
        )  # fmt: skip
        with connect(settings) as client:
            assert client.ping()
        with Celery("some", config_source=celery_config(settings), set_as_current=False) as celery:
            celery.send_task("some.task", queue="some")
        assert redis.Redis(port=group.servers[0].port).llen("some") == 1
