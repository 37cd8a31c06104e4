"""What a check of rows against a contract found, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from data_contracts.custom import LANGUAGES
from data_contracts.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from data_contracts.contract import Contract

SAMPLES: Final = 5
"""How many rows a report shows for each rule; all of them stand in quarantine."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One row that breaks a rule: its number and the reason, by language."""

    row_id: int
    words: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """How one rule was kept.

    Attributes:
        rule: its name.
        label: what it is about, by language.
        counts: whether its rows count as bad rows.
        broken: how many rows break it.
        samples: some of them.
    """

    rule: str
    label: Mapping[str, str]
    counts: bool
    broken: int
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a check found.

    Attributes:
        interface: of the contract.
        version: of the contract.
        owner: who answers for the data.
        source: the table at the ERP.
        rows: how many were looked at.
        bad_rows: how many of them break a rule that counts.
        limit: the share of bad rows above which nothing is loaded.
        findings: one a rule, in the contract's order.
        unchecked: rules that were not looked at, because what they need was not there.
        refused: why nothing of a delivery was used, in one sentence; empty when it was.
    """

    interface: str
    version: str
    owner: str
    source: str
    rows: int
    bad_rows: int
    limit: Decimal
    findings: tuple[Finding, ...] = field(default=())
    unchecked: tuple[str, ...] = ()
    refused: str = ""

    @property
    def share(self) -> Decimal:
        """The share of bad rows, 0 to 1; of no rows it is 0."""
        return Decimal(self.bad_rows) / Decimal(self.rows) if self.rows else Decimal(0)

    @property
    def over_limit(self) -> bool:
        """Whether so many rows are bad that nothing of the batch may be loaded."""
        return self.share > self.limit

    @property
    def clean(self) -> bool:
        """Whether every rule was looked at and none was broken."""
        return (
            not self.refused and not self.unchecked and not any(finding.broken for finding in self.findings)
        )

    def as_data(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        data = asdict(self)
        data |= {"limit": str(self.limit), "share": str(round(self.share, 6)), "over_limit": self.over_limit}
        return data


def report_of(
    contract: Contract,
    *,
    rows: int,
    bad_rows: int,
    broken: Mapping[str, int],
    samples: Iterable[tuple[str, int, Mapping[str, Any]]] = (),
    unchecked: tuple[str, ...] = (),
    refused: str = "",
) -> Report:
    """Return the report of a check that was done by whatever means.

    Args:
        contract: what was agreed.
        rows: how many rows were looked at.
        bad_rows: how many of them break a rule that counts.
        broken: how many rows break each rule; a rule that is not named was kept.
        samples: rule, number of the row, the row by column name; the first few of each rule are shown.
        unchecked: names of rules that were not looked at.
        refused: why nothing of it was used.
    """
    rules = [rule for rule in rules_of(contract) if rule.name not in unchecked]
    shown: dict[str, list[Sample]] = {rule.name: [] for rule in rules}
    named = {rule.name: rule for rule in rules}
    for name, row_id, row in samples:
        if name in shown and len(shown[name]) < SAMPLES:
            words = {language: named[name].words(language, row) for language in LANGUAGES}
            shown[name].append(Sample(row_id, words))
    findings = tuple(
        Finding(
            rule.name,
            {language: ", ".join(part.label(language) for part in rule.parts) for language in LANGUAGES},
            rule.counts,
            broken.get(rule.name, 0),
            tuple(shown[rule.name]),
        )
        for rule in rules
    )
    return Report(
        interface=contract.interface,
        version=contract.version,
        owner=contract.owner,
        source=contract.table.source_name,
        rows=rows,
        bad_rows=bad_rows,
        limit=contract.bad_share_limit,
        findings=findings,
        unchecked=unchecked,
        refused=refused,
    )
