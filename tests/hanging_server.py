"""A server whose greenlets hang: it answers liveness on its own thread and notes whatever else it is handed.

Prints its port, hangs until its standard input is closed, then prints the first bytes of each connection that it was
handed, as JSON. To be run by `python -m gevent.monkey --module`.
"""

from __future__ import annotations

import json
from typing import Any

import gevent
import gevent.monkey
import gevent.socket

from api.server.live_probe import LiveProbe

LIVE = '{"status":"live"}'


def main() -> None:
    handed: list[Any] = []
    listener = gevent.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    probe = LiveProbe(listener, answer=lambda: (LIVE, 200), hand_on=lambda client, _: handed.append(client))
    probe.start()
    print(listener.getsockname()[1], flush=True)
    gevent.monkey.get_original("os", "read")(0, 1)  # blocks this thread, and so every greenlet
    while len(handed) < 2:
        gevent.sleep(0.01)
    print(json.dumps(sorted(client.recv(12).decode() for client in handed)), flush=True)


if __name__ == "__main__":
    main()
