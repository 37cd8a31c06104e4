"""A dump fed to pg_restore, for a scratch as for a database that goes live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from blocks.backup.engine_child import EngineChild, Silent
from blocks.backup.errors import RestoreFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from blocks.backup.pg_login import PostgresqlLogin
    from blocks.backup.pg_tools import Tool

# What a power cut takes is made again; index builds may use some memory.
OPTIONS = "-c synchronous_commit=off -c maintenance_work_mem=128MB"
_HEAD_BYTES = 4096


def feed(
    login: PostgresqlLogin, name: str, tool: Tool, blocks: Iterable[bytes], left_out: tuple[str, ...] = ()
) -> None:
    """Give a dump to pg_restore, into an empty database; `left_out` are its own words for what is not taken.

    Raises:
        RestoreFailed: it did not take the dump.
    """
    argv = [tool.path, "--exit-on-error", "--no-password", *left_out, f"--dbname={name}"]
    with EngineChild(argv, login.child_environment(name, OPTIONS), takes=True) as child:
        try:
            for block in blocks:
                child.write(block)
        except BrokenPipeError:
            pass  # it ended before the dump did: its exit code says why
        try:
            code = child.end(login.silent_after.total_seconds())
        except Silent:
            code = None
        if code != 0:
            reason = "pg_restore does not end" if code is None else f"pg_restore: {child.verdict(code)}"
            raise RestoreFailed(what="the dump", name=name, reason=reason)


def first_bytes(blocks: Iterator[bytes]) -> bytes:
    """The beginning of a dump, where it names its encoding."""
    head = b""
    while len(head) < _HEAD_BYTES and (block := next(blocks, b"")):
        head += block
    return head
