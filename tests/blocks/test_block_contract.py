"""The contract, for every block that lies in `blocks/`."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from prefect.blocks.core import Block

import blocks
from tests.blocks.block_contract import BlockContract


def _all_blocks() -> list[type[Block]]:
    found: dict[str, type[Block]] = {}
    for module in pkgutil.walk_packages(blocks.__path__, "blocks."):
        contents = vars(importlib.import_module(module.name))
        for kind in contents.values():
            if isinstance(kind, type) and issubclass(kind, Block) and kind.__module__ == contents["__name__"]:
                found[kind.__name__] = kind
    return list(found.values())


@pytest.mark.parametrize("block", _all_blocks(), ids=lambda block: block.__name__)
class TestEveryBlock(BlockContract):
    """Discovered, so that none can be forgotten."""

    @pytest.fixture(autouse=True)
    def _chosen(self, block: type[Block]) -> None:
        type(self).block = block


def test_the_known_ones_are_found() -> None:
    names = {block.__name__ for block in _all_blocks()}
    assert {"SshHost", "DeployScript", "BuildCommand", "TestCommand"} <= names
    assert {"ErpDatabase", "ErpInbox", "ErpOdbc"} <= names
    assert names == set(blocks.__all__)


class Bare(Block):
    """No sentence"""  # noqa: D415 (damaged on purpose)

    password: str


@pytest.mark.parametrize(
    "name", [name for name in vars(BlockContract) if name.startswith("test_") and "names" not in name]
)
def test_the_contract_has_teeth(name: str) -> None:
    contract = BlockContract()
    type(contract).block = Bare
    with pytest.raises(AssertionError):
        getattr(contract, name)()
