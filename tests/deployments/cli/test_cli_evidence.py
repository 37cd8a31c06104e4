"""`nakoming evidence` and `nakoming records`: damage is found, and what was backed up comes back."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from nakoming.records import schema
from tasks import installation
from tests.deployments.cli.conftest import KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from nakoming.records.store import Records
    from tests.deployments.cli.conftest import Ended
    from tests.harness.installation import Walker


def test_whole_evidence_is_told_with_its_heads(street: Walker, nakoming: Callable[..., Ended]) -> None:
    data = nakoming("evidence", "verify", "--json").data
    assert data["whole"] is True
    assert data["findings"] == []
    heads = {head["chain"]: head for head in data["heads"]}
    assert set(heads) == {"brouwer", "fenwick", "kestrel", "vendor"}
    with street.records.read() as tx:
        c = schema.chains.c
        row = tx.connection.execute(select(c.seq, c.head).where(c.chain == "brouwer")).one()
    assert (heads["brouwer"]["seq"], heads["brouwer"]["head"]) == (row.seq, row.head)
    one = nakoming("evidence", "verify", "brouwer")
    assert one.out == (
        f"1 chain(s), {row.seq} records: the evidence is whole.\nHead brouwer:{row.seq}:{row.head}\n"
    )


def test_a_changed_record_is_found_and_ends_with_1(street: Walker, nakoming: Callable[..., Ended]) -> None:
    with street.records.write() as tx:
        e = schema.evidence
        tx.connection.execute(update(e).where(e.c.chain == "brouwer", e.c.seq == 2).values(clause="S-1.1.1"))
    ended = nakoming("evidence", "verify", "brouwer")
    assert ended.status == 1
    assert ended.out.startswith("Record 2 of chain brouwer was changed: its content gives ")
    data = nakoming("evidence", "verify", "--all", "--json").data
    assert data["whole"] is False
    assert [(f["chain"], f["seq"], f["kind"]) for f in data["findings"]] == [("brouwer", 2, "damage")]


def test_a_cut_tail_is_found_by_the_head_that_somebody_holds(
    street: Walker, nakoming: Callable[..., Ended]
) -> None:
    heads = {head["chain"]: head for head in nakoming("evidence", "verify", "--json").data["heads"]}
    held = heads["brouwer"]["as_option"]
    last = heads["brouwer"]["seq"]
    with street.records.write() as tx:
        for table in (schema.evidence_payloads, schema.evidence):
            tx.connection.execute(delete(table).where(table.c.chain == "brouwer", table.c.seq == last))
        e, c = schema.evidence.c, schema.chains
        leaf = tx.connection.execute(
            select(e.leaf).where(e.chain == "brouwer", e.seq == last - 1)
        ).scalar_one()
        tx.connection.execute(update(c).where(c.c.chain == "brouwer").values(seq=last - 1, head=leaf))
    assert nakoming("evidence", "verify", "brouwer").status == 0
    ended = nakoming("evidence", "verify", "brouwer", "--head", held)
    assert ended.status == 1
    assert ended.out.startswith(f"Chain brouwer ends at {last - 1}; its end was cut off: ")


def test_a_head_that_was_printed_is_known_to_have_left(
    street: Walker, nakoming: Callable[..., Ended]
) -> None:
    ended = nakoming("evidence", "head", "brouwer")
    (head,) = nakoming("evidence", "head", "brouwer", "--json").data
    assert ended.out == f"Head {head['as_option']}\n"
    noted = street.records.heads_file.read_text(encoding="utf-8").splitlines()
    assert len(noted) == 1
    assert head["head"] in noted[0]


def test_what_cannot_be_verified_says_why(street: Walker, nakoming: Callable[..., Ended]) -> None:
    del street
    there = "there are the chains brouwer, fenwick, kestrel, vendor"
    sentences = {
        ("verify", "acme"): f"There is no record 1 in chain acme; {there}. [NK7163]\n",
        ("verify", "brouwer", "--all"): "Give a customer or --all, not both. [NK7165]\n",
        ("verify", "--head", "brouwer"): (
            "'brouwer' is no head; allowed: <customer or vendor>:<number>:<64 hexadecimal digits>. [NK2030]\n"
        ),
        ("show", "acme", "1"): f"There is no record 1 in chain acme; {there}. [NK7163]\n",
        ("show", "kestrel", "9"): "There is no record 9 in chain kestrel; its records are 1 to 1. [NK7163]\n",
    }
    for words, sentence in sentences.items():
        assert nakoming("evidence", *words).err == sentence


def test_a_record_whose_key_was_destroyed_says_so(street: Walker, nakoming: Callable[..., Ended]) -> None:
    street.records.keys.destroy("kestrel")
    shown = nakoming("evidence", "show", "kestrel", "1")
    assert shown.status == 0
    assert shown.out.endswith("its payload cannot be read since its key was destroyed\n")


def test_a_backup_comes_back_in_another_place(
    street: Walker,
    nakoming: Callable[..., Ended],
    records: Records,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    target = tmp_path / "backup.tar"
    made = nakoming("records", "backup", target, "--json").data
    assert made["with_keys"] is False
    again = nakoming("records", "backup", target)
    assert again.err == f"The backup {target} is not made: there is a file of that name. [NK2032]\n"
    refused = nakoming("records", "restore", target)
    assert refused.status == 1
    assert "it must be empty" in refused.err
    shutil.copytree(records.keys.folder, tmp_path / "other" / "keys")
    monkeypatch.setenv("NAKOMING_HOME", str(tmp_path / "other"))
    monkeypatch.setenv("NAKOMING_RECORDS_URL", "")
    for cached in (installation.settings, installation.records):
        cached.cache_clear()
    restored = nakoming("records", "restore", target, "--json").data
    assert restored["whole"] is True
    assert restored["cases_asking"] == 1
    (case,) = nakoming("case", "list", "--json").data
    assert case["key"] == KEY
    assert street.case.state == "waiting"
    installation.records().engine.dispose()


def test_a_damaged_or_missing_backup_is_not_restored(
    records: Records, nakoming: Callable[..., Ended], tmp_path: Path
) -> None:
    del records
    target = tmp_path / "backup.tar"
    missing = nakoming("records", "restore", target)
    assert missing.err == f"{target} cannot be read: there is no such file. [NK7150]\n"
    assert nakoming("records", "backup", target).status == 0
    content = bytearray(target.read_bytes())
    content[len(content) // 2] ^= 1
    target.write_bytes(content)
    damaged = nakoming("records", "restore", target)
    assert damaged.status == 1
    assert damaged.err.endswith("nothing was restored. Take another backup. [NK2031]\n")
