"""GET and DELETE /jobs/<id>."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from api import job_answer
from api.preferences import patience
from api.services import Services
from contract.errors import UnknownJob
from contract.job import Snapshot


def job_views(services: Services) -> Blueprint:
    views = Blueprint("jobs", __name__)

    def own(job_id: str) -> Snapshot:
        """The job, if this caller made it; another's looks as if it had never been."""
        snapshot = services.follower.read(job_id)
        if snapshot.status.caller != g.caller:
            raise UnknownJob(f"no job {job_id!r} was ever accepted here")
        return snapshot

    @views.get("/jobs/<job_id>")
    def job(job_id: str) -> Response:
        g.log = {"job": job_id}
        willing = patience(request, services.settings, otherwise_s=0)
        snapshot = own(job_id)
        if willing.wait_s > 0 and not job_answer.has_ended(snapshot):
            snapshot = job_answer.follow(job_id, willing.wait_s, services)
        answer = job_answer.standing(snapshot, services)
        answer.headers.update(willing.headers)
        return answer

    @views.delete("/jobs/<job_id>")
    def remove(job_id: str) -> Response:
        g.log = {"job": job_id}
        own(job_id)
        services.jobs.remove(job_id)
        return Response(status=204)

    return views
