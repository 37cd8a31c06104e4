"""Where an ERP is, in the words of ODBC."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:\\,-]*")
# PostgreSQL's driver: truth as truth; no savepoint before each statement, under which no snapshot can be
# shared; no cursors of its own, for a line cut between two of their rows ends the whole process; and a
# peer that went silent is noticed in half a minute.
_POSTGRESQL: Final = {
    "BoolsAsChar": "0",
    "Protocol": "7.4-1",
    "UseDeclareFetch": "0",
    "KeepaliveTime": "10",
    "KeepaliveInterval": "5",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where it is.

    Attributes:
        driver: name or path of the library.
        settings: words of the connection string.
        username: who logs in.
        dialect: of its SQL.
    """

    driver: str
    settings: Mapping[str, str]
    username: str | None
    dialect: str

    @property
    def where(self) -> str:
        """Server and database, for messages."""
        words = {name.lower(): value for name, value in self.settings.items()}
        server = words.get("server") or words.get("servername") or words.get("dsn") or self.driver
        port = f":{words['port']}" if "port" in words else ""
        database = f"/{words['database']}" if "database" in words else ""
        return f"{server}{port}{database}"

    def connection_string(self, password: str | None, text_signs: int = 0) -> str:
        """All of it; a value that is not plain stands in braces, so that it cannot begin another word.

        Args:
            password: resolved just now.
            text_signs: greatest length of text without a declared one, when it is known.
        """
        words = {"Driver": self.driver, **self.settings}
        if self.dialect == "postgresql":
            given = {name.lower() for name in words}
            own = _POSTGRESQL | ({"MaxLongVarcharSize": str(text_signs)} if text_signs else {})
            words |= {name: value for name, value in own.items() if name.lower() not in given}
        words |= {"UID": self.username} if self.username is not None else {}
        words |= {"PWD": password} if password is not None else {}
        return "".join(f"{name}={_quoted(value)};" for name, value in words.items())


def _quoted(value: str) -> str:
    # Not always: PostgreSQL's driver takes the braces of a plain value as part of it.
    return value if _PLAIN.fullmatch(value) else f"{{{value.replace('}', '}}')}}}"
