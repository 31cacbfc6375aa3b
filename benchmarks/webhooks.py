"""2,000 webhooks to a receiver that fails, stalls, redirects and dies; notifier and Redis are killed 20 times each.

Each has to arrive at least once, verified by the specification's own library, and none where it may not go. And how
late they are when nothing fails.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event, Thread
from typing import Any

from contract.api_keys import digest
from contract.webhooks import WebhookLedger
from harness.answering_worker import AnsweringWorker
from harness.running_service import RunningService
from harness.until import until
from harness.webhook_receiver import SECRET, ReceivedWebhook, WebhookReceiver, answering
from retort_client import Client

CALM, WEBHOOKS, KILLS, CLIENTS = 200, 2000, 20, 8
BETWEEN_CALM_S = 0.02
FORBIDDEN = 20
"""Webhooks to a host that is allowed by its name, and stands for an address of this machine."""
TIMEOUT_S, FIRST_PAUSE_S = 1.5, 0.2
BETWEEN_KILLS_S, AWAY_S, DOWN_S = 4.0, 0.5, 1.0
ARRIVED_S = 400.0
KEY = "benchmark"


class ErraticReceiver:
    """The behaviour of a receiver: takes most of what comes, and does to the rest what receivers do."""

    def __init__(self, elsewhere: str, seed: int = 0) -> None:
        self._chance = random.Random(seed)
        self._elsewhere = elsewhere
        self._dead_until = 0.0
        self.taken: set[str] = set()
        """Ids that were answered with 2xx."""

    def __call__(self, each: ReceivedWebhook, request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        chance = self._chance.random()
        if time.monotonic() < self._dead_until:
            return
        if chance < 0.002:
            self._dead_until = time.monotonic() + DOWN_S
        elif chance < 0.05:
            time.sleep(2 * TIMEOUT_S)
        elif chance < 0.10:
            request.send_response(307)
            request.send_header("Location", self._elsewhere)
            request.end_headers()
        elif chance < 0.25:
            answering(500)(each, request)
        elif chance < 0.30:
            return
        else:
            answering(204)(each, request)
            self.taken.add(each.id)


def measure(models: Path) -> tuple[dict[str, float], Any]:
    """Whether all of them arrive, and nothing where it may not go."""
    with (
        tempfile.TemporaryDirectory() as folder,
        WebhookReceiver() as receiver,
        WebhookReceiver() as elsewhere,
        _service(models, Path(folder), receiver, elsewhere) as service,
    ):
        _start_notifier(service, receiver)
        receiver.behaviour = erratic = ErraticReceiver(elsewhere.url)
        started = time.monotonic()
        jobs, kills = _stormy(service, receiver, elsewhere)
        _await_all(service)
        seconds = time.monotonic() - started
    figures: dict[str, float] = {
        "webhooks_sent": len(jobs),
        "webhooks_lost": len({f"{job}-1" for job in jobs} - erratic.taken),
        "webhooks_to_forbidden": elsewhere.connections,
    }
    arrivals = len(receiver.received) - 1
    return figures, {"arrivals": arrivals, "unverified": receiver.unverified, "kills": kills, "seconds": seconds}


def measure_delay(models: Path) -> tuple[dict[str, float], Any]:
    """From each job's end to its webhook's arrival, when nothing fails. No model computes: it takes no part in that."""
    with (
        tempfile.TemporaryDirectory() as folder,
        WebhookReceiver() as receiver,
        _service(models, Path(folder), receiver, receiver, workers=0) as service,
        AnsweringWorker(service.settings, "tiny"),
    ):
        service.await_ready()
        _start_notifier(service, receiver)
        with Client(service.url, api_key=KEY) as client:
            for _ in range(CALM):
                client.predict(["a text"], webhook=receiver.url)
                time.sleep(BETWEEN_CALM_S)
        until(lambda: len(receiver.received) > CALM, ARRIVED_S, what="the last webhook")
    late_ms = [_late_ms(each) for each in receiver.received[1:]]
    figures = {"webhook_delay_p95_ms": statistics.quantiles(late_ms, n=20)[-1]}
    return figures, {"webhooks": CALM, "p50_ms": statistics.median(late_ms), "longest_ms": max(late_ms)}


def _service(
    models: Path, folder: Path, receiver: WebhookReceiver, elsewhere: WebhookReceiver, workers: int = 1
) -> RunningService:
    keys = folder / "keys.toml"
    entry = f'[[keys]]\nname = "all"\nsha256 = "{digest(KEY)}"\nwebhook_secrets = ["{SECRET}"]\n'
    keys.write_text(entry, encoding="utf-8")
    return RunningService(
        models, workers=workers, folder=folder, api_keys_file=keys, webhook_private_hosts=receiver.host,
        webhook_hosts=f"localhost:{elsewhere.host.partition(':')[2]}", webhook_connections_of_key=32,
        webhook_timeout_s=TIMEOUT_S, webhook_first_pause_s=FIRST_PAUSE_S,
    )  # fmt: skip


def _start_notifier(service: RunningService, receiver: WebhookReceiver) -> None:
    """Return once it has sent a first webhook."""
    service.start_process("notifier", [sys.executable, "-m", "notifier"])
    with Client(service.url, api_key=KEY) as client:
        client.submit(["a text"], webhook=receiver.url)
    until(lambda: receiver.received, ARRIVED_S, what="the first webhook")


def _late_ms(each: ReceivedWebhook) -> float:
    return 1000 * (each.at_s - datetime.fromisoformat(each.event["timestamp"]).timestamp())


def _stormy(
    service: RunningService, receiver: WebhookReceiver, elsewhere: WebhookReceiver
) -> tuple[set[str], dict[str, int]]:
    """The jobs that were accepted while notifier and Redis were killed, and how often each was."""
    over, kills = Event(), {"notifier": 0, "redis": 0}
    killer = Thread(target=_kill, args=(service, kills, over))
    killer.start()
    forbidden = f"https://localhost:{elsewhere.host.partition(':')[2]}/"
    with Client(service.url, api_key=KEY, timeout_s=ARRIVED_S, retries=100) as client:

        def submit(address: str) -> str:
            time.sleep(CLIENTS * KILLS * BETWEEN_KILLS_S / WEBHOOKS)
            return client.submit(["a text"], webhook=address).id

        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(submit, [forbidden] * FORBIDDEN))
            jobs = set(pool.map(submit, [receiver.url] * WEBHOOKS))
    until(lambda: min(kills.values()) >= KILLS, ARRIVED_S, what="the last kill")
    over.set()
    killer.join()
    return jobs, kills


def _kill(service: RunningService, kills: dict[str, int], over: Event) -> None:
    chance = random.Random(1)
    for name in _turns(kills):
        if over.wait(chance.uniform(0.5, 1.5) * BETWEEN_KILLS_S / 2):
            return
        process = service.processes[name]
        process.kill()
        time.sleep(chance.uniform(0, AWAY_S))
        process.start()
        kills[name] += 1


def _turns(kills: dict[str, int]) -> Iterable[str]:
    while min(kills.values()) < KILLS:
        yield from ("notifier", "redis")


def _await_all(service: RunningService) -> None:
    ledger = WebhookLedger(service.client, service.settings)
    until(lambda: ledger.count_owed() == 0 and service.jobs.open_jobs() == 0, ARRIVED_S, what="the last webhook")
