"""The blocks of this installation: the local mail server, and the demo vendor's commands."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import TYPE_CHECKING

from blocks import BuildCommand, DeployScript, Mailbox, MailServer, SshHost, TestCommand
from deployments.embedded.home import HOUSE
from deployments.embedded.options import HOST

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from prefect.blocks.core import Block
    from prefect.client.orchestration import PrefectClient

    from deployments.embedded.system import System

KINDS: tuple[type[Block], ...] = (BuildCommand, DeployScript, Mailbox, MailServer, SshHost, TestCommand)
ENVIRONMENTS = ("acceptance", "production")
SENDER = "nakoming@sps.example"


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
    return blocks


def _demo(program: str, *words: str) -> list[str]:
    return [sys.executable, "-m", f"demo.{program}", *words]


async def register(client: PrefectClient) -> None:
    """Tell Prefect of every kind of block, so that operators can make them in its UI."""
    for kind in KINDS:
        await kind.register_type_and_schema(client=client)


async def save(client: PrefectClient, blocks: dict[str, Block], ledger: Path) -> list[str]:
    """Save the blocks that are missing, or that we wrote and whose values have changed since.

    A block that somebody altered in Prefect's UI stays as it is: `ledger` remembers what we wrote.

    Returns:
        What was saved.
    """
    written = _written(ledger)
    saved = []
    for key, block in blocks.items():
        if await _is_ours_to_write(client, key, block, written.get(key)):
            await block.asave(key.partition("/")[2], overwrite=True, client=client)
            saved.append(key)
            written[key] = _digest(block)
    _note(ledger, written)
    return saved


def _written(ledger: Path) -> dict[str, str]:
    try:
        written: dict[str, str] = json.loads(ledger.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return written


def _note(ledger: Path, written: dict[str, str]) -> None:
    draft = ledger.with_suffix(".draft")
    draft.write_text(json.dumps(written, indent=2), encoding="utf-8")
    draft.replace(ledger)


async def _is_ours_to_write(client: PrefectClient, key: str, block: Block, written: str | None) -> bool:
    try:
        found = await type(block).aload(key.partition("/")[2], client=client)
    except ValueError:  # Prefect has no such block
        return True
    stands = _digest(found)
    return stands == written and stands != _digest(block)


def _digest(block: Block) -> str:
    fields = block.model_dump_json(include=set(type(block).model_fields))
    return hashlib.sha256(json.dumps(json.loads(fields), sort_keys=True).encode()).hexdigest()
