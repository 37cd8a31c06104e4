"""What an agreement may say of backups: two sites that differ, all blocks or none, two backups at least."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from nakoming.agreement.backup_terms import Backup
from nakoming.agreement.loading import agreement_errors, parse_agreement

pytestmark = pytest.mark.clause("S-2.4.6")

ALL = {"database": "acme-suite", "first_site": "near", "second_site": "far", "scratch": "try"}


def test_nothing_named_is_no_backup() -> None:
    terms = Backup()
    assert not terms.is_made
    assert terms.alarm_after == timedelta(hours=36)


@pytest.mark.parametrize("more", [{}, {"documents": "acme-papers"}])
def test_all_blocks_are_a_backup_with_documents_or_without(more: dict[str, str]) -> None:
    assert Backup.model_validate(ALL | more).is_made


@pytest.mark.parametrize("lacking", list(ALL))
def test_a_backup_that_lacks_a_block_is_refused(lacking: str) -> None:
    named = {name: block for name, block in ALL.items() if name != lacking}
    with pytest.raises(ValidationError, match=f"the backup lacks {lacking}; allowed: database, first_site"):
        Backup.model_validate(named)


def test_documents_alone_are_refused() -> None:
    with pytest.raises(ValidationError, match="lacks database, first_site, second_site, scratch"):
        Backup.model_validate({"documents": "acme-papers"})


def test_one_site_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="both sites are 'near'; allowed: a second site on another"):
        Backup.model_validate(ALL | {"second_site": "near"})


@pytest.mark.parametrize(
    ("key", "value"), [("verified_generations", 1), ("shrink_percent", 101), ("drill_days", -1)]
)
def test_values_out_of_bounds_are_refused(key: str, value: Any) -> None:
    with pytest.raises(ValidationError, match="out of bounds"):
        Backup.model_validate(ALL | {key: value})


def test_the_check_of_an_agreement_names_file_line_and_key(plain_text: str) -> None:
    equal = plain_text + "backup: {database: a, first_site: near, second_site: near, scratch: s}\n"
    (error,) = agreement_errors(equal, "plain.yaml")
    assert str(error).startswith("plain.yaml, line 11")
    assert "both sites are 'near'" in str(error)


def test_each_term_knows_its_clause_and_whose_it_is(plain_text: str) -> None:
    stated = "backup: {shrink_percent: 30}\nsources: {backup.shrink_percent: Annex C}\n"
    agreement = parse_agreement(plain_text + stated, "plain.yaml")
    term = agreement.term("backup.shrink_percent")
    assert (term.clause, term.origin) == ("S-2.4.7", "agreement")
    assert agreement.term("backup.alarm_after_hours").origin == "ours"
