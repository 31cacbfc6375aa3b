from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.integration.api.inference_fuzz import fuzz


@pytest.mark.usefixtures("worker")
def test_nearly_right_messages_are_answered_or_refused_in_the_protocol_s_words(client: FlaskClient) -> None:
    """A short run; `python -m tests.integration.api.inference_fuzz 5000` is the long one."""
    found = fuzz(client, 300)
    assert found[200] > 20
    assert found[422] > 20
