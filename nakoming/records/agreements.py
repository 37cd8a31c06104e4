"""Agreements as loaded: a changed file is a new version; a case keeps the one it was opened under."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from nakoming.agreement.loading import agreement_sha256, parse_agreement, parse_vendor
from nakoming.records import schema
from nakoming.records.errors import UnknownAgreement
from nakoming.records.events import Event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from nakoming.agreement.terms import Agreement, Vendor
    from nakoming.records.store import Tx

VENDOR = "vendor"
_agreements = schema.agreements
_contracts = schema.agreement_contracts
NO_CONTRACTS: Mapping[str, str] = MappingProxyType({})


def store(tx: Tx, customer: str, text: str, sha256: str, contracts: Mapping[str, str] = NO_CONTRACTS) -> int:
    """Keep an agreement file as it is; its version. What did not change keeps its version.

    Args:
        tx: a transaction that writes.
        customer: whose.
        text: of the file.
        sha256: of the file.
        contracts: texts of the data contracts that it names, by interface.
    """
    c = _agreements.c
    newest = select(c.version, c.sha256).where(c.customer == customer).order_by(c.version.desc()).limit(1)
    found = tx.connection.execute(newest).one_or_none()
    digests = {name: agreement_sha256(body) for name, body in contracts.items()}
    if found and found.sha256 == sha256 and _digests(tx, customer, found.version) == digests:
        return int(found.version)
    version = found.version + 1 if found else 1
    row = {
        "customer": customer,
        "version": version,
        "sha256": sha256,
        "body_sealed": tx.seal(customer, f"agreement/{customer}/{version}", text),
        "loaded_at": tx.now,
    }
    if not tx.insert_once(_agreements, row):  # somebody else loaded it at the same moment
        return store(tx, customer, text, sha256, contracts)
    for name, body in contracts.items():
        place = {"customer": customer, "version": version, "interface": name, "sha256": digests[name]}
        sealed = tx.seal(customer, _contract_place(customer, version, name), body)
        tx.connection.execute(_contracts.insert().values(**place, body_sealed=sealed))
    named = {"contracts": digests} if digests else {}
    tx.prove(Event.AGREEMENT_LOADED, customer, {"version": version, "sha256": sha256, **named})
    return version


def _digests(tx: Tx, customer: str, version: int) -> dict[str, str]:
    c = _contracts.c
    query = select(c.interface, c.sha256).where(c.customer == customer, c.version == version)
    return {row.interface: row.sha256 for row in tx.connection.execute(query)}


def _contract_place(customer: str, version: int, interface: str) -> str:
    return f"agreement/{customer}/{version}/contracts/{interface}"


def contracts(tx: Tx, customer: str, version: int | None = None) -> dict[str, str]:
    """The texts of a customer's own data contracts, by interface: of a version, or the newest."""
    version = version or newest_version(tx, customer)
    c = _contracts.c
    query = select(c.interface, c.body_sealed).where(c.customer == customer, c.version == version)
    return {
        row.interface: tx.unseal(customer, _contract_place(customer, version, row.interface), row.body_sealed)
        for row in tx.connection.execute(query)
    }


def newest_version(tx: Tx, customer: str) -> int:
    """The newest version of a customer's agreement; `UnknownAgreement` when there is none."""
    c = _agreements.c
    query = select(func.max(c.version)).where(c.customer == customer)
    version = tx.connection.execute(query).scalar_one()
    if version is None:
        known = ", ".join(customers(tx)) or "none"
        raise UnknownAgreement(customer=customer, known=known)
    return int(version)


def loaded_at(tx: Tx, customer: str) -> datetime:
    """When the newest version of a customer's agreement was loaded; `UnknownAgreement` when there is none."""
    c = _agreements.c
    version = newest_version(tx, customer)
    query = select(c.loaded_at).where(c.customer == customer, c.version == version)
    found: datetime = tx.connection.execute(query).scalar_one()
    return found


def customers(tx: Tx) -> list[str]:
    """The customers that have an agreement, in alphabetical order."""
    c = _agreements.c
    query = select(c.customer).where(c.customer != VENDOR).distinct().order_by(c.customer)
    return list(tx.connection.execute(query).scalars())


def get(tx: Tx, customer: str, version: int | None = None) -> Agreement:
    """A customer's terms: of a version, or the newest."""
    return _agreement(*_body(tx, customer, version))


def vendor(tx: Tx) -> Vendor:
    """The vendor's officers as they are now."""
    return _vendor(*_body(tx, VENDOR, None))


# Reading YAML takes 25 ms, and whoever sends mail or opens gates asks each time; what is read is frozen.
@lru_cache(maxsize=64)
def _agreement(body: str, name: str) -> Agreement:
    return parse_agreement(body, name)


@lru_cache(maxsize=4)
def _vendor(body: str, name: str) -> Vendor:
    return parse_vendor(body, name)


def _body(tx: Tx, customer: str, version: int | None) -> tuple[str, str]:
    version = version or newest_version(tx, customer)
    c = _agreements.c
    query = select(c.body_sealed).where(c.customer == customer, c.version == version)
    sealed = tx.connection.execute(query).scalar_one()
    body: str = tx.unseal(customer, f"agreement/{customer}/{version}", sealed)
    return body, f"{customer}.yaml"
