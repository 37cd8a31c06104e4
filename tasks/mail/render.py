"""Makes the mail: text and HTML of the same words, a calendar entry where a date matters, no remote content.

The same arguments give the same bytes, so a mail repeated after a crash is the same mail with the same
Message-ID. The link comes in here and is stored nowhere.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import textwrap
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nakoming.agreement.in_words import deadline_in_short, deadline_in_words, instant_in_words
from nakoming.errors import NakomingError
from tasks.mail.calendar_entry import CalendarEntry, write_calendar
from tasks.mail.contexts import CONTEXTS, Kind, Language, MailContext, Notice, Question, Reminder

if TYPE_CHECKING:
    from jinja2 import Template

_TEMPLATES: Final = Path(__file__).parent / "templates"
_MESSAGE_ID: Final = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+@[A-Za-z0-9.-]+>")
_UNSAFE: Final = re.compile(r"[\s\x00-\x1f<>\"]")
_TEXT_WIDTH: Final = 72
_WHOLE: Final = 40  # a word longer than this is an address or a digest
# An entry that ends at the deadline is seen on its last day, also when that instant is midnight.
_DEADLINE_SPAN: Final = dt.timedelta(minutes=30)
_IN_THE_MAIL: Final = {
    Language.NL: "De link staat in onze e-mail over deze zaak.",
    Language.EN: "The link is in our e-mail about this case.",
}
_FILE_NAME: Final = {Language.NL: "datum.ics", Language.EN: "date.ics"}


class MailUnrenderable(NakomingError):
    """A caller's fault: this mail cannot be made of what was given."""

    template = "The mail {kind} ({language}) cannot be made: {reason}"
    code = "NK4030"


def render(
    kind: Kind,
    language: Language,
    context: MailContext,
    *,
    message_id: str,
    sender: str,
    recipient: str,
    date_at: dt.datetime,
    link: str | None = None,
) -> EmailMessage:
    """Make one mail for one reader.

    Args:
        kind: which mail.
        language: in which words; the context's own texts are in it already.
        context: the model of that kind.
        message_id: fixed by the caller, `<...@...>`; a repeat has the same.
        sender: address, or `Name <address>`.
        recipient: one address; the reader's name comes from the context.
        date_at: what stands in Date.
        link: absolute http(s) address behind the one button; never stored.

    Raises:
        MailUnrenderable: context, Message-ID, address or link is not what this kind needs.
    """
    fail = partial(MailUnrenderable, kind=str(kind), language=str(language))
    if type(context) is not CONTEXTS[kind]:
        raise fail(reason=f"its context is {type(context).__name__}, not {CONTEXTS[kind].__name__}")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise fail(reason="a Message-ID has the form <left@right>")
    if link is not None and not _is_web_address(link):
        raise fail(reason="a link is an absolute http or https address")
    try:
        message = _headers(context, message_id, sender, recipient, date_at)
    except (ValueError, IndexError) as error:
        raise fail(reason=f"an address is not usable ({error})") from error
    text, html = (_template(kind, language, form) for form in ("text", "html"))
    values = {"c": context, "link": link, **_words_for(language)}
    message["Subject"] = " ".join(_block(text, "subject", values).split())
    message.set_content(_wrap(text.render(values)), cte="quoted-printable")
    message.add_alternative(html.render(values), subtype="html", cte="quoted-printable")
    _attach_calendar(message, context, language, date_at)
    message["Content-Language"] = str(language)  # only now: each part that was added took it for its own
    _fix_boundaries(message, message_id)
    return message


def _headers(
    context: MailContext, message_id: str, sender: str, recipient: str, date_at: dt.datetime
) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    sender_name, sender_address = parseaddr(sender)
    message["From"] = Address(sender_name or context.vendor_name, addr_spec=sender_address)
    message["To"] = Address(context.recipient_name, addr_spec=recipient)
    message["Date"] = format_datetime(date_at.astimezone(dt.UTC).replace(microsecond=0))
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no out-of-office replies, please
    message["X-Auto-Response-Suppress"] = "OOF, AutoReply, RN, NRN"  # Exchange; delivery reports stay wanted
    return message


def _words_for(language: Language) -> dict[str, object]:
    return {
        "language": str(language),
        "deadline": partial(deadline_in_words, language=language),
        "last_day": partial(deadline_in_short, language=language),
        "instant": partial(instant_in_words, language=language),
    }


@cache
def _environment(form: str) -> Environment:
    """Text is not escaped, HTML is; the two forms share every template but the one with the parts."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=form == "html",  # noqa: S701 - off for text/plain only, where escapes would be shown
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["form"] = form
    return environment


def _template(kind: Kind, language: Language, form: str) -> Template:
    return _environment(form).get_template(f"{kind}.{language}.j2")


def _block(template: Template, name: str, values: dict[str, object]) -> str:
    return "".join(template.blocks[name](template.new_context(values)))


def _wrap(text: str) -> str:
    """Lines of readable length; addresses and digests stay whole, to be clicked and compared."""
    lines: list[str] = []
    for line in text.strip().splitlines():
        lines += _wrap_line(line.rstrip())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _wrap_line(line: str) -> list[str]:
    if not line or any(len(word) > _WHOLE for word in line.split()):
        return [line]
    indent = " " * (len(line) - len(line.lstrip(" -")))
    return textwrap.wrap(
        line, _TEXT_WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def _is_web_address(link: str) -> bool:
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    return (
        parts.scheme in {"http", "https"} and bool(parts.netloc) and not re.search(r"[\s\x00-\x1f<>\"]", link)
    )


def _attach_calendar(
    message: EmailMessage, context: MailContext, language: Language, date_at: dt.datetime
) -> None:
    span = _span(context)
    if span is None:
        return
    entry = CalendarEntry(
        uid=getattr(context, "calendar_id", None) or str(message["Message-ID"]).strip("<>"),
        sequence=getattr(context, "calendar_sequence", 0),
        starts_at=span[0],
        ends_at=span[1],
        summary=str(message["Subject"]),
        description=f"{context.case}\n{_IN_THE_MAIL[language]}",
        organizer=message["From"].addresses[0].addr_spec,
        stamped_at=date_at,
    )
    message.add_attachment(
        write_calendar(entry, str(language)).encode(),
        maintype="text",
        subtype="calendar",
        filename=_FILE_NAME[language],
        params={"method": "PUBLISH", "charset": "utf-8"},
    )


def _span(context: MailContext) -> tuple[dt.datetime, dt.datetime] | None:
    if isinstance(context, Question | Reminder) and context.answer_by is not None:
        return context.answer_by - _DEADLINE_SPAN, context.answer_by
    if isinstance(context, Notice) and context.starts_at is not None and context.ends_at is not None:
        return context.starts_at, context.ends_at
    return None


def _fix_boundaries(message: EmailMessage, message_id: str) -> None:
    """The library draws boundaries by lot; these make a repeat the same bytes."""
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        digest = hashlib.sha256(f"{message_id} {number}".encode()).hexdigest()[:32]
        part.set_boundary(f"=_{digest}")
