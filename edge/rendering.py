"""Templates to pages, in either language."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from jinja2 import ChainableUndefined, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, Response

from edge.ballot_form import Draft
from edge.equal_length import equally_long
from edge.localising import Localiser
from edge.problems import Language
from edge.words import LANGUAGES, load_words, other
from shards.election import Election

# Our own style sheet and scripts, no other host, no frame around us, nothing kept, and nothing
# compressed on the way: by its compressed length a page would tell the choice. Not
# `no-referrer`: under it browsers send `Origin: null` with our own forms (Fetch, section 3.2), and
# those without Sec-Fetch-Site could not vote.
SECURITY_HEADERS = {
    "Cache-Control": "no-store, no-transform",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self';"
    " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Said(NamedTuple):
    """An outcome in one language."""

    title: str
    body: Markup


class Renderer:
    """Renders pages: one environment for each language, with its words, numbers and dates."""

    def __init__(self, election: Election) -> None:
        self._titles = {"fr": election.title_fr, "en": election.title_en}
        self._environments = {language: _environment(language) for language in LANGUAGES}
        self._names = {
            language: load_words(language).gettext("language_name") for language in LANGUAGES
        }
        # the OpenAPI document leaves out what does not apply
        self._loose = self._environments["en"].overlay(undefined=ChainableUndefined)

    def html(self, template: str, language: Language, **values: object) -> str:
        """Return a page's text.

        `path`: where the page is below its language, if it can be read there in the other one;
        `step`: where its form can be sent to be shown in the other language;
        `shown`: what the form is to be shown with there, besides the form itself.
        """
        return (
            self._environments[language]
            .get_template(template)
            .render(
                {"path": None, "step": None, "shown": "", "errors": {}}
                | values
                | {
                    "language": language,
                    "other_language": other(language),
                    "other_language_name": self._names[other(language)],
                    "election_title": self._titles[language],
                }
            )
        )

    def page(
        self,
        template: str,
        language: Language,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> Response:
        """Return a page as an answer."""
        html = self.html(template, language, **values)
        return HTMLResponse(html, status, SECURITY_HEADERS | dict(headers or {}))

    def draft_page(
        self,
        template: str,
        language: Language,
        draft: Draft,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> Response:
        """Return a page that shows a draft, equally long whatever was chosen."""

        def render(vote: str) -> str:
            shown = msgspec.structs.replace(draft, vote=vote)
            return self.html(template, language, draft=shown, **values)

        html = equally_long(render, draft.vote)
        return HTMLResponse(html, status, SECURITY_HEADERS | dict(headers or {}))

    def said(self, outcome: str, language: Language, heading: str, **values: object) -> Said:
        """Return what an outcome is in a language; `heading` is "h1" or "h2"."""
        template = self._environments[language].get_template(f"outcomes/{outcome}.html")
        module = template.make_module({"heading": heading} | values)
        return Said(str(module.title()), Markup(str(module)))  # type: ignore[attr-defined]  # noqa: S704 (escaped as it was rendered)

    def docs(self, **values: object) -> Response:
        """Return the page of the API's documentation."""
        html = self._loose.get_template("docs.html").render(**values)
        return HTMLResponse(html, headers=SECURITY_HEADERS)


def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=PackageLoader("edge"),
        autoescape=True,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    words = load_words(language)
    environment.install_gettext_translations(words, newstyle=True)  # type: ignore[attr-defined]
    localiser = Localiser(language, words)
    environment.globals |= {
        "when": localiser.when,
        "zones": localiser.zones,
        "number": localiser.number,
        "percent": localiser.percent,
        "bar": lambda share: f"{share:.2%}",
    }
    return environment
