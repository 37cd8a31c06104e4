"""A report as one page that anybody can open: no scripts, nothing from elsewhere, in Dutch or English."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from data_contracts.errors import LanguageUnknown
from nakoming.agreement.local_time import ZONE

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal

    from data_contracts.report import Report

_FOLDER: Final = Path(__file__).parent
_PAGE: Final = "report_page.html.j2"


def page_of(report: Report, language: str, at: datetime) -> str:
    """Return the page of a report.

    Args:
        report: what a check found.
        language: `nl` or `en`.
        at: when it was done; shown on the agreement's clock.

    Raises:
        LanguageUnknown: there are no words in that language.
    """
    words = _words(language)
    page: str = _template().render(
        report=report,
        language=language,
        words=words,
        moment=f"{at.astimezone(ZONE):%d-%m-%Y %H:%M}",
        verdict=_verdict(report),
        broken=[finding for finding in report.findings if finding.broken],
        kept=[finding for finding in report.findings if not finding.broken],
        whole=lambda number: f"{number:,}".replace(",", words["thousand"]),
        percent=lambda share: _percent(share, words["decimal"]),
    )
    return page


def _verdict(report: Report) -> str:
    if report.refused:
        return "refused"
    if report.over_limit:
        return "over"
    if report.bad_rows:
        return "bad"
    if report.clean:
        return "clean"
    return "noted" if any(finding.broken for finding in report.findings) else "partly"


def _percent(share: Decimal, point: str) -> str:
    shown = f"{share * 100:.2f}".rstrip("0").rstrip(".")
    # A share that is not nothing must not look like it.
    shown = "< 0.01" if shown == "0" and share else shown
    return f"{shown.replace('.', point)}%"


@cache
def _template() -> Any:
    made = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return made.get_template(_PAGE)


@cache
def _words(language: str) -> dict[str, str]:
    known: dict[str, dict[str, str]] = yaml.safe_load(
        (_FOLDER / "report_page.yaml").read_text(encoding="utf-8")
    )
    if language not in known:
        raise LanguageUnknown(language=language, known=", ".join(known))
    return known[language]
