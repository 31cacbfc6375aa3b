"""uv looks for packages where pip would."""

from __future__ import annotations

from local.install import uv_environment


def test_pips_index_is_uvs_index() -> None:
    found = uv_environment({"index-url": "https://mirror.example/simple", "timeout": "60"}, {})

    assert found["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"


def test_several_values_are_separated_as_uv_expects() -> None:
    found = uv_environment({"extra-index-url": "https://a.example\nhttps://b.example", "find-links": "/a /b"}, {})

    assert found["UV_INDEX"] == "https://a.example https://b.example"
    assert found["UV_FIND_LINKS"] == "/a,/b"


def test_what_the_user_told_uv_stays() -> None:
    found = uv_environment({"index-url": "https://mirror.example"}, {"UV_DEFAULT_INDEX": "https://mine.example"})

    assert found["UV_DEFAULT_INDEX"] == "https://mine.example"
