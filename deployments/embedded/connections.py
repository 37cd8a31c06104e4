"""The blocks of this installation: the local mail server, and the demo vendor's commands."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING, Any

import prefect

import blocks as kinds
from blocks import (
    BuildCommand,
    DeployScript,
    ErpDatabase,
    FolderSite,
    Mailbox,
    MailServer,
    SqliteScratch,
    SqliteSource,
    SuiteDatabase,
    TestCommand,
)
from demo import backup_ends, exchange_ends
from deployments.embedded.home import HOUSE
from deployments.embedded.options import HOST

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from prefect.blocks.core import Block
    from prefect.client.orchestration import PrefectClient

    from deployments.embedded.system import System

ENVIRONMENTS = ("acceptance", "production")
SENDER = "nakoming@sps.example"
_PAGE = 200  # the most documents Prefect gives at once


def wanted(system: System, customers: Iterable[str]) -> dict[str, Block]:
    """The blocks by name; names are unique per kind, and keyed here as `kind/name`."""
    blocks: dict[str, Block] = {
        "build-command/suite": BuildCommand(command=_demo("build", "--revision={revision}", "--out={out}")),
        "test-command/suite": TestCommand(
            command=_demo("run_tests", "--artefact={artefact}", "--junit={junit}")
        ),
        # The local server is the customers' own: what it takes has arrived.
        "mail-server/mail": MailServer(
            host=HOST,
            port=system.options.smtp_port,
            tls="none",
            sender=SENDER,
            takes_for_customer=True,
        ),
        "mailbox/notices": Mailbox(maildir=system.home.mail / "bounces"),
    }
    deploy = DeployScript(
        command=_demo(
            "deploy",
            "{action}",
            "--customer={customer}",
            "--environment={environment}",
            f"--root={system.home.demo}",
            "--artefact={artefact}",
            "--sha256={sha256}",
        ),
        script=HOUSE / "demo" / "deploy.py",
        working_folder=HOUSE,
    )
    for customer in customers:
        for environment in ENVIRONMENTS:
            blocks[f"deploy-script/{customer}-{environment}"] = deploy.model_copy()
        if customer == exchange_ends.CUSTOMER:
            blocks |= _ends_of_exchange(system.home.demo)
        if customer in backup_ends.CUSTOMERS:
            blocks |= _ends_of_backups(system.home.demo, customer)
    return blocks


def _ends_of_exchange(demo: Path) -> dict[str, Block]:
    """The demo's ERP, and the database of that customer's production; files that the demo makes."""
    customer, suite = exchange_ends.CUSTOMER, exchange_ends.suite_file(demo)
    erp = ErpDatabase(dialect="sqlite", path=exchange_ends.erp_file(demo))
    blocks: dict[str, Block] = {f"erp-database/{customer}-erp": erp}
    if suite is not None:  # who keeps it elsewhere saves the block, which needs a secret
        blocks[f"suite-database/{customer}-suite"] = SuiteDatabase(dialect="sqlite", path=suite)
    return blocks


def _ends_of_backups(demo: Path, customer: str) -> dict[str, Block]:
    """The database of a customer's production, the two sites, and where restores are tried."""
    blocks: dict[str, Block] = {
        f"backup-folder-site/{name}": FolderSite(folder=backup_ends.folder(demo, name), machine=machine)
        for name, machine in backup_ends.SITES.items()
    }
    scratch = SqliteScratch(folder=backup_ends.folder(demo, backup_ends.SCRATCH))
    blocks[f"backup-scratch-sqlite/{backup_ends.SCRATCH}"] = scratch
    database = backup_ends.database_file(demo, customer)
    if database is not None:  # who keeps it elsewhere saves the block, which needs a secret
        blocks[f"backup-source-sqlite/{customer}-database"] = SqliteSource(path=database)
    return blocks


def _demo(program: str, *words: str) -> list[str]:
    return [sys.executable, "-m", f"demo.{program}", *words]


async def register(client: PrefectClient, note: Path) -> None:
    """Tell Prefect of every kind of block, so that operators can make them in its UI.

    Left out when `note` says that these kinds, as they are now, were registered before: it takes a second.
    """
    source = hashlib.sha256(prefect.__version__.encode())
    for module in sorted((HOUSE / "blocks").rglob("*.py")):
        source.update(module.read_bytes())
    if _read(note) == {"registered": source.hexdigest()}:
        return
    for name in kinds.__all__:
        await getattr(kinds, name).register_type_and_schema(client=client)
    _write(note, {"registered": source.hexdigest()})


async def save(client: PrefectClient, blocks: dict[str, Block], ledger: Path) -> list[str]:
    """Save the blocks that are missing, or that we wrote and whose values have changed since.

    A block that somebody altered in Prefect's UI stays as it is: `ledger` remembers what we wrote.

    Returns:
        What was saved.
    """
    standing = await _standing(client)
    written = _read(ledger)
    saved = []
    for key, block in blocks.items():
        wanted_now = _digest(_values(block))
        stands = standing.get((block.get_block_type_slug(), key.partition("/")[2]))
        if stands is None or (stands == written.get(key) and stands != wanted_now):
            await block.asave(key.partition("/")[2], overwrite=stands is not None, client=client)
            saved.append(key)
            written[key] = wanted_now
    if saved:
        _write(ledger, written)
    return saved


async def _standing(client: PrefectClient) -> dict[tuple[str, str], str]:
    """The digest of each block that Prefect has, by kind and name."""
    found: dict[tuple[str, str], str] = {}
    offset = 0
    while page := await client.read_block_documents(limit=_PAGE, offset=offset):
        for each in page:
            if each.block_type is not None and each.name is not None:
                found[each.block_type.slug, each.name] = _digest(each.data)
        offset += _PAGE
    return found


def _values(block: Block) -> dict[str, Any]:
    """A block's own fields, as Prefect stores them."""
    dumped: dict[str, Any] = json.loads(block.model_dump_json())
    return {name: value for name, value in dumped.items() if name in type(block).model_fields}


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> dict[str, str]:
    try:
        noted: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return noted


def _write(path: Path, noted: dict[str, str]) -> None:
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(noted, indent=2), encoding="utf-8")
    draft.replace(path)
