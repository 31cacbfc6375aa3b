"""A link to a port of this machine, which may be slow, encrypted, and lead elsewhere later."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any, Self

from harness.ports import free_port


class Link:
    """Listens on `port` and passes everything on, each way `delay_s` later than it came."""

    def __init__(self, target_port: int, delay_s: float = 0.0, tls: ssl.SSLContext | None = None) -> None:
        """With `tls` whoever connects must speak it; what is passed on is plain."""
        self.port = free_port()
        self.target_port = target_port
        """Where the next connections lead; those that there are stay."""
        self._delay_s = delay_s
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=self._tls))
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._cut())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, object]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _cut(self) -> None:
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.target_port)
        await asyncio.gather(self._pass_on(reader, back), self._pass_on(there, writer))

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        arrived: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivery = asyncio.create_task(self._deliver(arrived, target))
        with suppress(ConnectionError):
            while data := await source.read(65536):
                arrived.put_nowait((self._loop.time() + self._delay_s, data))
        arrived.put_nowait((self._loop.time() + self._delay_s, b""))
        await delivery

    async def _deliver(self, arrived: asyncio.Queue[tuple[float, bytes]], target: asyncio.StreamWriter) -> None:
        while True:
            due, data = await arrived.get()
            await asyncio.sleep(due - self._loop.time())
            if not data:
                target.close()
                return
            target.write(data)
