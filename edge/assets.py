"""The files that pages load: style sheet, scripts, icon."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.rendering import SECURITY_HEADERS

MEDIA_TYPES = {
    "style.css": "text/css",
    "vote.js": "text/javascript",
    "results.js": "text/javascript",
    "ops.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}
HEADERS = SECURITY_HEADERS | {"Cache-Control": "public, max-age=3600"}


class Assets:
    """The handlers of the files, which are read once."""

    def __init__(self) -> None:
        directory = files("edge") / "static"
        self._files = {name: (directory / name).read_bytes() for name in MEDIA_TYPES}

    def routes(self) -> list[Route]:
        """Return a route for each file."""
        return [Route(f"/static/{name}", self.file) for name in MEDIA_TYPES]

    async def file(self, request: Request) -> Response:
        """Answer a file."""
        name = request.url.path.rpartition("/")[2]
        return Response(self._files[name], media_type=MEDIA_TYPES[name], headers=HEADERS)
