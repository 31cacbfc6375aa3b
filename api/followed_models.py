"""Models in a bucket, as the API follows them: on threads of the system's, for the library keeps its thread waiting."""

from __future__ import annotations

from api.settings import ApiSettings
from contract.errors import RetortError
from storage.follower import ModelFolder, Step, at_once, model_folder
from storage.mirror import REPORTS


def followed_models(settings: ApiSettings) -> ModelFolder:
    """Where this process reads manifests and reports; it has no use for weights. Raises BadSettings."""
    return model_folder(settings, "api", REPORTS, take=_beside_the_greenlets)


def _beside_the_greenlets(step: Step) -> list[str]:
    """Take the step where no greenlet waits for it. Elsewhere than under gunicorn there are none."""
    from gevent import get_hub
    from gevent.monkey import is_module_patched

    if not is_module_patched("threading"):
        return at_once(step)
    news, error = get_hub().threadpool.apply(_attempt, (step,))
    if error is not None:
        raise error
    found: list[str] = news
    return found


def _attempt(step: Step) -> tuple[list[str], RetortError | None]:
    """What the step returns, or raises: gevent prints what is raised on a thread of its pool."""
    try:
        return step(), None
    except RetortError as error:
        return [], error
