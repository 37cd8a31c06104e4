"""`nakoming check`: everything is tried for real, and one failure hides none of the others."""

from __future__ import annotations

import mailbox
import os
import signal
import sqlite3
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from prefect.blocks.system import Secret
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound

from blocks.backup.scratch_sqlite import SqliteScratch
from blocks.backup.site_folder import FolderSite
from blocks.backup.source_sqlite import SqliteSource
from blocks.erp.database import ErpDatabase
from blocks.mail_server import MailServer
from blocks.mailbox import Mailbox
from blocks.suite_database import SuiteDatabase
from deployments.cli import worker_checks
from deployments.cli.attempts import Attempt, Found, tried
from flows.rfc_street import rfc_street
from nakoming.agreement.loading import agreement_sha256
from nakoming.errors import UsageError
from nakoming.records import agreements, clock
from tasks import installation
from tests.harness.block_names import forget
from tests.harness.installation import AGREEMENTS
from tests.harness.portal_server import Office, serving
from tests.harness.processes import free_port, running
from tests.harness.vendor import save_blocks
from tests.harness.waiting import wait_for

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.deployments.cli.conftest import Ended
    from tests.harness.prefect_server import PrefectServer

CUSTOMERS = ("brouwer", "fenwick", "kestrel")
POOL = "checked"
DEPLOYMENTS = worker_checks.names()
STREET = "rfc-street"
ENDS = (  # of the exchange and of the backups
    "brouwer-erp",
    "brouwer-suite",
    "brouwer-database",
    "fenwick-database",
    "backup-first",
    "backup-second",
    "backup-scratch",
)


@pytest.fixture
def mail_port() -> Iterator[int]:
    server = Controller(Sink(), hostname="127.0.0.1", port=free_port())
    server.start()
    yield server.port
    server.stop()


@pytest.fixture
def everything(
    prefect_api: PrefectServer,
    records: Records,
    mail_port: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[None]:
    """An installation with all that it stands on: Prefect, the street, blocks, mail, portal."""
    save_blocks(tmp_path / "demo", *CUSTOMERS)
    mailbox.Maildir(tmp_path / "bounces")
    MailServer(host="127.0.0.1", port=mail_port, tls="none", sender="n@sps.example").save(
        "mail", overwrite=True
    )
    Mailbox(maildir=tmp_path / "bounces").save("notices", overwrite=True)
    forget(*ENDS)
    for name in ("brouwer-erp", "brouwer-suite", "fenwick-suite"):
        with closing(sqlite3.connect(tmp_path / f"{name}.db")) as database:
            database.execute("CREATE TABLE orders (number text)")
    ErpDatabase(dialect="sqlite", path=tmp_path / "brouwer-erp.db").save("brouwer-erp")
    SuiteDatabase(dialect="sqlite", path=tmp_path / "brouwer-suite.db").save("brouwer-suite")
    for customer in ("brouwer", "fenwick"):
        SqliteSource(path=tmp_path / f"{customer}-suite.db").save(f"{customer}-database")
    for name in ("backup-first", "backup-second", "backup-scratch"):
        (tmp_path / name).mkdir()
    for site in ("backup-first", "backup-second"):
        FolderSite(folder=tmp_path / site, machine=f"{site}.example").save(site)
    SqliteScratch(folder=tmp_path / "backup-scratch").save("backup-scratch")
    with deployed(), serving(Office(records)) as portal, worker(prefect_api, tmp_path):
        monkeypatch.setenv("NAKOMING_PORTAL_URL", portal)
        installation.settings.cache_clear()
        yield
    forget(*ENDS)


@contextmanager
def deployed() -> Iterator[None]:
    """All that `prefect.yaml` deploys, on a work pool of the tests' own."""
    with get_client(sync_client=True) as prefect:
        prefect.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        flow = prefect.create_flow_from_name(rfc_street.name)
        made = [
            prefect.create_deployment(flow_id=flow, name=name, work_pool_name=POOL) for name in DEPLOYMENTS
        ]
        yield
        for each in made:
            with suppress(ObjectNotFound):  # a test has deleted it
                prefect.delete_deployment(each)
        prefect.delete_work_pool(POOL)


@contextmanager
def worker(server: PrefectServer, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Prefect's own worker of that pool, which reports every second."""
    log = folder / "worker.log"
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", "one"]
    with running(
        command,
        log=log,
        answers=lambda: log.exists() and "started!" in log.read_text(),
        env=server.environment | {"PREFECT_WORKER_HEARTBEAT_SECONDS": "1"},
    ) as process:
        yield process


def by_name(ended: Ended) -> dict[str, tuple[bool, str]]:
    return {each["name"]: (each["ok"], each["text"]) for each in ended.data["checks"]}


def wrong(text: str) -> tuple[bool, str]:
    return False, text


@pytest.mark.usefixtures("everything")
def test_all_is_well_and_then_one_thing_after_another_is_not(
    nakoming: Callable[..., Ended], records: Records, tmp_path: Path
) -> None:
    ended = nakoming("check")
    assert ended.status == 0, ended.out
    assert ended.out.endswith("\nAll 31 are ok.\n")
    MailServer(host="127.0.0.1", port=free_port(), tls="none", sender="n@sps.example").save(
        "mail", overwrite=True
    )
    (tmp_path / "bounces" / "new").rmdir()
    records.keys.folder.chmod(0o750)
    found = by_name(nakoming("check", "--json"))
    failed = {name: text for name, (ok, text) in found.items() if not ok}
    assert set(failed) == {"block MailServer mail", "block Mailbox notices", "keys"}
    assert "does not answer as it should" in failed["block MailServer mail"]
    folder = records.keys.folder
    assert failed["keys"] == (
        f"{folder} has mode 0750, so others may read it: take it from them with chmod go= {folder}. [NK7183]"
    )
    assert found["block DeployScript kestrel-production"][0]


def test_a_worker_is_looked_for_on_the_pool_of_the_deployments(
    prefect_api: PrefectServer, records: Records, nakoming: Callable[..., Ended], tmp_path: Path
) -> None:
    del records
    names = ", ".join(sorted(DEPLOYMENTS))

    def said() -> tuple[bool, str]:
        return by_name(nakoming("check", "--json"))["workers"]

    with deployed():
        never, advice = said()[1].split(": ", 1)
        assert never == f"No worker serves the work pool {POOL}, which runs {names} (none was ever heard)"
        assert advice == (
            "start the system with `nakoming up`, or a worker with "
            f"`prefect worker start --pool {POOL} --type process`. [NK7187]"
        )
        with worker(prefect_api, tmp_path) as process:
            assert said() == (True, f"The work pool {POOL} is served by one.")
            with get_client(sync_client=True) as prefect:
                prefect.update_work_pool(POOL, WorkPoolUpdate(is_paused=True))
                assert said() == wrong(
                    f"The work pool {POOL}, which runs {names}, is paused: "
                    "take the pause off in the Prefect UI under Work Pools. [NK7186]"
                )
                prefect.update_work_pool(POOL, WorkPoolUpdate(is_paused=False))
            os.kill(process.pid, signal.SIGKILL)
            wait_for(lambda: not said()[0])
            assert "(the last one was heard on " in said()[1]


def test_a_deployment_that_is_missing_or_has_no_pool_is_named(
    prefect_api: PrefectServer, records: Records, nakoming: Callable[..., Ended]
) -> None:
    del records
    with deployed(), get_client(sync_client=True) as prefect:
        street = prefect.read_deployment_by_name(f"{rfc_street.name}/{STREET}")
        prefect.delete_deployment(street.id)
        found = by_name(nakoming("check", "--json"))
        assert found["Prefect server"] == wrong(
            f"The Prefect server at {prefect_api.api_url} has no deployment rfc-street; "
            "`nakoming up` makes it, or `prefect deploy --all`. [NK7162]"
        )
        prefect.create_deployment(flow_id=street.flow_id, name=street.name)
        found = by_name(nakoming("check", "--json"))
        assert found["workers"] == wrong(
            "The deployment rfc-street names no work pool, so no worker takes its runs; "
            "`nakoming up` deploys it again, or `prefect deploy --all`. [NK7185]"
        )


def test_the_connections_of_an_agreement_are_asked_by_name_whatever_their_kind(
    prefect_api: PrefectServer, records: Records, nakoming: Callable[..., Ended], tmp_path: Path
) -> None:
    del prefect_api
    text = (AGREEMENTS / "brouwer.yaml").read_text(encoding="utf-8")
    names = "{deploy: brouwer-production, connections: {inbox: brouwer-inbox, orders: brouwer-orders}}"
    text = text.replace("{deploy: brouwer-production}", names)
    with records.write() as tx:
        agreements.store(tx, "brouwer", text, agreement_sha256(text))
    forget(*ENDS)
    mailbox.Maildir(tmp_path / "inbox")
    Mailbox(maildir=tmp_path / "inbox").save("brouwer-inbox", overwrite=True)
    with deployed():
        found = by_name(nakoming("check", "--json"))
        assert found["connection inbox of brouwer's production"][0]
        assert not found["connection suite of brouwer's exchange"][0]
        assert (
            "names the block 'brouwer-erp' as 'erp' of exchange"
            in (found["connection erp of brouwer's exchange"][1])
        )
        assert found["connection orders of brouwer's production"] == wrong(
            "The agreement of brouwer names the block 'brouwer-orders' as 'orders' of production, "
            "and there is none of that name: make it in the Prefect UI under Blocks, "
            "or correct the agreement. [NK7188]"
        )
        Secret(value="orders").save("brouwer-orders")
        (tmp_path / "inbox" / "new").rmdir()
        found = by_name(nakoming("check", "--json"))
        assert not found["connection inbox of brouwer's production"][0]
        assert found["connection orders of brouwer's production"] == (
            True,
            "It is there, as a block of the kind secret, which is none of ours and was not asked more.",
        )


def test_without_prefect_and_portal_the_rest_is_still_tried(
    records: Records, nakoming: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    del records
    monkeypatch.setenv("NAKOMING_PORTAL_URL", f"http://127.0.0.1:{free_port()}")
    installation.settings.cache_clear()
    ended = nakoming("check", "--json")
    assert ended.status == 1
    found = by_name(ended)
    assert found["records"] == (
        True,
        "The schema is the one this program knows; agreements: brouwer, fenwick, kestrel.",
    )
    assert found["portal"][1].endswith("Start it with `nakoming up` or `nakoming portal`.")
    assert found["Prefect server"][1].startswith("No Prefect server is known: ")
    assert found["block MailServer mail"] == (
        False,
        "Not tried: it is kept by the Prefect server, see there.",
    )
    assert found["calendar of brouwer"][0]


def test_a_year_that_nobody_agreed_is_found_before_it_comes(
    records: Records, nakoming: Callable[..., Ended]
) -> None:
    with records.write() as tx:
        clock.set_to(tx.connection, datetime(2028, 6, 1, 9, tzinfo=UTC))
    found = by_name(nakoming("check", "--json"))
    assert found["calendar of kestrel"] == (
        False,
        (
            "The working days of kestrel are not agreed for the year of 2029-01-01; agreed: 2026, 2027, "
            "2028. Agree that year and add it under 'calendars' in the agreement. [NK1010]"
        ),
    )
    with records.write() as tx:
        clock.set_to(tx.connection, datetime(2027, 6, 1, 9, tzinfo=UTC))
    found = by_name(nakoming("check", "--json"))
    assert found["calendar of kestrel"] == (True, "The working days of 2027 and 2028 are agreed.")


def test_a_new_installation_says_what_to_do_first(
    nakoming: Callable[..., Ended], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAKOMING_HOME", str(tmp_path / "new"))
    for cached in (installation.settings, installation.records):
        cached.cache_clear()
    found = by_name(nakoming("check", "--json"))
    for cached in (installation.settings, installation.records):
        cached.cache_clear()
    assert "`nakoming agreement load` makes them. [NK7182]" in found["keys"][1]
    assert found["documents"] == (True, f"{tmp_path / 'new' / 'documents'} can be made.")
    assert not found["records"][0]
    assert "calendar of brouwer" not in found


def test_what_hangs_is_given_up_and_hides_nothing() -> None:
    release = threading.Event()

    def hangs() -> str:
        release.wait(60)
        return "late"

    def refuses() -> str:
        raise UsageError(reason="It is wrong.")

    def breaks() -> str:
        raise OSError("first line\nsecond line")

    advice = "Do this."
    acts = {"hangs": hangs, "refuses": refuses, "breaks": breaks, "works": lambda: "Fine."}
    began = time.monotonic()
    found = tried([Attempt(name, act, advice) for name, act in acts.items()], timeout=0.5)
    assert time.monotonic() - began < 10
    release.set()
    assert found == [
        Found("hangs", ok=False, text="No answer in 0.5 s. Do this."),
        Found("refuses", ok=False, text="It is wrong. [NK0002]"),
        Found("breaks", ok=False, text="OSError: first line. Do this."),
        Found("works", ok=True, text="Fine."),
    ]
