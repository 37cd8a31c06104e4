"""Why a mail did not go, without anybody's address or link: it stands in the records and in logs as it is."""

from __future__ import annotations

import re
from typing import Final

from pydantic import ValidationError

from blocks.mail_server import MailRefused
from nakoming.errors import NakomingError

_ADDRESS: Final = re.compile(r"<?[^\s<>@,;:()\"']+@[^\s<>@,;()\"']+>?")
_LINK: Final = re.compile(r"https?://\S+")
_LIMIT: Final = 500  # characters


def without_addresses(text: str) -> str:
    """One line of at most 500 characters; addresses and links are blotted out."""
    line = " ".join(text.split())
    return _ADDRESS.sub("[address]", _LINK.sub("[link]", line))[:_LIMIT]


def reason_of(error: Exception) -> str:
    """What went wrong, in the other side's words where there are such."""
    if isinstance(error, MailRefused):
        return without_addresses(f"{error.data['code']} {error.data['sentence']}")
    if isinstance(error, ValidationError):  # its own text repeats the values, which are somebody's
        return without_addresses("; ".join(_complaint(each) for each in error.errors()))
    if isinstance(error, NakomingError):
        return without_addresses(str(error.data.get("reason") or error))
    return without_addresses(f"{type(error).__name__}: {error}")


def _complaint(found: object) -> str:
    place = ".".join(str(part) for part in dict(found)["loc"])  # type: ignore[call-overload]  # a TypedDict of pydantic's core
    return f"{place}: {dict(found)['msg']}"  # type: ignore[call-overload]  # the same
