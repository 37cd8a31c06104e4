"""Names of files at a site: paths of ids, never text of a customer."""

from __future__ import annotations

import re
import uuid
from typing import Final

from blocks.backup.errors import SiteNameRefused

PART: Final = ".part"
"""What the name of an unfinished file ends in."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_DEEPEST: Final = 8


def name_to_try() -> str:
    """A name for the file of a check, in a folder of its own: two checks at once do not meet."""
    return f"nakoming-check-{uuid.uuid4().hex}/file"


def checked(name: str) -> str:
    """Return the name of a finished file.

    Raises:
        SiteNameRefused: it is not made of ids, or is that of an unfinished file.
    """
    if name.endswith(PART):
        raise SiteNameRefused(name=name)
    return checked_any(name)


def checked_any(name: str) -> str:
    """Return the name of a file, unfinished ones included; errors as of `checked`."""
    words = name.split("/")
    if len(words) > _DEEPEST or not all(_NAME.fullmatch(word) for word in words):
        raise SiteNameRefused(name=name)
    return name


def checked_folder(name: str) -> str:
    """Return the name of a folder; "" is the site's own. Errors as of `checked`."""
    return name and checked_any(name)
