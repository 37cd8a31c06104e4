"""Blocks of backups by name, in a Prefect server that many tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.backup.connections import SCRATCHES, SITES, SOURCES, class_of

if TYPE_CHECKING:
    from prefect.blocks.core import Block


def save_alone(block: Block, name: str) -> None:
    """Save a source, site or scratch, and delete what another test left of that name and another kind."""
    slug = block.get_block_type_slug()
    (family,) = (each for each in (SOURCES, SITES, SCRATCHES) if slug in each)
    for other in family.keys() - {slug}:
        forget(class_of(family[other]), name)
    block.save(name, overwrite=True)


def forget(kind: type[Block], name: str) -> None:
    """Delete a block, if it is there."""
    try:
        kind.delete(name)
    except ValueError:  # Prefect's way to say that it is not
        return
