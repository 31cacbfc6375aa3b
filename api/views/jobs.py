"""GET /jobs, GET and DELETE /jobs/<id>, GET /jobs/<id>/results."""

from __future__ import annotations

import json
import math
import time
from urllib.parse import urlencode

from flask import Blueprint, Response, g, request

from api.context import AppContext
from api.http import presence
from api.http.prefer import patience
from api.http.problems import Problem
from api.http.query import whole_number
from api.jobs import result_stream
from api.jobs.job_document import job_document
from api.jobs.reader import has_ended
from api.jobs.result_stream import StreamSpan
from api.jobs.results import refuse_cancelled
from api.views import job_answer
from contract.errors import UnknownJob
from contract.job_record import JobRef, JobStatus, Snapshot

JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
USUAL_LISTED, MOST_LISTED = 20, 100
"""Jobs of a page of the list."""


def job_views(context: AppContext) -> Blueprint:
    views = Blueprint("jobs", __name__)

    @views.get("/jobs")
    def recent() -> Response:
        start = whole_number("from", 0, least=0)
        limit = whole_number("limit", USUAL_LISTED, least=1, most=MOST_LISTED)
        found = context.jobs.recent(g.caller, start, limit + 1)
        following = f"/jobs?{urlencode({'from': start + limit, 'limit': limit})}" if len(found) > limit else None
        listed = [job_document(status, context.backpressure) for status in found[:limit]]
        return Response(json.dumps({"jobs": listed, "next": following}), mimetype=JSON)

    @views.get("/jobs/<job_id>")
    def job(job_id: str) -> Response:
        willing = patience(request, context.settings, otherwise_s=0)
        snapshot = _own(context, job_id)
        if willing.wait_s > 0 and not has_ended(snapshot):
            with context.waiting_room.enter(g.caller, willing.wait_s):
                snapshot = context.reader.wait(snapshot.status.ref, presence.of(request), willing.wait_s)
        answer = job_answer.standing(snapshot, context)
        answer.headers.update(willing.headers)
        return answer

    @views.delete("/jobs/<job_id>")
    def remove(job_id: str) -> Response:
        _own(context, job_id)
        context.jobs.remove(job_id, g.caller)
        return Response(status=204)

    @views.get("/jobs/<job_id>/results")
    def results(job_id: str) -> Response:
        snapshot = _own(context, job_id)
        kind = _accepted()
        refuse_cancelled(snapshot.status)
        start = min(whole_number("from", 0, least=0), snapshot.status.texts)
        most = context.settings.page_texts
        limit = whole_number("limit", None, least=1, most=most)
        if kind == JSON:
            answer = _page(context, snapshot, start, limit or most)
        else:
            answer = _stream(context, snapshot, start, limit, kind)
        answer.headers["Vary"] = "Accept"
        return answer

    return views


def _own(context: AppContext, job_id: str) -> Snapshot:
    """The job of this caller. Raises UnknownJob for another caller's, as for one that never was."""
    g.log = {"job": job_id}
    snapshot = context.reader.read(JobRef(job_id, g.caller))
    if snapshot.status.caller != g.caller:
        raise UnknownJob(f"no job {job_id!r} was ever accepted here")
    return snapshot


def _accepted() -> str:
    """The media type that the client likes best; JSON when it does not say."""
    if not request.accept_mimetypes:
        return JSON
    kind = request.accept_mimetypes.best_match([JSON, NDJSON, CSV])
    if kind is None:
        raise Problem("not-acceptable", f"results are offered as {JSON}, {NDJSON} and {CSV}")
    return kind


def _page(context: AppContext, job: Snapshot, start: int, limit: int) -> Response:
    """One page, and the address of the next."""
    willing = patience(request, context.settings, otherwise_s=0)
    asked = StreamSpan(start=start, stop=start + limit, page_texts=limit, end_s=time.monotonic() + willing.wait_s)
    with context.waiting_room.enter(g.caller, willing.wait_s):
        found = result_stream.first_page(context.reader, context.events, job, presence.of(request), asked)
    status = context.reader.read(job.status.ref).status
    after = start + len(found)
    document = {
        "id": status.id,
        "status": status.state,
        "texts": status.texts,
        "from": start,
        "predictions": found,
        "next": _address(status, after, limit) if after < status.texts else None,
    }
    answer = Response(json.dumps(document), mimetype=JSON)
    if not found and status.state.is_open:
        answer.headers["Retry-After"] = str(job_answer.SOONEST_S)
    answer.headers.update(willing.headers)
    return answer


def _address(status: JobStatus, start: int, limit: int) -> str:
    return f"/jobs/{status.id}/results?{urlencode({'from': start, 'limit': limit})}"


def _stream(context: AppContext, job: Snapshot, start: int, limit: int | None, kind: str) -> Response:
    """All that is left, or `limit` answers of it, as they come; with `wait`, what comes until then."""
    willing = patience(request, context.settings, otherwise_s=-1)
    asked = StreamSpan(
        start=start,
        stop=job.status.texts if limit is None else start + limit,
        page_texts=context.settings.page_texts,
        end_s=None if willing.wait_s < 0 else time.monotonic() + willing.wait_s,
    )
    place = context.waiting_room.enter(g.caller, math.inf if asked.end_s is None else willing.wait_s)
    found = result_stream.pages(context.reader, context.events, job, presence.of(request), asked)
    if kind == NDJSON:
        lines = result_stream.ndjson(found)
    else:
        names = result_stream.columns(job.status.options, multi_label=context.is_multi_label(job.status))
        lines = result_stream.as_csv(found, names)
    answer = Response(lines, mimetype=kind)
    answer.call_on_close(place.leave)
    answer.headers.update(willing.headers)
    return answer
