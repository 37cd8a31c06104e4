"""The T-SQL of a backup, as text."""

from __future__ import annotations

from typing import Final

STARTED: Final = """
SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), SYSUTCDATETIME()
"""
SIZE: Final = "SELECT SUM(CAST(size AS bigint)) * 8192 FROM sys.database_files WHERE type = 0"
NAMES: Final = "SELECT name FROM sys.databases"
ROWS: Final = """
SELECT s.name, t.name, SUM(p.row_count) FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id
JOIN sys.dm_db_partition_stats p ON p.object_id = t.object_id AND p.index_id IN (0, 1)
WHERE t.is_ms_shipped = 0 GROUP BY s.name, t.name ORDER BY s.name, t.name
"""
POSITION: Final = """
SELECT TOP 1 CONVERT(varchar(40), b.last_lsn), b.backup_finish_date FROM msdb.dbo.backupset b
JOIN msdb.dbo.backupmediafamily m ON m.media_set_id = b.media_set_id
WHERE b.database_name = ? AND m.physical_device_name = ? AND b.is_copy_only = 1
ORDER BY b.backup_set_id DESC
"""


def backup(database: str, file: str) -> str:
    """Back up a database into a file, read every page's checksum, leave the chain of log backups alone."""
    return (
        f"BACKUP DATABASE {_name(database)} TO DISK = {_text(file)} "
        "WITH CHECKSUM, STOP_ON_ERROR, COPY_ONLY, FORMAT, INIT, NO_COMPRESSION"
    )


def verify(file: str) -> str:
    """Let the server read back what it wrote."""
    return f"RESTORE VERIFYONLY FROM DISK = {_text(file)} WITH CHECKSUM, STOP_ON_ERROR"


def _name(name: str) -> str:
    closed = name.replace("]", "]]")
    return f"[{closed}]"


def _text(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"N'{doubled}'"
