"""The command as people start it: a process of its own, quick to answer, one sentence when it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from nakoming.records import migrate
from tests.harness.installation import AGREEMENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND = Path(sys.executable).with_name("nakoming")
HEAVY = ("prefect", "sqlalchemy", "alembic", "pydantic", "fastapi", "rich", "paramiko", "httpx")


def started(*words: str, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = (
        os.environ | {"NAKOMING_HOME": str(home), "NAKOMING_AGREEMENTS": str(AGREEMENTS)} | variables
    )
    return subprocess.run(
        [str(COMMAND), *words], capture_output=True, text=True, check=False, env=environment, cwd=home
    )


def loaded_by(words: Sequence[str]) -> set[str]:
    code = f"import sys; from deployments.cli import make_app, run; run(make_app(), {list(words)!r})"
    code += f"; print(*[m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stderr.split())


def test_a_new_installation_is_made_and_read_by_the_command_alone(tmp_path: Path) -> None:
    head = migrate.known_head()
    before = started("case", "list", home=tmp_path)
    assert before.returncode == 1
    assert before.stderr == (
        f"The records are at schema none, this program knows {head}; run `nakoming up` or "
        "`nakoming records upgrade`. [NK2017]\n"
    )
    assert started("records", "upgrade", home=tmp_path).stdout == (
        f"The records are at schema {head} now; before: none.\n"
    )
    assert started("records", "upgrade", home=tmp_path).stdout == (
        f"The records are at schema {head} already.\n"
    )
    loaded = started("agreement", "load", home=tmp_path)
    assert loaded.returncode == 0, loaded.stderr
    assert [line.split()[:3] for line in loaded.stdout.splitlines()[1:]] == [
        [name, "1", "yes"] for name in ("brouwer", "fenwick", "kestrel", "vendor")
    ]
    missing = started("case", "show", "rfc/brouwer/none", home=tmp_path)
    assert missing.returncode == 4
    assert missing.stderr == (
        "There is no case rfc/brouwer/none; `nakoming case list` shows those there are. [NK2001]\n"
    )


def test_a_wrong_call_says_what_is_allowed(tmp_path: Path) -> None:
    ran = started("gate", "answer", "k", "g", "--via", "fax", home=tmp_path)
    assert ran.returncode == 2
    assert "'letter', 'telephone', 'email'" in ran.stderr


def test_help_loads_nothing_heavy() -> None:
    assert loaded_by(["--help"]) <= {"pydantic"}
    assert loaded_by(["gate", "answer", "--help"]) <= {"pydantic"}


def test_a_setting_that_is_not_allowed_is_named_without_its_value(tmp_path: Path) -> None:
    ran = started("case", "list", home=tmp_path, NAKOMING_DOCUMENT_LIMIT="hunter2")
    assert (ran.returncode, ran.stderr) == (
        2,
        (
            "The setting NAKOMING_DOCUMENT_LIMIT cannot be used: input should be a valid integer, "
            "unable to parse string as an integer. [NK5109]\n"
        ),
    )


@pytest.mark.parametrize(
    ("url", "status", "sentence"),
    [
        (
            "sqlite:////nowhere/records.sqlite",
            1,
            (
                "The records database {url} cannot be opened (unable to open database file): see that it "
                "runs and takes us, and that NAKOMING_RECORDS_URL is right. [NK7103]\n"
            ),
        ),
        (
            "oracle://vendor:hunter2@db/records",
            2,
            (
                "NAKOMING_RECORDS_URL names no database that can hold records; allowed: sqlite:///FILE or "
                "postgresql+psycopg://USER:PASSWORD@HOST/NAME. [NK7104]\n"
            ),
        ),
    ],
)
def test_records_that_cannot_be_opened_are_one_sentence(
    tmp_path: Path, url: str, status: int, sentence: str
) -> None:
    ran = started("case", "list", home=tmp_path, NAKOMING_RECORDS_URL=url)
    assert (ran.returncode, ran.stderr) == (status, sentence.format(url=url))
