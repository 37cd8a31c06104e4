"""A calamity from its declaration to its end: chosen, restored, kept or undone, and cut at every step."""

from __future__ import annotations

import io
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import text

from blocks.backup.source_sqlite import SqliteSource
from flows.restore_calamity import restore_calamity
from nakoming.records import backup_proofs, documents
from nakoming.records.backup_keys import BackupKeys
from tasks import ledger
from tasks.backup.calamity_offer import NONE
from tests.harness.calamity import (
    SETS,
    World,
    agreed,
    choose,
    decide,
    declared,
    postgresql_world,
    sqlite_world,
)
from tests.harness.cut_runs import CutError, enter_in_pieces
from tests.harness.installation import Walker, installed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.harness.postgres import PostgresServer
    from tests.harness.prefect_server import PrefectServer

pytestmark = pytest.mark.clause("S-2.4.5")
POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgres)
SQLITE_SELDOM = pytest.param("sqlite", marks=pytest.mark.long)
# Each behaviour is seen on an engine in every run, and on the other one in the long run.
soon_on_postgresql = pytest.mark.parametrize("world", [SQLITE_SELDOM, POSTGRESQL], indirect=True)


@pytest.fixture
def records(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, prefect_api: PrefectServer
) -> Iterator[Records]:
    del prefect_api
    with installed(tmp_path / "home", sqlite_url, monkeypatch, brouwer=agreed()) as found:
        yield found


@pytest.fixture
def world(request: pytest.FixtureRequest, records: Records, tmp_path: Path) -> Iterator[World]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield stack.enter_context(sqlite_world(records, tmp_path))
        else:
            server: PostgresServer = request.getfixturevalue("postgres_server")
            yield stack.enter_context(postgresql_world(records, tmp_path, server))


@pytest.fixture
def sqlite(records: Records, tmp_path: Path) -> Iterator[World]:
    with sqlite_world(records, tmp_path) as found:
        yield found


@soon_on_postgresql
def test_the_chosen_version_goes_live_and_what_it_lacks_is_listed(world: World) -> None:
    walker = declared(world)
    gate = walker.gate("choice/1/version")
    assert gate.rule.options == (*SETS, NONE)
    labels = gate.question.texts["nl"]["options"]
    assert "9 uur oud" in labels[SETS[0]]
    assert "Verloren: 4 ERP-transacties." in labels[SETS[0]]
    assert "Verloren: 7 ERP-transacties." in labels[SETS[1]]
    assert "Lost: 7 ERP transactions." in gate.question.texts["en"]["options"][SETS[1]]
    assert world.runs() == ["before", "between", "after"]
    choose(walker, SETS[1])
    assert walker.enter() is None
    assert world.runs() == ["before"]
    assert world.runs("former") == ["before", "between", "after"]
    assert len(world.set_ids()) == 3  # the live one was saved as a backup of its own
    listed = papers(walker)
    assert [row[5] for row in listed["erp-replay"].worksheets[1].values][1:]
    sent = list(listed["erp-outbox"]["ERP heeft het al"].values)
    assert [row[1] for row in sent[1:]] == [2, 3, 4]
    assert world.send(world_now(world)) > 1_000_000  # no number that the ERP knows is given again
    decide(walker, "keep")
    assert walker.enter() == "restored"
    assert not world.there("former")
    assert world.runs() == ["before"]
    assert world.titles(walker) == [
        "Calamiteit “disk-2026” is gemeld",
        "Uw keuze bij calamiteit “disk-2026” wordt uitgevoerd",
        "De versie van dinsdag 24 november 2026 om 02:10 uur (Nederlandse tijd) staat live",
        "Calamiteit “disk-2026”: u blijft bij de teruggezette versie",
    ]
    events = world.events()
    for event in ("calamity:declared", "restore:offered", "restore:chosen", "restore:done", "former:dropped"):
        assert events[f"backup:{event}"] == 1


def papers(walker: Walker) -> dict[str, Any]:
    found = {}
    for document in walker.gate("closing/1/decision").documents:
        with walker.records.read() as tx:
            entry = documents.get(tx, walker.customer, document)
        content = documents.content(walker.records, entry)
        found[entry.name[:10].rstrip("-")] = load_workbook(io.BytesIO(content))
    return found


def world_now(world: World) -> Any:
    with world.records.read() as tx:
        return tx.now


def test_without_a_choice_and_without_a_restore_nothing_changes(sqlite: World) -> None:
    before = sqlite.switch_identity()
    walker = declared(sqlite)
    assert walker.enter() is None
    choose(walker, NONE)
    assert walker.enter() == "not restored"
    assert sqlite.switch_identity() == before
    assert sqlite.runs() == ["before", "between", "after"]
    assert len(sqlite.set_ids()) == 2
    assert "backup:restore:done" not in sqlite.events()


def test_a_damaged_version_is_asked_again_without_it(sqlite: World) -> None:
    walker = declared(sqlite)
    sqlite.damage(SETS[0])
    choose(walker, SETS[0])
    assert walker.enter() is None
    gate = walker.gate("choice/2/version")
    assert gate.rule.options == (SETS[1], NONE)
    assert ["Vraag opnieuw gesteld omdat", damaged_words()] in gate.question.texts["nl"]["about"]
    assert sqlite.runs() == ["before", "between", "after"]
    with sqlite.records.read() as tx:
        assert [each.good for each in backup_proofs.series(tx, "brouwer", "scrub")] == [False]
    choose(walker, SETS[1], 2)
    assert walker.enter() is None
    assert sqlite.runs() == ["before"]


def damaged_words() -> str:
    at = "woensdag 25 november 2026 om 02:10 uur (Nederlandse tijd)"
    return f"De versie van {at} bleek beschadigd en is niet teruggezet."


def test_one_good_copy_is_enough(sqlite: World) -> None:
    walker = declared(sqlite)
    sqlite.damage(SETS[0], ("near",))
    choose(walker, SETS[0])
    assert walker.enter() is None
    assert sqlite.runs() == ["before", "between"]


def test_an_older_set_in_the_chosen_ones_place_is_not_restored(sqlite: World) -> None:
    walker = declared(sqlite)
    for site in ("near", "far"):
        folder = sqlite.folder / site / "brouwer"
        for part in (folder / SETS[1]).iterdir():
            (folder / SETS[0] / part.name).write_bytes(part.read_bytes())
    choose(walker, SETS[0])
    assert walker.enter() is None
    assert walker.gate("choice/2/version").rule.options == (SETS[1], NONE)


def test_a_lost_key_is_found_before_anything_is_switched(sqlite: World) -> None:
    walker = declared(sqlite)
    (BackupKeys(sqlite.records.keys.folder).folder / "brouwer.1.age-key").unlink()
    choose(walker, SETS[0])
    assert walker.enter() is None
    assert walker.gate("choice/2/version").rule.options == (SETS[1], NONE)
    assert sqlite.runs() == ["before", "between", "after"]
    assert not sqlite.there("beside")


@soon_on_postgresql
def test_going_back_makes_the_former_database_live_again(world: World) -> None:
    walker = declared(world)
    choose(walker, SETS[0])
    walker.enter()
    world.exchange(world_now(world), "since")
    decide(walker, "go_back")
    assert walker.enter() is None  # what was entered meanwhile is kept as long as a backup would be
    assert world.runs() == ["before", "between", "after"]
    assert world.runs("undone") == ["before", "between", "since"]
    world.exchange(world_now(world), "onwards")
    world.pass_time(timedelta(days=7))
    assert walker.enter() == "went back"
    assert not world.there("undone")
    assert world.runs() == ["before", "between", "after", "onwards"]
    assert world.events()["backup:restore:undone"] == 1


@soon_on_postgresql
def test_a_live_database_that_cannot_be_read_is_kept_by_its_name(
    world: World, request: pytest.FixtureRequest
) -> None:
    server = None if isinstance(world.source, SqliteSource) else request.getfixturevalue("postgres_server")
    world.make_unreadable(server)
    walker = declared(world)
    assert "niet te tellen" in walker.gate("choice/1/version").question.texts["nl"]["options"][SETS[0]]
    choose(walker, SETS[0])
    assert walker.enter() is None
    assert world.runs() == ["before", "between"]
    assert world.there("former")
    assert len(world.set_ids()) == 2
    decide(walker, "keep")
    assert walker.enter() is None
    assert world.there("former")  # nothing else holds it: it stays as long as the history of backups
    world.pass_time(timedelta(days=7))
    assert walker.enter() == "restored"
    assert not world.there("former")
    assert world.runs() == ["before", "between"]


STEPS = (
    "choice/1/lost",
    "restore/1/copy",
    "saving/1/database",
    "saving/1/manifest",
    "restore/1/beside",
    "switch/1/names",
    "switch/1/replay",
)


KEEP, GO_BACK = ("keep", ("closing/1/dropped",)), ("go_back", ("closing/1/names",))


@pytest.mark.parametrize(
    ("world", "decision", "last"),
    [
        pytest.param("sqlite", *GO_BACK, id="sqlite-go_back"),
        pytest.param("sqlite", *KEEP, id="sqlite-keep", marks=pytest.mark.long),
        pytest.param(
            "postgresql", *KEEP, id="postgresql-keep", marks=[pytest.mark.postgres, pytest.mark.long]
        ),
        pytest.param(
            "postgresql", *GO_BACK, id="postgresql-go_back", marks=[pytest.mark.postgres, pytest.mark.long]
        ),
    ],
    indirect=["world"],
)
def test_killed_after_every_effect_and_before_its_outcome_it_goes_on(
    world: World, decision: str, last: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = {*STEPS, *last}
    finish = ledger.Attempt._finish

    def dies(attempt: ledger.Attempt, begun: Any, output: Any, *, settled: bool) -> None:
        if attempt.name in cut:
            cut.remove(attempt.name)
            raise CutError(attempt.name)
        finish(attempt, begun, output, settled=settled)

    monkeypatch.setattr(ledger.Attempt, "_finish", dies)
    walker = world.walker()
    entered(world, walker)
    choose(walker, SETS[0])
    entered(world, walker)
    assert world.runs() == ["before", "between"]
    assert world.runs("former") == ["before", "between", "after"]
    decide(walker, decision)
    outcome = entered(world, walker)
    assert not cut
    if decision == "keep":
        assert outcome == "restored"
        assert world.runs() == ["before", "between"]
        assert not world.there("former")
    else:
        assert world.runs() == ["before", "between", "after"]
        assert world.runs("undone") == ["before", "between"]
    events = world.events()
    assert events["backup:restore:done"] == events["backup:restore:chosen"] == 1
    assert len(world.set_ids()) == 3


def entered(world: World, walker: Walker) -> str | None:
    """Enter until a run waits for people or ends; each dead one's doubt is settled after its time-out."""
    for _ in range(30):
        try:
            outcome = walker.enter()
        except CutError:
            world.pass_time(timedelta(hours=5))
            continue
        if outcome is not None or walker.open_gates() or walker.case.stage == "closing":
            return outcome
        world.pass_time(timedelta(hours=5))
    msg = "it does not come to an end"
    raise AssertionError(msg)


@soon_on_postgresql
def test_a_restore_that_dies_half_way_is_made_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    walker = declared(world)
    choose(walker, SETS[0])
    kind = type(world.switch())
    facts = kind.facts
    died = []

    def dies(switch: Any) -> Any:
        if not died:
            died.append(switch.identity(switch.names.beside))
            raise CutError
        return facts(switch)

    monkeypatch.setattr(kind, "facts", dies)
    with pytest.raises(CutError):
        walker.enter()
    assert died != [None]
    assert world.runs() == ["before", "between", "after"]
    world.pass_time(timedelta(hours=5))
    assert walker.enter() is None
    assert world.runs() == ["before", "between"]


@pytest.mark.long
def test_entered_anew_after_every_step_the_walk_is_the_same(sqlite: World) -> None:
    walker = sqlite.walker()
    enter_in_pieces(walker)
    choose(walker, SETS[0])
    enter_in_pieces(walker)
    decide(walker, "keep")
    assert enter_in_pieces(walker) == "restored"
    names = walker.step_names()
    assert len(names) == len(set(names)) > 25
    assert sqlite.runs() == ["before", "between"]
    assert len(sqlite.set_ids()) == 3


def test_a_site_that_takes_nothing_does_not_stop_the_restore(sqlite: World) -> None:
    walker = declared(sqlite)
    choose(walker, SETS[0])
    far = sqlite.folder / "far" / "brouwer"
    blocked = far / "2026-11-25-000003"
    blocked.write_text("a file where the folder of the saved set should come")
    assert walker.enter() is None
    assert sqlite.runs() == ["before", "between"]
    assert len(sqlite.set_ids()) == 2
    assert "former database" not in str(walker.gate("closing/1/decision").question.texts["nl"]["about"])


@pytest.mark.usefixtures("records")
def test_it_runs_as_a_flow_and_is_joined() -> None:
    state = restore_calamity("kestrel", "nothing", "Een brand.", return_state=True)
    assert state.is_failed()
    assert "names no backup" in str(state.message)


def test_a_database_that_is_in_use_stays_live(sqlite: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blocks.backup.switch_sqlite._PATIENCE_SECONDS", 0.2)
    walker = declared(sqlite)
    choose(walker, SETS[0])
    with sqlite.suite.engine().connect() as held:
        held.execute(text("SELECT count(*) FROM erp_sync_batches")).scalar()
        with pytest.raises(Exception, match="stop the Suite"):
            walker.enter()
        assert sqlite.runs() == ["before", "between", "after"]
    sqlite.pass_time(timedelta(hours=1))
    assert walker.enter() is None
    assert sqlite.runs() == ["before", "between"]
