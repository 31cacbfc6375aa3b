"""`python -m notifier.dead_letters`: list the webhooks that were given up, and have them tried anew.

`disabled` lists the addresses whose receiver has answered 410, `enable` sends to one of them again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from contract.errors import RetortError
from contract.redis_client import connect
from contract.settings import SharedSettings
from contract.webhooks import WebhookLedger


def main(arguments: Sequence[str] | None = None) -> int:
    asked = _parser().parse_args(arguments)
    try:
        settings = SharedSettings.load()
        return _run(asked, WebhookLedger(connect(settings), settings))
    except RetortError as error:
        print(error, file=sys.stderr)
        return 1


def _run(asked: argparse.Namespace, ledger: WebhookLedger) -> int:
    match asked.verb:
        case "list":
            for dead in ledger.dead():
                died = datetime.fromtimestamp(dead.died_ms / 1000, UTC).isoformat(timespec="seconds")
                print(dead.job_id, died, dead.address, dead.why, sep="  ")
        case "redrive":
            return _redrive(ledger, asked.jobs or [dead.job_id for dead in ledger.dead()])
        case "disabled":
            print(*ledger.disabled(), sep="\n")
        case "enable":
            print(f"enabled for {ledger.enable(asked.address)} keys")
    return 0


def _redrive(ledger: WebhookLedger, jobs: Sequence[str]) -> int:
    sent = sum(map(ledger.redrive, jobs))
    print(f"{sent} of {len(jobs)} are tried anew")
    return 0 if sent == len(jobs) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m notifier.dead_letters", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="webhooks that were given up, and why, oldest first")
    redrive = verbs.add_parser("redrive", help="try them anew, for another day")
    redrive.add_argument("jobs", nargs="*", help="ids of their jobs; all when none is named")
    verbs.add_parser("disabled", help="addresses whose receiver wants no more webhooks")
    enable = verbs.add_parser("enable", help="send to such an address again")
    enable.add_argument("address")
    return parser


if __name__ == "__main__":
    sys.exit(main())
