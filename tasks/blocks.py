"""Blocks by name, as the agreement and the flows name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from prefect.blocks.core import Block

B = TypeVar("B", bound="Block")


class BlockMissing(NakomingError):
    """A connection that is named does not exist."""

    template = (
        "There is no block '{slug}/{name}'; make it in the Prefect UI under Blocks, or run `nakoming check`."
    )
    code = "NK5103"


def load_block(kind: type[B], name: str) -> B:
    """The block of this kind and name; `BlockMissing` when Prefect does not know it."""
    try:
        loaded = kind.load(name)
    except ValueError as missing:
        raise BlockMissing(slug=kind.get_block_type_slug(), name=name) from missing
    if not isinstance(loaded, kind):
        raise BlockMissing(slug=kind.get_block_type_slug(), name=name)
    return loaded
