"""What the ERP does by itself: versions, statuses that come in, registrations it refuses."""

# ruff: noqa: S608 - the tables and conditions that are put together stand in this file

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy.exc import DBAPIError

from demo.erp.making import make
from demo.erp.play import close, hours, reopen
from demo.errors import ErpOrderUnknown
from tests.demo.erp.conftest import SMALL

if TYPE_CHECKING:
    from tests.demo.erp.conftest import Erp

HOURS = (
    "INSERT INTO erp_hours_in (external_key, order_no, op_no, employee, worked_on, minutes)"
    " VALUES (:key, :number, 10, 'Zoë', '2026-11-23', :minutes)"
)
MATERIAL = (
    "INSERT INTO erp_materials_in (external_key, order_no, line_no, item_no, qty, unit)"
    " VALUES (:key, :number, 1, 'S235', :qty, 'kg')"
)
STATUS = (
    "INSERT INTO erp_status_in (external_key, order_no, status, at)"
    " VALUES (:key, :number, :status, '2026-11-23 10:00:00')"
)
HIGHEST = (
    "SELECT max(row_version) FROM (SELECT row_version FROM erp_orders UNION ALL SELECT row_version"
    " FROM erp_operations UNION ALL SELECT row_version FROM erp_materials) AS t"
)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("erp_orders", "status = 'planned'"),
        ("erp_operations", "planned_min = 1"),
        ("erp_materials", "qty = 1"),
    ],
)
def test_every_change_raises_the_version_above_all_others(erp: Erp, table: str, change: str) -> None:
    number = erp.order("order_no IN (SELECT order_no FROM erp_operations)")
    stamp = f"SELECT min(row_version), min(changed_at) FROM {table} WHERE order_no = '{number}'"
    seen = [erp.one(HIGHEST)]
    was = erp.rows(stamp)[0][1]
    for _ in range(2):
        erp.do(f"UPDATE {table} SET {change} WHERE order_no = '{number}'")
        ((version, at),) = erp.rows(stamp)
        assert version > seen[-1]
        assert at > was
        seen.append(erp.one(HIGHEST))
    erp.do(f"INSERT INTO {table} (order_no) VALUES ('{number}')")
    assert erp.one(HIGHEST) == seen[-1] + 1


def test_each_of_many_rows_gets_a_version_of_its_own(erp: Erp) -> None:
    before = erp.one(HIGHEST)
    met = erp.do("UPDATE erp_orders SET status = 'planned'")
    versions = [version for (version,) in erp.rows("SELECT row_version FROM erp_orders ORDER BY 1")]
    assert versions == list(range(before + 1, before + met + 1))


def test_writers_queue_so_that_no_version_is_committed_behind_a_higher_one(postgres_url: str) -> None:
    make(postgres_url, orders=SMALL)
    address = postgres_url.replace("+psycopg", "")
    with psycopg.connect(address) as first, psycopg.connect(address) as second:
        first.execute("UPDATE erp_orders SET status = 'planned' WHERE order_no = 'BR-2026-0001'")
        second.execute("SET lock_timeout = '50ms'")
        second.commit()
        for statement in (
            "UPDATE erp_materials SET qty = 1 WHERE order_no = 'BR-2026-0002'",
            "INSERT INTO erp_status_in (order_no, status, at) VALUES ('BR-2026-0002', 'finished', now())",
        ):
            with pytest.raises(psycopg.errors.LockNotAvailable):
                second.execute(statement)
            second.rollback()
        first.commit()
        second.execute("UPDATE erp_materials SET qty = 1 WHERE order_no = 'BR-2026-0002'")


@pytest.mark.parametrize("statement", [HOURS, MATERIAL])
def test_a_closed_order_takes_no_registrations_and_says_so(erp: Erp, statement: str) -> None:
    number = erp.mess.closed[0]
    values: dict[str, object] = {"minutes": 60} if statement == HOURS else {"qty": "1.5"}
    with pytest.raises(DBAPIError) as refused:
        erp.do(statement, key="K-1", number=number, **values)
    assert str(refused.value.orig).splitlines()[0] == f"Order {number} is closed for registrations"
    with pytest.raises(DBAPIError, match="is closed for registrations"):
        erp.do(statement, key="K-1", number=f"{number}  ", **values)
    reopen(erp.url, number)
    assert erp.do(statement, key="K-1", number=number, **values) == 1


def test_an_order_is_closed_at_any_time_and_its_neighbours_are_not(erp: Erp) -> None:
    number = erp.order("order_no NOT LIKE 'BR-%'")
    assert erp.do(HOURS, key="K-1", number=number, minutes=60) == 1
    close(erp.url, number)
    close(erp.url, number)
    with pytest.raises(DBAPIError, match=f"Order {number} is closed for registrations"):
        erp.do(HOURS, key="K-2", number=number, minutes=60)
    other = erp.order(f"order_no > '{number}'")
    assert erp.do(HOURS, key="K-3", number=other, minutes=60) == 1
    assert [entry.external_key for entry in hours(erp.url)] == ["K-1", "K-3"]


def test_a_number_with_a_quote_closes_as_any_other(erp: Erp) -> None:
    number = """4'0"0"""
    erp.do("INSERT INTO erp_orders (order_no) VALUES (:number)", number=number)
    close(erp.url, number)
    with pytest.raises(DBAPIError) as refused:
        erp.do(HOURS, key="K-1", number=number, minutes=60)
    assert str(refused.value.orig).splitlines()[0] == f"Order {number} is closed for registrations"
    reopen(erp.url, number)
    assert erp.do(HOURS, key="K-1", number=number, minutes=60) == 1


def test_an_order_that_is_not_there_cannot_be_closed(erp: Erp) -> None:
    with pytest.raises(ErpOrderUnknown, match="has no order 1"):
        close(erp.url, "1")


@pytest.mark.parametrize(
    ("statement", "values", "rule"),
    [
        (HOURS, {"minutes": 0}, "minutes_of_a_day"),
        (HOURS, {"minutes": 1441}, "minutes_of_a_day"),
        (MATERIAL, {"qty": "0"}, "quantity_above_zero"),
        (STATUS, {"status": "lost"}, "known_status"),
    ],
)
def test_a_rule_that_is_broken_is_named(
    erp: Erp, statement: str, values: dict[str, object], rule: str
) -> None:
    with pytest.raises(DBAPIError, match=rule):
        erp.do(statement, key="K-1", number=erp.order(), **values)


@pytest.mark.parametrize(
    ("statement", "values"),
    [(HOURS, {"minutes": 1}), (MATERIAL, {"qty": 1}), (STATUS, {"status": "started"})],
)
def test_a_key_is_taken_once_and_none_as_often_as_wanted(
    erp: Erp, statement: str, values: dict[str, object]
) -> None:
    number = erp.order()
    erp.do(statement, key="K-1", number=number, **values)
    with pytest.raises(DBAPIError, match=r"(?i)unique"):
        erp.do(statement, key="K-1", number=number, **values)
    for _ in range(2):
        assert erp.do(statement, key=None, number=number, **values) == 1


def test_a_status_that_comes_in_is_the_orders_status(erp: Erp) -> None:
    number = erp.order("status = 'planned'")
    before = erp.one(HIGHEST)
    erp.do(STATUS, key="K-1", number=number, status="started")
    query = "SELECT status, row_version FROM erp_orders WHERE order_no = :number"
    assert erp.rows(query, number=number) == [("started", before + 1)]


def test_a_status_reaches_an_order_whose_number_ends_in_blanks(erp: Erp) -> None:
    padded = erp.one("SELECT min(order_no) FROM erp_orders WHERE order_no LIKE '% '")
    erp.do(STATUS, key="K-1", number=padded.strip(), status="started")
    assert erp.one("SELECT status FROM erp_orders WHERE order_no = :padded", padded=padded) == "started"


def test_a_status_leaves_the_older_version_of_an_order_alone(erp: Erp) -> None:
    newer = (
        "SELECT max(b.order_no) FROM erp_orders a JOIN erp_orders b"
        " ON b.order_no = a.order_no AND b.row_version > a.row_version"
    )
    number = erp.one(newer)
    versions = "SELECT qty FROM erp_orders WHERE order_no = :number ORDER BY row_version"
    before = erp.rows(versions, number=number)
    erp.do(STATUS, key="K-1", number=number, status="started")
    assert erp.rows(versions, number=number) == before
    statuses = "SELECT status FROM erp_orders WHERE order_no = :number ORDER BY row_version"
    old, new = (status for (status,) in erp.rows(statuses, number=number))
    assert (old != "started", new) == (True, "started")
