"""Brings the records up to date: `python -m deployments.embedded.records` migrates and loads agreements."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

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
        AgreementNameError: a file is not named for its customer.
    """
    texts = {path.stem: read_text(path) for path in sorted(folder.glob("*.yaml"))}
    for customer, text in texts.items():
        _check(customer, text)
    with records.write() as tx:
        return {
            customer: agreements.store(tx, customer, text, agreement_sha256(text))
            for customer, text in texts.items()
        }


def _check(customer: str, text: str) -> None:
    file = f"{customer}.yaml"
    if customer == agreements.VENDOR:
        parse_vendor(text, file)
        return
    named = parse_agreement(text, file).customer
    if named != customer:
        raise AgreementNameError(file=file, customer=named)


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
