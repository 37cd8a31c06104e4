"""What stands on a PostgreSQL database itself and in no dump of it: locale, owner, rights, settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from psycopg import sql

if TYPE_CHECKING:
    import psycopg

_ENCODING: Final = re.compile(rb"SET client_encoding = '([A-Za-z0-9_]+)';")
# Column names of locales differ by version; as JSON the ones that are there can be asked for.
_ROW: Final = """
    SELECT to_jsonb(d) || jsonb_build_object(
        'encoding', pg_encoding_to_char(d.encoding), 'owner', pg_get_userbyid(d.datdba))
    FROM pg_database d WHERE d.datname = %s
"""
_RIGHTS: Final = """
    SELECT r.rolname, a.privilege_type, a.is_grantable
    FROM pg_database d, LATERAL aclexplode(d.datacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee
    WHERE d.datname = %s AND (a.grantee = 0 OR r.rolname IS NOT NULL)
"""
_SETTINGS: Final = """
    SELECT r.rolname, split_part(each, '=', 1), substr(each, strpos(each, '=') + 1)
    FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
    LEFT JOIN pg_roles r ON r.oid = s.setrole, LATERAL unnest(s.setconfig) each
    WHERE d.datname = %s
"""


def create_like(connection: psycopg.Connection, live: str, name: str, head: bytes) -> None:
    """Make an empty database with the encoding and the locale of the live one.

    Where there is no live one any more, the encoding is the dump's (`head` is its beginning).
    """
    found = connection.execute(_ROW, (live,)).fetchone()
    options = _like(found[0]) if found else _of_dump(connection, head)
    text = sql.SQL("CREATE DATABASE {} TEMPLATE template0 {}")
    connection.execute(text.format(sql.Identifier(name), options))


def _like(row: dict[str, Any]) -> sql.Composable:
    options = {
        "ENCODING": row["encoding"],
        "LC_COLLATE": row["datcollate"],
        "LC_CTYPE": row["datctype"],
    }
    locale = row.get("datlocale") or row.get("daticulocale")
    if row.get("datlocprovider") == "i":
        options |= {"LOCALE_PROVIDER": "icu", "ICU_LOCALE": locale}
    elif row.get("datlocprovider") == "b":
        options |= {"LOCALE_PROVIDER": "builtin", "BUILTIN_LOCALE": locale}
    return _written(options)


def _of_dump(connection: psycopg.Connection, head: bytes) -> sql.Composable:
    match = _ENCODING.search(head)
    encoding = match[1].decode() if match else "UTF8"
    query = "SELECT pg_encoding_to_char(encoding) = %s FROM pg_database WHERE datname = 'template0'"
    same = connection.execute(query, (encoding,)).fetchone()
    # Only locale C goes with every encoding.
    return _written({"ENCODING": encoding} | ({} if same and same[0] else {"LOCALE": "C"}))


def _written(options: dict[str, str]) -> sql.Composable:
    pairs = [sql.SQL(f"{name} {{}}").format(sql.Literal(value)) for name, value in options.items()]
    return sql.SQL(" ").join(pairs)


def copy_properties(connection: psycopg.Connection, live: str, name: str) -> None:
    """Give a database the owner, rights, limit and settings of the live one, where there is one."""
    found = connection.execute(_ROW, (live,)).fetchone()
    if found is None:
        return
    row, database = found[0], sql.Identifier(name)
    connection.execute(
        sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, sql.Identifier(row["owner"]))
    )
    limit = sql.Literal(row["datconnlimit"])
    connection.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(database, limit))
    if row["datacl"] is not None:
        _copy_rights(connection, live, database)
    for role, setting, value in connection.execute(_SETTINGS, (live,)).fetchall():
        _set(connection, database, role, setting, value)


def _copy_rights(connection: psycopg.Connection, live: str, database: sql.Identifier) -> None:
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for role, right, grantable in connection.execute(_RIGHTS, (live,)).fetchall():
        grantee = sql.SQL("PUBLIC") if role is None else sql.Identifier(role)
        text = sql.SQL("GRANT {} ON DATABASE {} TO {}").format(sql.SQL(right), database, grantee)
        connection.execute(text + sql.SQL(" WITH GRANT OPTION" if grantable else ""))


def _set(
    connection: psycopg.Connection, database: sql.Identifier, role: str | None, setting: str, value: str
) -> None:
    # FROM CURRENT keeps a list a list; for the length of a transaction only, so that nothing is left on.
    target = sql.SQL("DATABASE {}").format(database)
    if role is not None:
        target = sql.SQL("ROLE {} IN DATABASE {}").format(sql.Identifier(role), database)
    with connection.transaction():
        connection.execute("SELECT set_config(%s, %s, true)", (setting, value))
        connection.execute(
            sql.SQL("ALTER {} SET {} FROM CURRENT").format(target, sql.Identifier(*setting.split(".")))
        )
