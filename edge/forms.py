"""Forms as browsers send them: checked for where they come from, read within bounds."""

from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from edge.errors import BadRequest
from edge.patience import Patience
from edge.problems import BAD_FORM, CROSS_SITE, Problem
from edge.wire import discard_body, read_body

MEDIA_TYPE = "application/x-www-form-urlencoded"
FIELDS_MAX = 8


async def read_form(request: Request, patience: Patience) -> dict[str, str]:
    """Return the fields of a request's form.

    Raises `BadRequest` when it comes from another site, is no form, is not whole or has a field
    twice, and what `read_body` raises.
    """
    try:
        check_origin(request)
        _check_media_type(request)
    except BadRequest:
        await discard_body(request.receive)
        raise
    return parse(await read_body(request.scope, request.receive, patience))


def check_origin(request: Request) -> None:
    """Raise `BadRequest` for a form that a browser says comes from another site.

    What is no browser says nothing, and passes: nothing rides on its requests.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        same = site in {"same-origin", "none"}
    else:
        same = origin is None or _host(origin) == request.headers.get("host")
    if not same:
        raise BadRequest(Problem(CROSS_SITE))


def _host(origin: str) -> str:
    """Return the host and port of an origin, an empty text of what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def parse(body: bytes) -> dict[str, str]:
    """Return a form's fields; raises `BadRequest` when it is not whole or has a field twice."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX
        )
    except ValueError:
        raise BadRequest(Problem(BAD_FORM)) from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise BadRequest(Problem(BAD_FORM))
    return fields


def _check_media_type(request: Request) -> None:
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said != MEDIA_TYPE:
        raise BadRequest(Problem(BAD_FORM))
