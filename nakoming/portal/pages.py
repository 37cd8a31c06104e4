"""Pages: Jinja2 templates of this package, in the reader's language, with nothing from elsewhere."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from nakoming.agreement import in_words
from nakoming.portal.texts import LANGUAGES, Words, preferred

if TYPE_CHECKING:
    from starlette.requests import Request

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"
STYLE: Final = (STATIC / "portal.css").read_bytes()
ICON: Final = (STATIC / "icon.svg").read_bytes()
STYLE_PATH: Final = f"/static/portal-{hashlib.sha256(STYLE).hexdigest()[:12]}.css"
ICON_PATH: Final = f"/static/icon-{hashlib.sha256(ICON).hexdigest()[:12]}.svg"
_LANGUAGE_LIFETIME: Final = 180 * 24 * 3600
_WEBADDRESS: Final = re.compile(r"https?://[^\s/]\S*")


def is_webaddress(value: object) -> bool:
    """Whether a fact is an address to follow and nothing else; no other scheme becomes a link."""
    return bool(_WEBADDRESS.fullmatch(str(value)))


class Pages:
    """Renders pages. `vendor` is the name at their head; `secure` when visitors come over https."""

    def __init__(self, vendor: str, *, secure: bool) -> None:
        self._language_cookie = "__Host-nk-lang" if secure else "nk-lang"
        self._secure = secure
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals |= {"vendor": vendor, "style": STYLE_PATH, "icon": ICON_PATH}
        self._environment.tests["webaddress"] = is_webaddress

    def words(self, request: Request, own: str | None = None) -> Words:
        """The reader's language: asked for, chosen before, their own in the records, or the browser's."""
        asked = request.query_params.get("lang") or request.cookies.get(self._language_cookie) or own
        if asked not in LANGUAGES:
            asked = preferred(request.headers.get("accept-language", ""))
        return Words(str(asked))

    def page(
        self, request: Request, words: Words, template: str, *, status: int = 200, **values: Any
    ) -> HTMLResponse:
        """One page; a language that was asked for is remembered."""
        language = words.language
        values.setdefault("here", "")  # where the other language is: at the same address, if nobody says
        values |= {
            "t": words,
            "language": language,
            "other": next(each for each in LANGUAGES if each != language),
            "instant": lambda at: in_words.instant_in_words(at, language),
            "deadline": lambda by: in_words.deadline_in_words(by, language),
            "size": lambda size: in_words.size_in_words(size, language),
        }
        response = HTMLResponse(self._environment.get_template(template).render(values), status_code=status)
        response.headers["Content-Language"] = language
        if request.query_params.get("lang") in LANGUAGES:
            response.set_cookie(
                self._language_cookie,
                language,
                max_age=_LANGUAGE_LIFETIME,
                secure=self._secure,
                httponly=True,
                samesite="lax",
            )
        return response
