"""SQL Server: its T-SQL as text; all of it wherever a server is given."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from blocks.backup import sqlserver_sql
from blocks.backup.source_sqlserver import SqlserverSource
from tests.blocks.backup.backup_contract import dumped

VARIABLE = "NAKOMING_TEST_MSSQL"
SHARE = "NAKOMING_TEST_MSSQL_SHARE"
"""The share, as the server names it and as this machine does, with `;` between them."""


def test_the_backup_leaves_the_log_chain_alone_and_reads_page_checksums() -> None:
    text = sqlserver_sql.backup("acme", r"\\files\backup\x.bak")
    assert text.startswith(r"BACKUP DATABASE [acme] TO DISK = N'\\files\backup\x.bak' WITH ")
    assert {"CHECKSUM", "COPY_ONLY", "STOP_ON_ERROR", "INIT", "FORMAT", "NO_COMPRESSION"} == set(
        text.partition(" WITH ")[2].split(", ")
    )


def test_a_name_cannot_become_a_command() -> None:
    text = sqlserver_sql.backup("a] TO DISK = N'x'; --", "a'; DROP DATABASE b; --")
    assert "[a]] TO DISK = N'x'; --]" in text
    assert "N'a''; DROP DATABASE b; --'" in text
    assert "N'a''b'" in sqlserver_sql.verify("a'b")


@pytest.mark.parametrize("word", ["PWD", "Password", "UID", "Database", "Server;PWD=x"])
def test_settings_hold_no_secret_and_no_second_database(word: str) -> None:
    with pytest.raises(ValidationError):
        SqlserverSource(
            driver="d", settings={word: "x"}, database="a", share_of_server="s", share_here=Path("s")
        )


@pytest.mark.mssql
@pytest.mark.skipif(not {VARIABLE, SHARE} <= set(os.environ), reason=f"{VARIABLE} and {SHARE} name no server")
def test_a_real_server_is_backed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    found = re.findall(r"([^=;]+)=(\{(?:[^}]|\}\})*\}|[^;]*)", os.environ[VARIABLE])
    words = {name.strip().lower(): value.strip("{}") for name, value in found}
    there, here = os.environ[SHARE].split(";")
    monkeypatch.setenv("BACKUP_MSSQL_PASSWORD", words.pop("pwd", ""))
    source = SqlserverSource.model_validate(
        {
            "driver": words.pop("driver"),
            "username": words.pop("uid", None),
            "password": "env:BACKUP_MSSQL_PASSWORD",
            "database": words.pop("database"),
            "settings": words,
            "share_of_server": there,
            "share_here": here,
        }
    )
    blocks, facts = dumped(source)
    assert b"".join(blocks).startswith(b"TAPE")
    assert facts.position
    assert not list(Path(here).glob("nakoming-*.bak"))
