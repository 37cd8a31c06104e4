"""A calamity: the customer chooses whether to go on with a backup, and with which one (S-2.4.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

from prefect import flow
from prefect.client.schemas.objects import State  # noqa: TC002 - Prefect reads the annotations for its form
from pydantic import Field

from nakoming.records import backup_proofs
from nakoming.records.events import Event
from tasks.backup import calamity_offer as offer
from tasks.backup import calamity_words as words
from tasks.backup.calamity_replay import Replay, list_for_replay
from tasks.backup.calamity_saving import Saved, saved
from tasks.backup.calamity_steps import (
    Beside,
    Restored,
    drop_beside,
    find_good_copy,
    give_live_name,
    restore_beside,
)
from tasks.backup.calamity_versions import KIND, Version
from tasks.backup.errors import NoBackupAgreed
from tasks.process import Process, run_process

if TYPE_CHECKING:
    from nakoming.records.store import Tx
    from tasks.case_run import CaseRun

Subject = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,60}$")]
RESTORED = "restored"
NOT_RESTORED = "not restored"
WENT_BACK = "went back"


@flow(
    name="restore-calamity",
    flow_run_name="calamity {customer} {subject}",
    retries=0,
    persist_result=False,
)
def restore_calamity(
    customer: str,
    subject: Subject,
    what_happened: Annotated[str, Field(min_length=1, max_length=2000)],
) -> State[Any]:
    """Let a customer choose a backup to go on with after a calamity, and put it in place.

    Clauses: S-2.4.5.
    Gates: choice/N/version, closing/1/decision.
    Records: one case `restore_calamity/<customer>/<subject>`; starting it again joins it.
    Artifacts: the state of the case, and open-gates.

    Args:
        customer: Short name of the customer, as in its agreement.
        subject: Name of the calamity, the subject of the case.
        what_happened: What happened, in a few sentences; the customer reads it.
    """
    given = {"what_happened": what_happened}
    return run_process(PROCESS, customer=customer, subject=subject, parameters=given)


def walk(case: CaseRun) -> str:
    """The restore itself; the outcome of the case.

    Raises:
        NoBackupAgreed: the agreement names none.
    """
    if not case.agreement().backup.is_made:
        raise NoBackupAgreed(customer=case.customer)
    case.stage("declared")
    # Who starts a run in Prefect is nobody that the records know.
    said = {"what_happened": case.case.parameters["what_happened"], "by": "operator, unidentified"}
    case.prove("declared/1/evidence", Event.BACKUP_CALAMITY_DECLARED, clause="S-2.4.5", **said)
    words.tell(case, "declared/1/told", "calamity_declared")
    ready = _made_ready(case)
    if ready is None:
        words.tell(case, "closing/1/told", "not_restored")
        return NOT_RESTORED
    return _closed(case, ready, _taken_live(case, ready))


@dataclass(frozen=True, kw_only=True)
class _Ready:
    """What was chosen, and stands beside the live database."""

    version: Version
    site: str
    restored: Restored
    saved: Saved


@dataclass(frozen=True, kw_only=True)
class _Live:
    """What went live: when, which database it replaced, and what that one has more."""

    at: datetime
    former_id: int | None
    replay: Replay


def _made_ready(case: CaseRun) -> _Ready | None:
    """Ask and restore, round after round, until a chosen version is good; None: nothing is to be restored."""
    terms, suite = case.agreement().backup, case.agreement().erp.suite
    sites = [str(terms.first_site), str(terms.second_site)]
    damaged: list[Version] = []
    while True:
        number = len(damaged) + 1
        version = offer.chosen(case, number, damaged)
        if version is None:
            return None
        words.tell(case, f"choice/{number}/told", "restore_chosen", words.of_version(version))
        case.stage("restore", number)
        bound = {"set_id": version.set_id, "manifest_sha256": version.manifest_sha256}
        copy = case.do(f"restore/{number}/copy", find_good_copy, **bound, sites=sites)
        if copy.site is None:
            _found_bad(case, number, version, "scrub", " and ".join(sites), copy.said)
            damaged.append(version)
            continue
        kept = saved(case)
        name, database = f"restore/{number}/beside", str(terms.database)
        restored = case.do(name, restore_beside, **bound, database=database, suite=suite, site=copy.site)
        if restored.failed is None:
            return _Ready(version=version, site=copy.site, restored=restored, saved=kept)
        _found_bad(case, number, version, "drill", copy.site, restored.failed)
        damaged.append(version)


def _found_bad(
    case: CaseRun,
    number: int,
    version: Version,
    kind: backup_proofs.ProofKind,
    site: str,
    said: str,
) -> None:
    """It is never offered again, here or elsewhere, before a restore of it succeeds."""

    def write(tx: Tx) -> None:
        proof = backup_proofs.BackupProof(
            set_id=version.set_id,
            sequence=0,
            site=site,
            kind=kind,
            at=tx.now,
            good=False,
            rpo=None,
            rto=None,
            said=said,
        )
        backup_proofs.proven(tx, case.customer, proof, case_id=case.lease.case_id)

    case.record(f"restore/{number}/bad", write)


def _taken_live(case: CaseRun, ready: _Ready) -> _Live:
    """Put it in the place of the live database, and list what that one has more."""
    agreement = case.agreement()
    case.stage("switch")
    former_id = _exchanged(case, "switch/1/names", "beside", ready.restored.new_id, "former")
    at = case.now("switch/1/at")
    replay = case.do(
        "switch/1/replay",
        list_for_replay,
        database=str(agreement.backup.database),
        suite=agreement.erp.suite,
        since=ready.version.taken_at,
        until=at,
        last_out=ready.restored.last_out,
        language=agreement.language,
    )
    case.prove(
        "switch/1/evidence",
        Event.BACKUP_RESTORE_DONE,
        clause="S-2.4.5",
        set=ready.version.set_id,
        manifest_sha256=ready.version.manifest_sha256,
        site=ready.site,
        rows=ready.restored.rows,
        checked=ready.restored.said,
        saved_as=ready.saved.set_id,
        not_saved_because=ready.saved.reason,
        outbox_goes_on_at=ready.restored.next_out,
        replay=replay,
        at=at,
    )
    told = {"rows": str(ready.restored.rows)} | words.of_version(ready.version) | words.of_replay(replay)
    words.tell(case, "switch/1/told", "restore_live", told)
    return _Live(at=at, former_id=former_id, replay=replay)


def _exchanged(case: CaseRun, name: str, new: Beside, new_id: int, kept: Beside) -> int | None:
    database = str(case.agreement().backup.database)
    return case.do(name, give_live_name, database=database, new=new, new_id=new_id, kept=kept)


def _closed(case: CaseRun, ready: _Ready, live: _Live) -> str:
    """Keep, or go back; then the database that is not live any more goes, when it may.

    The history of backups is at most so many days long (S-2.4.3), and what was live is such a copy too: it
    goes at once when it is kept as a backup, which the history deletes in time, and else after as many days.
    What was entered between the restore and going back lies in no backup: that database stays as long, too.
    """
    case.stage("closing")
    drop_at = live.at + timedelta(days=case.agreement().retention.backup_days)
    gate = "closing/1/decision"
    values = {
        "former": f"{ready.saved.set_id or '–'}; {ready.saved.reason or 'former database on its server'}",
        "replay": ", ".join(live.replay.documents) or str(live.replay.reason or "–"),
        **words.of_version(ready.version),
        **words.of_kept(ready.saved, drop_at),
    }
    documents = tuple(live.replay.documents.values())
    case.ask(
        gate,
        lambda tx: words.end_question(
            tx, case, gate, values=values, documents=documents, can_go_back=live.former_id is not None
        ),
    )
    answer = case.answer(gate)
    if answer.option != words.GO_BACK or live.former_id is None:
        told = words.of_version(ready.version) | words.of_kept(ready.saved, drop_at)
        words.tell(case, "closing/1/told", "restore_kept", told)
        if live.former_id is not None:
            _dropped(case, "former", None if ready.saved.set_id else drop_at)
        return RESTORED
    _exchanged(case, "closing/1/names", "former", live.former_id, "undone")
    undone = {"set": ready.version.set_id, "by": answer.decided_by, "why": " ".join(answer.remarks)}
    case.prove("closing/1/evidence", Event.BACKUP_RESTORE_UNDONE, clause="S-2.4.5", **undone)
    words.tell(case, "closing/1/told", "restore_undone", words.of_kept(Saved(), drop_at))
    _dropped(case, "undone", drop_at)
    return WENT_BACK


def _dropped(case: CaseRun, name: Beside, at: datetime | None) -> None:
    """Remove a database beside the live one, at an instant or now."""
    if at is not None:
        case.wait_until("closing/1/kept", at, f"the {name} database is removed")
    database = str(case.agreement().backup.database)
    dropped = case.do("closing/1/dropped", drop_beside, database=database, which=name)
    case.prove("closing/1/gone", Event.BACKUP_FORMER_DROPPED, clause="S-2.4.3", database=dropped, was=name)


PROCESS = Process(kind=KIND, revision=1, walk=walk)
