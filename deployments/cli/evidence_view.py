"""Verifies chains of evidence, reads records, and gives heads away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from deployments.cli import printing
from deployments.cli.errors import BothGiven, EvidenceMissing
from nakoming.records import evidence_check, heads, schema
from nakoming.records.errors import KeyMissing
from nakoming.records.evidence import SALT_BYTES, sealed_as
from tasks.installation import records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

    from nakoming.records.heads import Head
    from nakoming.records.store import Tx


def verified(chain: str | None, given: Sequence[str], *, all_chains: bool, as_json: bool) -> bool:
    """Print what was found as sentences, and the heads; whether nothing is damaged.

    Raises:
        BothGiven: a customer and --all.
        HeadUnreadable: a head is not written as one.
        EvidenceMissing: there is no such chain, and no head of it was given.
    """
    if chain and all_chains:
        raise BothGiven(one="a customer", other="--all")
    known = [heads.parse(text) for text in given]
    with records().snapshot() as tx:
        if chain and chain not in {head.chain for head in known}:
            _require_chain(tx, chain)
        findings = evidence_check.verify(tx, chain, heads=known)
        ends = _ends(tx, chain)
    whole = not any(finding.is_damage for finding in findings)
    if as_json:
        printing.emit({"whole": whole, "findings": findings, "heads": [_as_data(head) for head in ends]})
        return whole
    for finding in findings:
        printing.line(finding.text)
    if whole:
        printing.line(
            f"{len(ends)} chain(s), {sum(head.seq for head in ends)} records: the evidence is whole."
        )
    _print_heads(ends)
    return whole


def _require_chain(tx: Tx, chain: str) -> None:
    names = [head.chain for head in _ends(tx, None)]
    if chain not in names:
        raise EvidenceMissing(
            seq=1, chain=chain, there_is=f"there are the chains {', '.join(names) or 'none'}"
        )


def _ends(tx: Tx, chain: str | None) -> list[Head]:
    c = schema.chains.c
    query = select(c.chain, c.seq, c.head).where(c.seq > 0).order_by(c.chain)
    found = tx.connection.execute(query if chain is None else query.where(c.chain == chain))
    return [heads.Head(chain=row.chain, seq=row.seq, leaf=row.head) for row in found]


def _as_data(head: Head) -> dict[str, Any]:
    return {"chain": head.chain, "seq": head.seq, "head": head.leaf, "as_option": _written(head)}


def _written(head: Head) -> str:
    return f"{head.chain}:{head.seq}:{head.leaf}"


def _print_heads(ends: Sequence[Head]) -> None:
    for head in ends:
        printing.line(f"Head {_written(head)}")


def heads_given(chain: str | None, *, as_json: bool) -> None:
    """Print the heads and note them as sent; `EvidenceMissing` when there is no such chain."""
    with records().write() as tx:
        if chain:
            _require_chain(tx, chain)
        ends = _ends(tx, chain)
        for head in ends:
            heads.note_head_sent(tx, head.chain, seq=head.seq, leaf=head.leaf)
    if as_json:
        printing.emit([_as_data(head) for head in ends])
    else:
        _print_heads(ends)


def show(chain: str, seq: int, *, as_json: bool) -> None:
    """Print a record; `EvidenceMissing` when there is none of that number."""
    with records().read() as tx:
        data = _record(tx, chain, seq)
    if as_json:
        printing.emit(data)
        return
    payload = data.pop("payload")
    data["at"] = f"{printing.moment(data['at'])} ({data['at'].isoformat()})"
    printing.facts([(name.replace("_", " "), value) for name, value in data.items()])
    printing.line()
    printing.line(
        json.dumps(payload, ensure_ascii=False, indent=2) if payload is not None else data["erased"]
    )


def _record(tx: Tx, chain: str, seq: int) -> dict[str, Any]:
    e, p = schema.evidence, schema.evidence_payloads.c
    row = tx.connection.execute(select(e).where(e.c.chain == chain, e.c.seq == seq)).one_or_none()
    if row is None:
        _require_chain(tx, chain)
        (end,) = _ends(tx, chain)
        raise EvidenceMissing(seq=seq, chain=chain, there_is=f"its records are 1 to {end.seq}")
    sealed = tx.connection.execute(
        select(p.payload_sealed).where(p.chain == chain, p.seq == seq)
    ).scalar_one_or_none()
    payload, erased = _payload(tx, row, sealed)
    return {
        "chain": row.chain,
        "number": row.seq,
        "event": row.event,
        "at": row.at,
        "case": row.case_id,
        "about": row.about,
        "clause": row.clause,
        "payload_digest": row.payload_digest,
        "previous": row.previous,
        "leaf": row.leaf,
        "erased": erased,
        "payload": payload,
    }


def _payload(tx: Tx, row: Row[Any], sealed: bytes | None) -> tuple[Any, str | None]:
    """What was proven, and when it is gone: why."""
    if sealed is None:
        return None, "its payload was erased"
    try:
        salted = tx.records.keys.open(row.chain, sealed_as(row.chain, row.seq), sealed)
    except KeyMissing:
        return None, "its payload cannot be read since its key was destroyed"
    return json.loads(salted[SALT_BYTES:]), None
