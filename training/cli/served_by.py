"""Who will serve a version that was made current: what the workers that run say, where they can be asked."""

from __future__ import annotations

from contract.errors import StoreUnavailable
from contract.fleet import Fleet, WorkerStatus
from contract.redis_client import connect
from contract.settings import SharedSettings


def served_by(model: str, settings: SharedSettings) -> str:
    """One sentence: how many workers take the model over, or how to make one do so."""
    how = f"a worker serves it whose RETORT_MODEL is * or names {model!r}"
    workers = _live(settings)
    if not workers:
        return f"{how}, as those of `make demo` and `docker-compose up` do; none can be seen from here"
    willing = sum(worker.would_serve(model) for worker in workers)
    if willing:
        return f"{willing} of {len(workers)} workers that run take it over within seconds"
    others = ", ".join(sorted({each.model for worker in workers for each in worker.models}))
    return f"no worker that runs serves it, they serve {others}: {how}"


def _live(settings: SharedSettings) -> list[WorkerStatus]:
    """The workers that live; none where Redis can't be reached."""
    client = connect(settings)
    try:
        return Fleet(client, settings).live()
    except StoreUnavailable:
        return []
    finally:
        client.close()
