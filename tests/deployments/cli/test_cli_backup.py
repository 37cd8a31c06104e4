"""`nakoming backup`: what there is, what it is worth now, its history and its keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyrage
import pytest

from tasks.backup import drill
from tests.harness.installation import backed_up_as, installed
from tests.tasks.backup.backup_vault import DRILL, START, BackupVault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.deployments.cli.conftest import Ended
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-2.4.6", "S-2.4.7")
SET = "2026-11-24-000001"


@pytest.fixture
def records(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Records]:
    """One customer is backed up."""
    blocks = "database: brouwer-suite, first_site: near, second_site: far, scratch: trial"
    changes = {
        "brouwer": backed_up_as("brouwer", f"backup: {{{blocks}}}\n"),
        "fenwick": backed_up_as("fenwick", ""),
    }
    with installed(tmp_path / "home", sqlite_url, monkeypatch, **changes) as found:
        yield found


@pytest.fixture
def vault(records: Records, tmp_path: Path, prefect_api: PrefectServer) -> BackupVault:
    del prefect_api
    found = BackupVault(records, tmp_path / "vault").made()
    found.backed_up()
    return found


def test_the_list_tells_ages_and_proofs(vault: BackupVault, nakoming: Callable[..., Ended]) -> None:
    (age,) = nakoming("backup", "list", "--json").data
    assert (age["customer"], age["set_id"], age["alarms"], age["proven_at"]) == ("brouwer", SET, False, None)
    assert "never" in nakoming("backup", "list").out
    assert vault.drill(START + DRILL).enter() == drill.PROVEN
    (found,) = nakoming("backup", "list", "brouwer", "--json").data
    assert (found["state"], found["rows_total"], found["last_proof"]["good"]) == ("verified", 100, True)
    assert "drill Tue 24 Nov 2026 04:00: good" in nakoming("backup", "list", "brouwer").out
    shown = nakoming("backup", "show", "brouwer", SET, "--json").data
    assert [each["kind"] for each in shown["proofs"]] == ["drill"]
    assert "Proofs" in nakoming("backup", "show", "brouwer", SET).out


def test_verify_reads_now_and_ends_with_1_when_a_copy_is_not_good(
    vault: BackupVault, nakoming: Callable[..., Ended]
) -> None:
    good = nakoming("backup", "verify", "brouwer", SET, "--json")
    assert (good.status, [each["good"] for each in good.data]) == (0, [True, True])
    vault.damage("far", "brouwer")
    assert nakoming("backup", "verify", "brouwer", SET, "--site", "first").status == 0
    bad = nakoming("backup", "verify", "brouwer", SET, "--site", "second")
    assert bad.status == 1
    assert "far: brouwer/2026-11-24-000001/database.age at the site far.example was changed" in bad.out


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("show", "brouwer", "2020-01-01-000001"), 4, "brouwer has no backup 2020-01-01-000001"),
        (("list", "nobody"), 4, "nobody"),
        (("verify", "brouwer", SET, "--site", "third"), 2, "third"),
        (("history", "brouwer"), 2, "allowed here: --dry-run"),
        (("key", "escrow", "brouwer", "--to", "age1nonsense", "--out", "x"), 2, "no public key of age"),
        (("key", "escrow", "kestrel", "--to", "age1nonsense", "--out", "x"), 4, "kestrel has no backup key"),
        (("key", "rotate", "nobody"), 4, "nobody"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    vault: BackupVault, nakoming: Callable[..., Ended], words: tuple[str, ...], status: int, said: str
) -> None:
    del vault
    ended = nakoming("backup", *words)
    assert (ended.status, ended.out) == (status, "")
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_the_history_is_shown_and_nothing_is_deleted(
    vault: BackupVault, nakoming: Callable[..., Ended]
) -> None:
    (found,) = nakoming("backup", "history", "brouwer", "--dry-run", "--json").data
    assert (found["set_id"], found["delete"]) == (SET, False)
    assert "kept" in nakoming("backup", "history", "brouwer", "--dry-run").out
    assert vault.part("near", "brouwer").exists()


def test_keys_are_listed_rotated_and_copied_for_escrow(
    vault: BackupVault, nakoming: Callable[..., Ended], tmp_path: Path
) -> None:
    keeper = pyrage.x25519.Identity.generate()
    assert nakoming("backup", "key", "rotate", "brouwer", "--json").data["key"] == "brouwer.2"
    rows = nakoming("backup", "key", "list", "brouwer", "--json").data
    assert [(row["key"], row["state"], row["backups"]) for row in rows] == [
        ("brouwer.1", "there", 1),
        ("brouwer.2", "there", 0),
    ]
    words = ("backup", "key", "escrow", "brouwer", "--to", keeper.to_public(), "--out", tmp_path / "out")
    files = [row["file"] for row in nakoming(*words, "--json").data]
    assert len(files) == 2
    sealed = (tmp_path / "out" / "brouwer.1.escrow.age").read_bytes()
    mine = vault.records.keys.folder / "brouwer.1.age-key"
    assert pyrage.decrypt(sealed, [keeper]) == mine.read_bytes()
    assert nakoming(*words).status == 2  # nothing is written over
    mine.unlink()
    assert "LOST" in nakoming("backup", "key", "list", "brouwer").out
    assert nakoming("backup", "key", "rotate", "brouwer", "--json").data["key"] == "brouwer.3"
    assert vault.events("brouwer")["backup:key:escrowed"] == 1
