"""Blocks by name, in a Prefect server that many tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect.client.orchestration import get_client

from tasks.backup.connections import SCRATCHES, SITES, SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prefect.blocks.core import Block


def save_alone(block: Block, name: str) -> None:
    """Save a source, site or scratch, and delete what another test left of that name and another kind."""
    slug = block.get_block_type_slug()
    (family,) = (each for each in (SOURCES, SITES, SCRATCHES) if slug in each)
    forget(name, kinds=family.keys() - {slug})
    block.save(name, overwrite=True)


def forget(*names: str, kinds: Iterable[str] | None = None) -> None:
    """Delete the blocks of these names that are there: of the kinds with these slugs, or of whatever kind."""
    wanted = {"block_documents": {"name": {"any_": names}}}
    if kinds is not None:
        wanted["block_types"] = {"slug": {"any_": tuple(kinds)}}
    with get_client(sync_client=True) as prefect:
        for each in prefect.request("POST", "/block_documents/filter", json=wanted).json():
            prefect.delete_block_document(each["id"])
