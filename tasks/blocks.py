"""Blocks by name, as the agreement and the flows name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import BlockDocument

from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prefect.blocks.core import Block

B = TypeVar("B", bound="Block")


class BlockMissing(NakomingError):
    """A connection that is named does not exist."""

    template = (
        "There is no block '{slug}/{name}'; make it in the Prefect UI under Blocks, or run `nakoming check`."
    )
    code = "NK5103"


class BlockOfNoKind(NakomingError):
    """A block that the agreement names is of no kind that fits."""

    template = (
        "There is no block '{name}' that is a {what}; allowed: one of {kinds}. Make it in the Prefect UI."
    )
    code = "NK5601"


class BlockAmbiguous(NakomingError):
    """Blocks of several kinds bear the name that the agreement gives: nobody knows which is meant."""

    template = (
        "'{name}' names {kinds}; allowed: one {what} of that name. Delete in the Prefect UI what is not used "
        "any more, or give it another name."
    )
    code = "NK5604"


def load_one_of(what: str, name: str, kinds: Mapping[str, str], class_of: Callable[[str], type[B]]) -> B:
    """The one block that bears a name now, of whichever kind it is; one request.

    It is asked anew for each run of work: a customer whose database moves to another engine gets a block of
    another kind with the old name, and the database that was left must not be what is used.

    Args:
        what: what the block is to be, in words.
        name: of the block.
        kinds: the kinds that fit, by slug, as they are shown.
        class_of: the class of a slug; called for the one that is there, and may import it.

    Raises:
        BlockOfNoKind: none bears it.
        BlockAmbiguous: several do.
    """
    wanted = {
        "block_types": {"slug": {"any_": list(kinds)}},
        "block_documents": {"name": {"any_": [name]}},
        "include_secrets": True,
    }
    with get_client(sync_client=True) as client:
        found = client.request("POST", "/block_documents/filter", json=wanted).json()
    there = sorted(str(each["block_type"]["slug"]) for each in found)
    if not there:
        raise BlockOfNoKind(name=name, what=what, kinds=", ".join(kinds.values()))
    if len(there) > 1:
        raise BlockAmbiguous(name=name, what=what, kinds=" and ".join(f"{slug}/{name}" for slug in there))
    # Its public method asks for the document once more.
    return class_of(there[0])._load_from_block_document(BlockDocument.model_validate(found[0]))  # noqa: SLF001


def load_block(kind: type[B], name: str) -> B:
    """The block of this kind and name; `BlockMissing` when Prefect does not know it."""
    try:
        loaded = kind.load(name)
    except ValueError as missing:
        raise BlockMissing(slug=kind.get_block_type_slug(), name=name) from missing
    if not isinstance(loaded, kind):
        raise BlockMissing(slug=kind.get_block_type_slug(), name=name)
    return loaded
