"""`nakoming check`: everything is tried for real, and one failure hides none of the others."""

from __future__ import annotations

import mailbox
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink
from prefect.client.orchestration import get_client

from blocks.mail_server import MailServer
from blocks.mailbox import Mailbox
from deployments.cli.attempts import Attempt, Found, tried
from flows.rfc_street import rfc_street
from nakoming.errors import UsageError
from nakoming.records import clock
from tasks import installation
from tests.harness.portal_server import Office, serving
from tests.harness.processes import free_port
from tests.harness.vendor import save_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from nakoming.records.store import Records
    from tests.deployments.cli.conftest import Ended
    from tests.harness.prefect_server import PrefectServer

CUSTOMERS = ("brouwer", "fenwick", "kestrel")


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
    del prefect_api
    save_blocks(tmp_path / "demo", *CUSTOMERS)
    mailbox.Maildir(tmp_path / "bounces")
    MailServer(host="127.0.0.1", port=mail_port, tls="none", sender="n@sps.example").save(
        "mail", overwrite=True
    )
    Mailbox(maildir=tmp_path / "bounces").save("notices", overwrite=True)
    with get_client(sync_client=True) as prefect, serving(Office(records)) as portal:
        flow = prefect.create_flow_from_name(rfc_street.name)
        deployment = prefect.create_deployment(flow_id=flow, name="rfc-street")
        monkeypatch.setenv("NAKOMING_PORTAL_URL", portal)
        installation.settings.cache_clear()
        yield
        prefect.delete_deployment(deployment)


def by_name(ended: Ended) -> dict[str, tuple[bool, str]]:
    return {each["name"]: (each["ok"], each["text"]) for each in ended.data["checks"]}


@pytest.mark.usefixtures("everything")
def test_all_is_well_and_then_one_thing_after_another_is_not(
    nakoming: Callable[..., Ended], records: Records, tmp_path: Path
) -> None:
    ended = nakoming("check")
    assert ended.status == 0, ended.out
    assert ended.out.endswith("\nAll 20 are ok.\n")
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
