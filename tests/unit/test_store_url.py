from __future__ import annotations

from pathlib import Path

import pytest

from contract.errors import BadSettings
from contract.settings import SharedSettings
from contract.store_url import StoreUrl


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://bucket", StoreUrl("s3", "bucket")),
        ("s3://my.bucket-1/a/b/", StoreUrl("s3", "my.bucket-1", "a/b")),
        ("gs://bucket//a", StoreUrl("gs", "bucket", "a")),
        ("az://container/a", StoreUrl("az", "container", "a")),
    ],
)
def test_an_address_in_object_storage_is_parsed(text: str, url: StoreUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_MODELS_DIR", text)

    assert SharedSettings.load().models_dir == url
    assert StoreUrl.parse(str(url)) == url


@pytest.mark.parametrize("text", ["models", "/srv/models", "s3:/bucket", "1", "null", '["a"]'])
def test_anything_else_is_a_folder(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETORT_MODELS_DIR", text)

    assert SharedSettings.load().models_dir == Path(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("http://host/models", "http:// is not known"),
        ("file:///models", "file:// is not known"),
        ("s3://", "no address like s3://BUCKET/PREFIX"),
        ("s3:///models", "no address"),
        ("s3://bucket/../other", "no address"),
        ("s3://KEY:SECRET@bucket/models", "keys come from the environment"),
        ("az://container?sig=SECRET", "keys come from the environment"),
    ],
)
def test_a_bad_address_stops_the_program_and_tells_no_secret(
    text: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETORT_MODELS_DIR", text)

    with pytest.raises(BadSettings, match=rf"RETORT_MODELS_DIR: .*{why}") as raised:
        SharedSettings.load()

    assert "SECRET" not in str(raised.value)
