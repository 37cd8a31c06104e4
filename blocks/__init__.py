"""Connections to outside systems, one system a module.

The blocks are found here by name (`python -m prefect block register -m blocks`), and each module is imported
when its block is asked for: whoever needs one does not load the libraries of all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from blocks.backup.scratch_folder import FolderScratch
    from blocks.backup.scratch_postgresql import PostgresqlScratch
    from blocks.backup.scratch_sqlite import SqliteScratch
    from blocks.backup.site_folder import FolderSite
    from blocks.backup.site_object import ObjectSite
    from blocks.backup.site_sftp import SftpSite
    from blocks.backup.source_folder import FolderSource
    from blocks.backup.source_postgresql import PostgresqlSource
    from blocks.backup.source_sqlite import SqliteSource
    from blocks.backup.source_sqlserver import SqlserverSource
    from blocks.build_command import BuildCommand, TestCommand
    from blocks.deploy_script import DeployScript
    from blocks.erp.database import ErpDatabase
    from blocks.erp.inbox import ErpInbox
    from blocks.erp.odbc import ErpOdbc
    from blocks.mail_server import MailServer
    from blocks.mailbox import Mailbox
    from blocks.ssh import SshHost
    from blocks.suite_database import SuiteDatabase

__all__ = [
    "BuildCommand",
    "DeployScript",
    "ErpDatabase",
    "ErpInbox",
    "ErpOdbc",
    "FolderScratch",
    "FolderSite",
    "FolderSource",
    "MailServer",
    "Mailbox",
    "ObjectSite",
    "PostgresqlScratch",
    "PostgresqlSource",
    "SftpSite",
    "SqliteScratch",
    "SqliteSource",
    "SqlserverSource",
    "SshHost",
    "SuiteDatabase",
    "TestCommand",
]

_MODULES = {
    "BuildCommand": "blocks.build_command",
    "DeployScript": "blocks.deploy_script",
    "ErpDatabase": "blocks.erp.database",
    "ErpInbox": "blocks.erp.inbox",
    "ErpOdbc": "blocks.erp.odbc",
    "FolderScratch": "blocks.backup.scratch_folder",
    "FolderSite": "blocks.backup.site_folder",
    "FolderSource": "blocks.backup.source_folder",
    "MailServer": "blocks.mail_server",
    "Mailbox": "blocks.mailbox",
    "ObjectSite": "blocks.backup.site_object",
    "PostgresqlScratch": "blocks.backup.scratch_postgresql",
    "PostgresqlSource": "blocks.backup.source_postgresql",
    "SftpSite": "blocks.backup.site_sftp",
    "SqliteScratch": "blocks.backup.scratch_sqlite",
    "SqliteSource": "blocks.backup.source_sqlite",
    "SqlserverSource": "blocks.backup.source_sqlserver",
    "SshHost": "blocks.ssh",
    "SuiteDatabase": "blocks.suite_database",
    "TestCommand": "blocks.build_command",
}


def __getattr__(name: str) -> Any:
    """Import a block at its first use."""
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """Name the blocks also before they are imported."""
    return sorted({*globals(), *__all__})
