"""Two services behind nginx with the committed configuration: each caller has one, and the death of it is its own."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Lock
from typing import NamedTuple

import httpx
import pytest

from contract.api_keys import digest
from harness.answering_worker import AnsweringWorker, answer_document
from harness.ports import free_port
from harness.process import ROOT, ServiceProcess
from harness.running_service import RunningService
from harness.until import until

CONFIGURATION = ROOT / "deploy/proxy/services.conf"
REQUESTS = 2_000
CALLERS = tuple(f"caller-{number}" for number in range(20))
KEY_OF = {caller: f"key-of-{caller}" for caller in CALLERS}
BEFORE_THE_DEATH = REQUESTS // 4
TICKETS = "tickets.retort.example.com"
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
"""What nginx may put on disk, each in a folder that any user may write to."""
pytestmark = pytest.mark.timeout(300)


class Reply(NamedTuple):
    """What a caller got: whether the service was dead before it asked, the last status, and whether all was right."""

    after: bool
    status: int
    right: bool


class Service(RunningService):
    """An API and a Redis, with a stand-in for the worker that `kill` stops, too."""

    def __init__(self, folder: Path, keys: Path) -> None:
        folder.mkdir()
        super().__init__(folder, "default", workers=0, folder=folder, api_keys_file=keys, allowed_hosts=TICKETS)
        self._stand_in: AnsweringWorker | None = None

    def __enter__(self) -> Service:
        super().__enter__()
        self.start_stand_in()
        return self

    def close(self) -> None:
        self.stop_stand_in()
        super().close()

    def start_stand_in(self) -> None:
        self._stand_in = AnsweringWorker(self.settings)
        self._stand_in.__enter__()

    def stop_stand_in(self) -> None:
        if self._stand_in is not None:
            self._stand_in.__exit__()
            self._stand_in = None

    def kill(self) -> None:
        """SIGKILL to the API and to Redis."""
        self.stop_stand_in()
        self.api.kill()
        self.redis.kill()

    def start_again(self) -> None:
        self.redis.start()
        self.api.start()
        self.await_live()
        self.start_stand_in()

    def has(self, caller: str, job: str) -> bool:
        """Whether the job is here, asked past the proxy."""
        return httpx.get(f"{self.url}{job}", headers=key_of(caller)).status_code == httpx.codes.OK


def key_of(caller: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEY_OF[caller]}"}


@pytest.fixture(scope="module")
def nginx() -> str:
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("nginx is not installed")
        pytest.skip("nginx is not installed")
    return found


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Service]]:
    folder = tmp_path_factory.mktemp("services")
    keys = folder / "keys.toml"
    keys.write_text("".join(f'[[keys]]\nname = "{name}"\nsha256 = "{digest(KEY_OF[name])}"\n' for name in CALLERS))
    with ExitStack() as stack:
        yield [stack.enter_context(Service(folder / name, keys)) for name in ("a", "b")]


@pytest.fixture(scope="module")
def proxy(nginx: str, services: list[Service], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of nginx with the configuration as it is committed but for the addresses."""
    folder = tmp_path_factory.mktemp("nginx")
    first, second = services
    port = free_port()
    configuration = CONFIGURATION.read_text(encoding="utf-8")
    for given, here in {
        "retort-a:8000": f"127.0.0.1:{first.port}",
        "retort-b:8000": f"127.0.0.1:{second.port}",
        "retort-tickets:8000": f"127.0.0.1:{second.port}",
        "listen 8080;": f"listen 127.0.0.1:{port};",
    }.items():
        assert configuration.count(given) == 1
        configuration = configuration.replace(given, here)
    (folder / "services.conf").write_text(configuration)
    folders = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in TEMPORARY)
    user = f"user {pwd.getpwuid(0).pw_name};" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; pid {folder}/nginx.pid; events {{}}\n"
        f"http {{ access_log off; {folders} include services.conf; }}\n"
    )
    command: list[str | Path] = [nginx, "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]
    process = ServiceProcess(command, folder / "nginx.log")
    process.start()
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: _answers(process, address), what="nginx")
        yield address
    finally:
        process.kill()


def _answers(process: ServiceProcess, address: str) -> bool:
    assert not process.has_ended(), process.last_lines()
    try:
        return httpx.get(f"{address}/health/live").is_success
    except httpx.TransportError:
        return False


class Load:
    """Every caller asks in a thread of its own, one job after the other; every other one is polled."""

    def __init__(self, proxy: str) -> None:
        self._proxy = proxy
        self._lock = Lock()
        self.answered = 0
        self.dead = Event()

    def ask(self, caller: str) -> list[Reply]:
        with httpx.Client(base_url=self._proxy, headers=key_of(caller), timeout=90) as client:
            return [self._ask_once(client, caller, number) for number in range(REQUESTS // len(CALLERS))]

    def _ask_once(self, client: httpx.Client, caller: str, number: int) -> Reply:
        after = self.dead.is_set()
        text = f"{caller} {number}"
        later = number % 2 == 0
        answer = client.post("/predict", json={"texts": [text]}, params={"wait": 0 if later else 60})
        if later and answer.status_code == httpx.codes.ACCEPTED:
            answer = client.get(answer.headers["Location"], params={"wait": 60})
        with self._lock:
            self.answered += 1
        if answer.is_success:
            return Reply(after, answer.status_code, answer.json().get("predictions") == [answer_document(text)])
        said = (answer.headers["Content-Type"], answer.headers.get("Retry-After"), answer.json()["status"])
        return Reply(after, answer.status_code, said == ("application/problem+json", "2", 503))


def first_jobs(proxy: str) -> dict[str, str]:
    """A job of each caller, by caller."""
    jobs = {}
    for caller in CALLERS:
        answer = httpx.post(f"{proxy}/predict", json={"texts": [caller]}, headers=key_of(caller), timeout=90)
        jobs[caller] = f"/jobs/{answer.raise_for_status().json()['id']}"
    return jobs


def test_the_death_of_a_service_is_noticed_by_its_callers_alone(services: list[Service], proxy: str) -> None:
    living, dying = services
    jobs = first_jobs(proxy)
    of_the_living = {caller for caller, job in jobs.items() if living.has(caller, job)}
    of_the_dying = {caller for caller, job in jobs.items() if dying.has(caller, job)}
    assert of_the_living
    assert of_the_dying
    assert sorted([*of_the_living, *of_the_dying]) == sorted(CALLERS)  # each has one
    load = Load(proxy)

    with ThreadPoolExecutor(len(CALLERS)) as pool:
        asked = {caller: pool.submit(load.ask, caller) for caller in CALLERS}
        until(lambda: load.answered >= BEFORE_THE_DEATH, what="the first answers")
        dying.kill()
        load.dead.set()
        replies = {caller: future.result() for caller, future in asked.items()}

    assert sum(map(len, replies.values())) == REQUESTS
    for caller in of_the_living:
        assert {(reply.status, reply.right) for reply in replies[caller]} == {(200, True)}
        assert any(reply.after for reply in replies[caller])
    for caller in of_the_dying:
        assert {(reply.status, reply.right) for reply in replies[caller]} <= {(200, True), (503, True)}
        assert {reply.status for reply in replies[caller] if reply.after} == {503}

    dying.start_again()

    for caller, job in jobs.items():  # what was accepted was nowhere else
        found = httpx.get(f"{proxy}{job}", headers=key_of(caller)).raise_for_status().json()
        assert found["predictions"] == [answer_document(caller)]


def test_a_key_is_one_caller_in_whichever_header_it_comes(proxy: str) -> None:
    for caller, job in first_jobs(proxy).items():
        for headers in ({"X-API-Key": KEY_OF[caller]}, {"Authorization": f"bearer  {KEY_OF[caller]}"}):
            assert httpx.get(f"{proxy}{job}", headers=headers).status_code == httpx.codes.OK


def test_a_name_in_the_address_leads_to_the_service_of_a_model(services: list[Service], proxy: str) -> None:
    of_tickets = services[1]
    for caller in CALLERS:
        headers = {"Host": TICKETS, **key_of(caller)}
        answer = httpx.post(f"{proxy}/predict", json={"texts": ["a"]}, headers=headers, timeout=90)
        assert of_tickets.has(caller, f"/jobs/{answer.raise_for_status().json()['id']}")


def test_counters_are_for_those_who_ask_the_api_itself(services: list[Service], proxy: str) -> None:
    assert httpx.get(f"{services[0].url}/metrics").status_code == httpx.codes.OK
    assert httpx.get(f"{proxy}/metrics").status_code == httpx.codes.NOT_FOUND
