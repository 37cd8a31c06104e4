"""The Suite's database: on which kinds it may be, and that another one is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from blocks.suite_database import SuiteDatabase

pytestmark = pytest.mark.clause("S-4.2.1")


def test_it_is_made_for_both_kinds_that_are_served() -> None:
    assert SuiteDatabase(dialect="sqlite", path=Path("suite.sqlite")).dialect == "sqlite"
    served = SuiteDatabase(dialect="postgresql", host="suite.example", database="suite", username="suite")
    assert served.dialect == "postgresql"


@pytest.mark.parametrize("dialect", ["mssql", "mysql", "", None])
def test_another_kind_is_refused_in_one_sentence(dialect: str | None) -> None:
    address = {"host": "suite.example", "database": "suite", "username": "suite"}
    with pytest.raises(ValidationError) as refused:
        SuiteDatabase.model_validate({"dialect": dialect, **address})
    (error,) = refused.value.errors()
    sentence = f"The Suite's database cannot be on {dialect!r}; allowed: postgresql, sqlite."
    assert error["msg"] == f"Value error, {sentence}"
