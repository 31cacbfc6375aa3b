"""How `RETORT_REDIS_URL` is read."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from contract.celery_config import celery_config
from contract.errors import BadSettings
from contract.redis_address import RedisAddress, parse_address
from contract.settings import SharedSettings

WATCHERS = "of the Sentinels"
GROUP = "redis+sentinel://a,b:26380,[::1]:7/group"


@pytest.mark.parametrize(
    ("url", "password", "address"),
    [
        ("redis://h:1/2", None, RedisAddress(url="redis://h:1/2")),
        ("redis://h:1/2", "p@ss", RedisAddress(url="redis://:p%40ss@h:1/2")),
        ("rediss://u:old@h/0?ssl_ca_certs=/c", "new", RedisAddress(url="rediss://u:new@h/0?ssl_ca_certs=/c")),
        ("unix:///run/redis.sock", None, RedisAddress(url="unix:///run/redis.sock")),
        (
            GROUP,
            None,
            RedisAddress(
                url="redis://group/0", sentinels=(("a", 26379), ("b", 26380), ("::1", 7)), service="group"
            ),
        ),
        (
            "rediss+sentinel://u@h/g/3?ssl_ca_certs=/c",
            "p",
            RedisAddress(url="rediss://u:p@g/3?ssl_ca_certs=/c", sentinels=(("h", 26379),), service="g"),
        ),
    ],
)  # fmt: skip
def test_an_address_names_a_server_or_the_sentinels_of_a_group(
    url: str, password: str | None, address: RedisAddress
) -> None:
    assert parse_address(url, password) == address


@pytest.mark.parametrize(
    "url",
    ["localhost:6379", "", "http://h", "redis:/h", "redis+sentinel://h", "redis+sentinel:///g", "redis+sentinel://a,,b/g",
     "redis+sentinel://a/g/x", "redis+sentinel://a:b:c/g", "redis+sentinel://a:99999/g", "unix+sentinel://a/g"],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_its_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    head, slashes, tail = url.partition("://")
    monkeypatch.setenv("RETORT_REDIS_URL", f"{head}{slashes}user:secret@{tail}" if slashes else url)
    with pytest.raises(BadSettings, match="RETORT_REDIS_URL") as refused:
        SharedSettings.load()
    assert "secret" not in str(refused.value)


def test_celery_is_told_every_sentinel_the_group_and_the_passwords_of_both() -> None:
    settings = SharedSettings(
        redis_url=GROUP, redis_password=SecretStr("p/w"), redis_sentinel_password=SecretStr(WATCHERS)
    )
    config = celery_config(settings)
    assert config["broker_url"].split(";") == [
        f"sentinel://:p%2Fw@{host}/0" for host in ("a:26379", "b:26380", "[::1]:7")
    ]
    options = config["broker_transport_options"]
    assert options["master_name"] == "group"
    assert options["sentinel_kwargs"]["password"] == WATCHERS
    assert "broker_use_ssl" not in config


def test_celery_encrypts_what_goes_to_a_group_with_tls() -> None:
    config = celery_config(SharedSettings(redis_url="rediss+sentinel://h/g?ssl_ca_certs=/ca.crt"))
    assert config["broker_use_ssl"] == {"ssl_cert_reqs": "required", "ssl_ca_certs": "/ca.crt"}
