"""Requests to the addresses below /v2 that are nearly right, and some that are anything.

`python -m tests.integration.api.inference_fuzz 5000` makes so many and prints how they were answered.
"""

from __future__ import annotations

import json
import struct
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.settings import ApiSettings
from harness.answering_worker import VERSION, AnsweringWorker
from harness.redis_server import RedisServer

NAMES = [
    "label", "score", "labels", "review", "unfamiliar", "tokens", "truncated", "unknown", "windows", "error",
    "top_label", "top_score", "scores", "classes", "other",
]  # fmt: skip
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """What is right, or now and then anything: at a number in the middle, for Hypothesis prefers those at the ends."""
    return st.integers(0, 39).flatmap(lambda n: ANYTHING if n == 17 else right)


def members(**named: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object of some of these members, sometimes with one that nobody knows."""
    return st.fixed_dictionaries({}, optional={**{name: mostly(value) for name, value in named.items()}})


PARAMETERS = members(
    top_k=st.integers(0, 5), scores=st.booleans(), truncate=st.sampled_from(["left", "right", "error", "up"]),
    long=st.sampled_from(["cut", "mean", "max"]), span=st.booleans(),
    threshold=st.floats(0, 1), deadline_s=st.integers(0, 100), binary_data_output=st.booleans(), other=st.booleans(),
)  # fmt: skip
OUTPUT = st.fixed_dictionaries(
    {"name": mostly(st.sampled_from(NAMES))}, optional={"parameters": mostly(members(binary_data=st.booleans()))}
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[bytes, dict[str, str]]:
    """A message with its headers: texts as JSON or as bytes, whose lengths are mostly told right."""
    texts = draw(st.lists(st.text(max_size=20), max_size=4))
    shape = draw(mostly(st.sampled_from([[len(texts)], [len(texts), 1], [len(texts) + 1]])))
    tensor = {"name": draw(mostly(st.just("text"))), "datatype": draw(mostly(st.just("BYTES"))), "shape": shape}
    behind = b""
    if draw(st.booleans()):
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        behind = b"".join(struct.pack("<I", len(one)) + one for one in encoded)
        behind = draw(st.just(behind) | st.just(behind[:-1]) | st.binary(max_size=30))
        tensor["parameters"] = {"binary_data_size": draw(mostly(st.just(len(behind))))}
    else:
        tensor["data"] = draw(mostly(st.just(texts) | st.just([[text] for text in texts])))
    document = {"inputs": draw(mostly(st.just([tensor])))}
    document |= draw(members(id=st.text(max_size=10), parameters=PARAMETERS, outputs=st.lists(OUTPUT, max_size=4)))
    head = json.dumps(document).encode()
    headers = {"Content-Type": draw(mostly(st.sampled_from(["application/json", "application/octet-stream"])).map(str))}
    if behind or draw(st.booleans()):
        told = st.integers(0, 9).flatmap(lambda n: st.integers(-1, 2 * len(head)) if n == 6 else st.just(len(head)))
        headers["Inference-Header-Content-Length"] = str(draw(told))
    return draw(
        st.integers(0, 9).flatmap(lambda n: st.binary(max_size=50) if n == 6 else st.just(head + behind))
    ), headers


MODELS = st.sampled_from(["default"] * 6 + [f"default/versions/{VERSION}", "default/versions/1", "other"])
READS = st.one_of(
    MODELS.map("/v2/models/{}".format),
    MODELS.map("/v2/models/{}/ready".format),
    st.sampled_from(["/v2", "/v2/", "/v2/health/live", "/v2/health/ready"]),
    st.text(max_size=20).map("/v2/{}".format),
)
REQUESTS = st.integers(0, 9).flatmap(
    lambda n: (
        st.tuples(st.sampled_from(["GET", "POST", "PUT"]), READS)
        if n == 6
        else st.tuples(st.just("POST"), MODELS.map("/v2/models/{}/infer".format))
    )
)
QUERIES = st.integers(0, 9).flatmap(
    lambda n: (
        st.dictionaries(st.sampled_from(["wait", "waits", "id"]), st.sampled_from("01x")) if n == 6 else st.just({})
    )
)


def fuzz(client: FlaskClient, requests: int) -> Counter[int]:
    """How many requests were answered by which status. Raises AssertionError at a 5xx, or an error of another form."""
    found: Counter[int] = Counter()

    @settings(
        max_examples=requests, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(REQUESTS, bodies(), QUERIES)
    def ask(request: tuple[str, str], message: tuple[bytes, dict[str, str]], query: dict[str, str]) -> None:
        (method, address), (body, headers) = request, message
        answer = client.open(address, method=method, data=body, headers=headers, query_string=query)
        found[answer.status_code] += 1
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert list(answer.get_json()) == ["error"]

    ask()
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as redis:
        given_settings = ApiSettings(redis_url=redis.url, models_dir=Path(folder))
        with AnsweringWorker(given_settings):
            app = create_app(given_settings)
            print(dict(sorted(fuzz(app.test_client(), int(sys.argv[1])).items())))
            app.extensions["retort"].close()


if __name__ == "__main__":
    main()
