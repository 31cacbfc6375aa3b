"""`python -m worker.dead_letters`: list the dead letters, look at one, send them to the queue again.

`quarantine` lists what was found damaged in Redis and was set aside.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from celery import Celery

from contract.celery_config import celery_config
from contract.dead_letters import DeadLetters
from contract.errors import RetortError
from contract.message import Ticket
from contract.quarantine import Quarantine
from contract.redis_client import connect
from contract.settings import SharedSettings
from worker.queueing.celery_app import send

TEXT_SHOWN = 200


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        settings = SharedSettings.load()
        if asked.verb == "quarantine":
            return _quarantine(Quarantine(connect(settings), settings), clear=asked.clear)
        return _run(asked, DeadLetters(connect(settings), settings), settings)
    except RetortError as error:
        print(error, file=sys.stderr)
        return 1


def _run(asked: argparse.Namespace, letters: DeadLetters, settings: SharedSettings) -> int:
    match asked.verb:
        case "list":
            _list(letters)
        case "show":
            return _show(letters, asked.ticket)
        case "redrive":
            return _redrive(letters, asked.tickets or letters.tickets(), asked.deadline_s, settings)
    return 0


def _quarantine(quarantine: Quarantine, *, clear: bool) -> int:
    for entry in quarantine.entries():
        found = datetime.fromtimestamp(entry.at_s, UTC).isoformat(timespec="seconds")
        print(found, entry.kind, repr(entry.name), entry.why, repr(entry.content), sep="  ")
    if clear:
        quarantine.clear()
    return 0


def _list(letters: DeadLetters) -> None:
    for ticket in letters.tickets():
        if letter := letters.find(ticket):
            died = datetime.fromtimestamp(letter.died_ms / 1000, UTC).isoformat(timespec="seconds")
            print(ticket, died, letter.model, letter.lane, f"{len(letter.texts)} texts", letter.why, sep="  ")


def _show(letters: DeadLetters, ticket: Ticket) -> int:
    letter = letters.find(ticket)
    if letter is None:
        print(f"{ticket} is not a dead letter", file=sys.stderr)
        return 1
    print(f"{ticket} of model {letter.model}: {letter.why}")
    for number, text in enumerate(letter.texts):
        print(f"{number}: {text[:TEXT_SHOWN]!r}")
    return 0


def _redrive(letters: DeadLetters, tickets: Sequence[Ticket], deadline_s: int, settings: SharedSettings) -> int:
    app = Celery("retort", config_source=celery_config(settings), set_as_current=False)
    sent = 0
    for ticket in tickets:
        resends = letters.redrive(ticket, deadline_s)
        send(app, resends)
        sent += len(resends)
    print(f"{sent} of {len(tickets)} sent to the queue")
    return 0 if sent == len(tickets) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.dead_letters", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="every dead letter and why it died, oldest first")
    show = verbs.add_parser("show", help="one dead letter with its texts")
    show.add_argument("ticket", type=Ticket.parse, help="<job id>/<chunk>, as listed")
    redrive = verbs.add_parser("redrive", help="send dead letters to the queue again")
    redrive.add_argument("tickets", type=Ticket.parse, nargs="*", help="all when none is named")
    redrive.add_argument("--deadline-s", type=int, default=3600, help="the job's new deadline, in seconds from now")
    quarantine = verbs.add_parser("quarantine", help="what was found damaged in Redis and set aside, oldest first")
    quarantine.add_argument("--clear", action="store_true", help="forget it after listing it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
