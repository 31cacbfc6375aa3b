"""The operations that the page needs beyond those of every client: how the service stands, and training reports."""

from __future__ import annotations

from api.openapi import schemas, status_schemas
from api.openapi.operation import JSON, Operation, Parameter, ResponseSpec

_FILE = Parameter(
    name="file", where="path", description="`index.html`, or a file that it shows", schema={"type": "string"}
)
_VERSION = [
    Parameter(name="name", where="path", description="the model's name", schema={"type": "string"}),
    Parameter(name="version", where="path", description="one of its versions", schema={"type": "string"}),
]
_SHOWN = ResponseSpec(
    status=200,
    description="The file; it comes with a policy that lets it run nothing",
    content={media: {"type": "string"} for media in ("text/html", "image/png", "application/octet-stream")},
)


def operations() -> list[Operation]:
    return [_report(), _report_link(), _linked_report(), _page(), _page_file(), _status()]


def _report() -> Operation:
    return Operation(
        method="get",
        path="/models/{name}/versions/{version}/report/{file}",
        name="report",
        tag="models",
        summary="The training report of a version",
        description="A file of the report that the version's manifest lists.",
        parameters=[*_VERSION, _FILE],
        answers=[_SHOWN],
        problems=["not-found"],
    )


def _report_link() -> Operation:
    return Operation(
        method="post",
        path="/models/{name}/versions/{version}/report",
        name="report_link",
        tag="models",
        summary="A link to a training report",
        description="An address that opens this report for some minutes without a key, for a frame of a page.",
        parameters=_VERSION,
        answers=[ResponseSpec(status=201, description="The link", content={JSON: schemas.ReportLink})],
        problems=["not-found", "store-unavailable"],
    )


def _linked_report() -> Operation:
    return Operation(
        method="get",
        path="/reports/{token}/{file}",
        name="linked_report",
        tag="models",
        summary="What a link to a training report opens",
        description="The same files, for whoever has the link.",
        parameters=[
            Parameter(name="token", where="path", description="the link's random part", schema={"type": "string"}),
            _FILE,
        ],
        answers=[_SHOWN],
        problems=["not-found", "store-unavailable"],
        needs_key=False,
    )


def _page() -> Operation:
    return Operation(
        method="get",
        path="/",
        name="page",
        tag="service",
        summary="The page of the service",
        description="A page for browsers; what can be asked here, in a few lines, for everybody else.",
        answers=[
            ResponseSpec(
                status=200,
                description="By `Accept`",
                content={media: {"type": "string"} for media in ("text/html", "text/plain")},
            )
        ],
        needs_key=False,
    )


def _page_file() -> Operation:
    kinds = ("text/html", "text/css", "text/javascript", "image/svg+xml")
    return Operation(
        method="get",
        path="/page/{name}",
        name="page_file",
        tag="service",
        summary="A file of the page",
        description="A style sheet, a picture or a module.",
        parameters=[Parameter(name="name", where="path", description="the file's name", schema={"type": "string"})],
        answers=[
            ResponseSpec(status=200, description="The file", content={media: {"type": "string"} for media in kinds})
        ],
        problems=["not-found"],
        needs_key=False,
    )


def _status() -> Operation:
    return Operation(
        method="get",
        path="/status",
        name="status",
        tag="service",
        summary="How the service stands",
        description="Workers, what waits in each lane and for how long, jobs and dead letters by count.",
        answers=[
            ResponseSpec(status=200, description="As it stands now", content={JSON: status_schemas.ServiceStatus})
        ],
        problems=["store-unavailable"],
    )
