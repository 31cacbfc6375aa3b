"""Whatever a stranger puts into a queue, the worker reads on."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from contract.message import Lane, Ticket, queue_name
from contract.quarantine import Quarantine
from harness.forks import ForkedProcess
from harness.process import ServiceProcess
from harness.running_service import RunningService
from harness.until import until
from tests.noting_worker import HANDED

QUEUE = queue_name("tiny", Lane.INTERACTIVE)
PATIENCE_S = 90.0

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("junk")
    with RunningService(folder, folder=folder, workers=0, api=False, messages=4) as service:
        yield service


@pytest.fixture(scope="module")
def worker(service: RunningService) -> ServiceProcess:
    made = service.start_process("noting-worker", [sys.executable, "-m", "tests.noting_worker"], kind=ForkedProcess)
    assert hands_on(service, "first")
    return made


def hands_on(service: RunningService, name: str) -> bool:
    """Whether a message that is sent now reaches its task."""
    service.send([Ticket(name, 0)], Lane.INTERACTIVE)
    return bool(until(lambda: f"{name}/0" in service.client.lrange(HANDED, 0, -1), PATIENCE_S))


def encoded(arguments: Any) -> str:
    return base64.b64encode(json.dumps(arguments).encode()).decode()


def spoiled(message: str, **changes: Any) -> bytes:
    """A message of the service with some of its parts exchanged."""
    return json.dumps(json.loads(message) | changes).encode()


@pytest.fixture(scope="module")
def sound(service: RunningService, worker: ServiceProcess) -> str:  # noqa: ARG001
    """A message as the service sends it."""
    service._celery.send_task("retort.predict", args=[{"schema": 1, "tickets": ["x/0"]}], queue="retort.other")
    return str(service.client.lindex("retort.other", 0))


KINDS: dict[str, Callable[[str], bytes]] = {
    "text": lambda _: b"garbage",
    "bytes": lambda _: b"\xff\xfe\x00",
    "empty": lambda _: b"",
    "number": lambda _: b"7",
    "list": lambda _: b"[1]",
    "object": lambda _: b"{}",
    "deep": lambda _: b"[" * 100_000,
    "no-headers": lambda sound: spoiled(sound, headers={}),
    "headers-of-another-type": lambda sound: spoiled(sound, headers=7),
    "headers-null": lambda sound: spoiled(sound, headers=None),
    "another-task": lambda sound: spoiled(sound, headers=json.loads(sound)["headers"] | {"task": "another"}),
    "no-id": lambda sound: spoiled(sound, headers={"task": "retort.predict"}),
    "properties-of-another-type": lambda sound: spoiled(sound, properties=[]),
    "no-base64": lambda sound: spoiled(sound, body="not base64 !"),
    "no-json": lambda sound: spoiled(sound, body=base64.b64encode(b"{").decode()),
    "no-arguments": lambda sound: spoiled(sound, body=encoded([[], {}, {}])),
    "two-arguments": lambda sound: spoiled(sound, body=encoded([[{"schema": 1, "tickets": []}, 7], {}, {}])),
    "named-argument": lambda sound: spoiled(sound, body=encoded([[], {"what": 7}, {}])),
    "no-message": lambda sound: spoiled(sound, body=encoded([["no message"], {}, {}])),
    "no-tickets": lambda sound: spoiled(sound, body=encoded([[{"schema": 1}], {}, {}])),
    "junk-tickets": lambda sound: spoiled(sound, body=encoded([[{"schema": 1, "tickets": ["x", 7]}], {}, {}])),
    "pickle": lambda sound: spoiled(sound, **{"content-type": "application/x-python-serialize"}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_junk_is_taken_off_the_queue_and_noted_and_the_next_message_is_handled(
    service: RunningService, worker: ServiceProcess, sound: str, kind: str
) -> None:
    quarantine = Quarantine(service.client, service.settings)
    quarantine.clear()
    for _ in range(8):
        service.client.rpush(QUEUE, KINDS[kind](sound))
    assert hands_on(service, f"after-{kind}")
    assert not worker.has_ended()
    assert {entry.kind for entry in quarantine.entries()} == {"message"}


def test_a_message_of_a_newer_release_is_skipped_and_is_no_damage(
    service: RunningService, worker: ServiceProcess, sound: str
) -> None:
    quarantine = Quarantine(service.client, service.settings)
    quarantine.clear()
    service.client.rpush(QUEUE, spoiled(sound, body=encoded([[{"schema": 2, "tickets": "of another form"}], {}, {}])))
    assert hands_on(service, "after-newer")
    assert (worker.has_ended(), quarantine.entries()) == (False, [])


def test_a_queue_of_another_type_is_waited_for(service: RunningService, worker: ServiceProcess) -> None:
    service.client.delete(QUEUE)
    service.client.set(QUEUE, "junk")
    until(lambda: service.client.exists(QUEUE))
    service.send([Ticket("bulk", 0)], Lane.BULK)
    service.client.rename(QUEUE, "aside")
    assert hands_on(service, "after-type")
    assert not worker.has_ended()


def test_a_worker_that_is_told_to_stop_ends_with_status_0(service: RunningService, worker: ServiceProcess) -> None:
    assert hands_on(service, "last")
    assert worker.terminate() == 0
