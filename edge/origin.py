"""Where a form comes from, as far as browsers say."""

from urllib.parse import urlsplit

from starlette.requests import Request

from edge.errors import BadRequest
from edge.problems import CROSS_SITE, Problem


def check_origin(request: Request) -> None:
    """Raise `BadRequest` for a form that a browser says comes from another site.

    What is no browser says nothing, and passes: nothing rides on its requests.
    """
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        same = site in {"same-origin", "none"}
    else:
        same = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not same:
        raise BadRequest(Problem(CROSS_SITE))
