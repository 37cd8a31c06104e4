"""What a scratch may be called: never as anything live."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from blocks.backup.errors import LiveNameRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

PREFIX: Final = "nakoming_scratch_"
# 63 bytes are all that PostgreSQL keeps of a name: a longer one would be another one.
_NAME: Final = re.compile(rf"{PREFIX}[a-z0-9_]{{1,{63 - len(PREFIX)}}}")


def refuse_live(name: str, live: Iterable[str] = ()) -> None:
    """Let only the name of a scratch pass; asked before every command that makes or drops one.

    Raises:
        LiveNameRefused: it has not that shape, or something live has it.
    """
    if not _NAME.fullmatch(name):
        raise LiveNameRefused(name=name, reason="it is not the name of a scratch")
    if name.casefold() in {each.casefold() for each in live}:
        raise LiveNameRefused(name=name, reason="something live has that name")


def without_scratches(names: Iterable[str], own: str) -> frozenset[str]:
    """Names that no scratch may take: all of them but what earlier scratches left; a source's own always."""
    return frozenset({name for name in names if not _NAME.fullmatch(name)} | {own})
