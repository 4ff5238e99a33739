"""The pages' templates, texts and headers."""

import tomllib
from datetime import datetime
from importlib.resources import files

from jinja2 import ChainableUndefined, Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from edge.problems import Language
from shards.election import Election, Law

LANGUAGES: tuple[Language, Language] = ("fr", "en")
Texts = dict[str, str]

# No script at all, no other host, no frame around us.
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def load_texts(language: Language) -> Texts:
    """Return a language's texts by name."""
    return tomllib.loads(files("edge").joinpath(f"texts/{language}.toml").read_text("utf-8"))


def stylesheet() -> bytes:
    """Return the style sheet of all pages."""
    return files("edge").joinpath("static/style.css").read_bytes()


class Renderer:
    """Renders pages in either language."""

    def __init__(self, election: Election) -> None:
        self._election = election
        self._environment = Environment(
            loader=PackageLoader("edge"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # the OpenAPI document leaves out what does not apply
        self._loose = self._environment.overlay(undefined=ChainableUndefined)
        self.texts = {language: load_texts(language) for language in LANGUAGES}

    def page(
        self,
        template: str,
        language: Language,
        *,
        title: str,
        path: str = "",
        status: int = 200,
        headers: dict[str, str] | None = None,
        **values: object,
    ) -> Response:
        """Return a page; `path` is where it is below its language."""
        other: Language = "en" if language == "fr" else "fr"
        html = self._environment.get_template(template).render(
            t=self.texts[language],
            language=language,
            other_language=other,
            other_language_name=self.texts[other]["language_name"],
            path=path,
            title=title,
            election_title=_pick(self._election, "title", language),
            **values,
        )
        return HTMLResponse(html, status, SECURITY_HEADERS | (headers or {}))

    def docs(self, **values: object) -> Response:
        """Return the page of the API's documentation."""
        html = self._loose.get_template("docs.html").render(**values)
        return HTMLResponse(html, headers=SECURITY_HEADERS)

    def law(self, law: Law, language: Language) -> dict[str, str]:
        """Return what a page shows of a law."""
        window = self.texts[language]["law_window"].format(
            opens=when(law.opens_at, language), closes=when(law.closes_at, language)
        )
        return {
            "id": law.id,
            "title": _pick(law, "title", language),
            "text": _pick(law, "text", language),
            "window": window,
        }


def when(moment: datetime, language: Language) -> str:
    """Return a time with its zone, for people."""
    zone = moment.tzname() or ""
    if language == "fr":
        return f"{moment:%Y-%m-%d} à {moment:%H} h {moment:%M} {zone}"
    return f"{moment:%Y-%m-%d} at {moment:%H:%M} {zone}"


def _pick(source: Election | Law, name: str, language: Language) -> str:
    return str(getattr(source, f"{name}_{language}"))
