"""Brings the records up to date: `python -m deployments.embedded.records` migrates and loads agreements."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from data_contracts.own import own_contracts
from deployments.embedded.errors import AgreementNameError
from deployments.records_trouble import explained
from nakoming.agreement.loading import agreement_sha256, parse_agreement, parse_vendor, read_text
from nakoming.errors import NakomingError
from nakoming.records import agreements, migrate
from nakoming.records.store import Records
from nakoming.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def load_agreements(records: Records, folder: Path) -> dict[str, int]:
    """Store what lies in the folder, all files or none; the version of each customer and of the vendor.

    Raises:
        AgreementError: the first line that is not allowed.
        ContractError: the same, of a data contract that an agreement names.
        AgreementNameError: a file is not named for its customer.
    """
    paths = sorted(folder.glob("*.yaml"))
    texts = {path.stem: read_text(path) for path in paths}
    contracts = {path.stem: _checked(path, texts[path.stem]) for path in paths}
    with records.write() as tx:
        return {
            customer: agreements.store(tx, customer, text, agreement_sha256(text), contracts[customer])
            for customer, text in texts.items()
        }


def _checked(path: Path, text: str) -> dict[str, str]:
    """The texts of the contracts that it names, by interface."""
    if path.stem == agreements.VENDOR:
        parse_vendor(text, path.name)
        return {}
    named = parse_agreement(text, path.name).customer
    if named != path.stem:
        raise AgreementNameError(file=path.name, customer=named)
    return own_contracts(text, path)


def main() -> int:
    """Do both; one sentence on standard error when that cannot be."""
    settings = Settings()
    try:
        records = Records.from_settings(settings)
        migrate.upgrade(records)
        load_agreements(records, settings.agreements)
    except NakomingError as problem:
        return _said(problem)
    except Exception as problem:
        known = explained(problem)
        if known is None:
            raise
        return _said(known)
    return 0


def _said(problem: NakomingError) -> int:
    sys.stderr.write(f"{problem} [{problem.code}]\n")
    return problem.exit_status


if __name__ == "__main__":
    sys.exit(main())
