"""Which data contracts hold for whom: the product's own, or those that a customer's agreement names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from data_contracts.contract import INTERFACES
from data_contracts.loading import contract_for, parse_contract
from nakoming.errors import NakomingError
from nakoming.records import agreements

if TYPE_CHECKING:
    from data_contracts.contract import Contract

_OURS = "overview"  # goes out of our own records: no ERP has such a table


def of_connection(name: str) -> list[Contract]:
    """The contracts that an ERP's tables are held against: those of the customers who exchange with it."""
    texts = [own for connection, own in _exchanging().values() if connection == name] or [{}]
    found: list[Contract] = []
    for interface in (each for each in INTERFACES if each != _OURS):
        distinct = dict.fromkeys(own.get(interface) for own in texts)
        found += [contract_for(interface) if text is None else _parsed(interface, text) for text in distinct]
    return found


def customers_under(contract: Contract) -> list[str]:
    """The customers who exchange by a contract that is their own, else those who have none of their own."""
    own = {name: contracts.get(contract.interface) for name, (_, contracts) in _exchanging().items()}
    theirs = [name for name, text in own.items() if text and _parsed(contract.interface, text) == contract]
    return theirs or [name for name, text in own.items() if text is None]


def _parsed(interface: str, text: str) -> Contract:
    return parse_contract(text, f"{interface}.yaml")


def _exchanging() -> dict[str, tuple[str | None, dict[str, str]]]:
    """Connection and own contracts of each customer with an ERP; none where nothing is installed yet."""
    from tasks.erp.standing import customers_with_erp
    from tasks.installation import records

    try:
        with records().read() as tx:
            return {
                name: (agreements.get(tx, name).erp.connection, agreements.contracts(tx, name))
                for name in customers_with_erp(tx)
            }
    except (NakomingError, SQLAlchemyError):
        return {}
