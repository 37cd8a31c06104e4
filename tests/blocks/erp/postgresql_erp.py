"""A PostgreSQL that plays a customer's ERP, reached directly or over ODBC."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg

from blocks.erp.database import ErpDatabase
from blocks.erp.odbc import ErpOdbc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.postgres import PostgresServer

TABLES = """
CREATE TABLE orders (number varchar(20) PRIMARY KEY, quantity integer, price numeric(20, 3),
    changed_at timestamp, due_on date, done boolean, note text, weight double precision, big bigint);
CREATE TABLE hours (line varchar(20) PRIMARY KEY, number varchar(20), quantity integer,
    external_key varchar(80) UNIQUE);
CREATE TABLE suite_keys (external_key varchar(80) PRIMARY KEY, at timestamptz NOT NULL);
"""
LOCK = 0.5


@dataclass
class PostgresErp:
    """A database of its own.

    Attributes:
        server: the cluster.
        database: its name.
        given: settings of every block of it.
    """

    server: PostgresServer
    database: str
    given: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.server.url(self.database, driver="postgresql")

    def block(self, **changes: Any) -> Any:
        address = {"host": self.server.host, "port": self.server.port, "database": self.database}
        named = {"dialect": "postgresql", "username": "postgres", "sslmode": "disable"}
        return ErpDatabase(**(address | named | self.given | changes))

    def run(self, statement: str, *values: Any) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement, values or None)

    def ask(self, statement: str) -> Any:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement).fetchall()

    def as_held(self, value: Any) -> Any:
        return value

    def fill(self, rows: int) -> None:
        self.run("CREATE TABLE bulk (number integer, note text)")
        self.run("INSERT INTO bulk SELECT i, lpad(i::text, 200, '0') FROM generate_series(1, %s) AS i", rows)

    @contextmanager
    def locked(self) -> Iterator[None]:
        with psycopg.connect(self.url) as connection:
            connection.execute("SELECT * FROM orders WHERE number = 'A-1' FOR UPDATE")
            yield
            connection.rollback()

    def slow_view(self) -> str:
        self.run("CREATE VIEW slow AS SELECT 'x'::varchar(9) AS number FROM pg_sleep(60)")
        return "slow"

    def refusing(self) -> str:
        self.run(
            "CREATE FUNCTION no_13() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN IF NEW.quantity = 13 THEN RAISE EXCEPTION 'no hours on a 13th'; END IF; "
            "RETURN NEW; END $$"
        )
        self.run("CREATE TRIGGER no_13 BEFORE INSERT ON hours FOR EACH ROW EXECUTE FUNCTION no_13()")
        return "no hours on a 13th"

    @contextmanager
    def read_only(self) -> Iterator[None]:
        self.run(f"ALTER DATABASE {self.database} SET default_transaction_read_only = on")
        yield

    def terminate(self) -> int:
        """End all other connections there, as its administrator would; returns how many."""
        return len(
            self.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND datname = current_database() AND backend_type = 'client backend'"
            )
        )

    def waiting_for_a_lock(self) -> bool:
        """Whether somebody waits for a lock now."""
        return bool(
            self.ask(
                "SELECT 1 FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
        )

    def account(self, name: str, password: str) -> None:
        """Make an account that must say its password, and wait until the server knows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            role, secret = psycopg.sql.Identifier(name), psycopg.sql.Literal(password)
            connection.execute(psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, secret))
            file = connection.execute("SHOW hba_file").fetchall()[0][0]
            with open(file, encoding="utf-8") as rules:  # noqa: PTH123 - in place: its owner is another user
                before = rules.read()
            with open(file, "w", encoding="utf-8") as rules:  # noqa: PTH123 - as above
                rules.write(f"host all {name} 127.0.0.1/32 scram-sha-256\n{before}")
            connection.execute("SELECT pg_reload_conf()")
            until = threading.Event()
            for _ in range(200):  # the server reads the file again by itself
                rule = connection.execute("SELECT user_name FROM pg_hba_file_rules LIMIT 1").fetchall()
                if rule == [([name],)]:
                    break
                until.wait(0.02)


@dataclass
class OdbcErp(PostgresErp):
    """The same behind PostgreSQL's ODBC driver."""

    def block(self, **changes: Any) -> Any:
        settings = {"Server": self.server.host, "Port": str(self.server.port), "Database": self.database}
        if "port" in changes:
            settings["Port"] = str(changes.pop("port"))
        given = {"driver": "PostgreSQL Unicode", "settings": settings, "username": "postgres"}
        return ErpOdbc(**(given | {"dialect": "postgresql"} | self.given | changes))
