"""What the benchmarks of backups share: an installation, a Prefect server that knows the blocks, two sites.

The night runs in a process of its own, as a worker's run does; its children (pg_dump, the reader of a SQLite
file) count in its memory and its CPU.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from blocks.backup.site_sftp import SftpSite
    from nakoming.records.store import Records
    from tests.harness.prefect_server import PrefectServer

HOUSE = Path(__file__).parents[1]
CUSTOMER = "brouwer"
MEBIBYTES = 200
_LOOK_SECONDS = 0.05
_PATTERN = HOUSE / "agreements" / f"{CUSTOMER}.yaml"


@dataclass(frozen=True)
class Vault:
    """An installation whose customers are backed up; `environment` is that of its processes."""

    folder: Path
    environment: dict[str, str]
    server: PrefectServer


class Night(NamedTuple):
    """What a process measured: seconds, seconds of CPU, and peak memory with all of its children."""

    seconds: float
    cpu: float
    mebibytes: float


@contextmanager
def vault() -> Iterator[Vault]:
    """An empty installation in a temporary folder; blocks that are saved within are those of its server."""
    from tests.harness.prefect_server import prefect_server_in

    with TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for each in ("prefect", "home", "near", "far"):
            (folder / each).mkdir()
        with prefect_server_in(folder / "prefect") as server, server.settings():
            own = {"NAKOMING_HOME": str(folder / "home"), "PREFECT_LOGGING_LEVEL": "ERROR"}
            yield Vault(folder, server.environment | own, server)


def renew(made: Vault) -> None:
    """Forget what nights left behind."""
    for each in ("home", "near", "far"):
        shutil.rmtree(made.folder / each)
        (made.folder / each).mkdir()


def agree(records: Records, customers: Sequence[str], second_site: str) -> None:
    """Load agreements that name a backup: of the blocks `<customer>-data` to `near` and the second site."""
    from nakoming.agreement.loading import agreement_sha256
    from nakoming.records import agreements

    vendor = (HOUSE / "agreements" / "vendor.yaml").read_text(encoding="utf-8")
    pattern = _PATTERN.read_text(encoding="utf-8")
    with records.write() as tx:
        agreements.store(tx, agreements.VENDOR, vendor, agreement_sha256(vendor))
        for customer in customers:
            blocks = (
                f"database: {customer}-data, first_site: near, second_site: {second_site}, scratch: trial"
            )
            text = pattern.replace("lead_times:\n", f"backup: {{{blocks}}}\nlead_times:\n", 1)
            text = text.replace(f"customer: {CUSTOMER}\n", f"customer: {customer}\n")
            agreements.store(tx, customer, text, agreement_sha256(text))


def records_of(made: Vault) -> Records:
    """Its records, as new."""
    from nakoming.records import migrate
    from nakoming.records.store import Records

    home = made.folder / "home"
    found = Records(f"sqlite:///{home / 'records.sqlite'}", keys=home / "keys", documents=home / "documents")
    migrate.upgrade(found)
    return found


def save_folder_site(made: Vault, name: str) -> None:
    """The block of a folder that stands for another machine's."""
    from blocks.backup.site_folder import FolderSite

    FolderSite(folder=made.folder / name, machine=f"{name}.example").save(name, overwrite=True)


@contextmanager
def off_site(made: Vault) -> Iterator[SftpSite]:
    """OpenSSH's own server on loopback, and its block `off-site`."""
    from blocks.backup.site_sftp import SftpSite
    from tests.blocks.conftest import sshd_in

    (made.folder / "sshd").mkdir()
    with sshd_in(made.folder / "sshd") as sshd:
        block = sshd.block()
        names = ("host", "port", "username", "host_key", "private_key")
        given = {name: getattr(block, name) for name in names}
        site = SftpSite.model_validate(given | {"folder": str(made.folder / "far")})
        site.save("off-site", overwrite=True)
        yield site


def night_of_one(made: Vault, second_site: str) -> Night:
    """One customer's first backup, in an installation without a past."""
    renew(made)
    agree(records_of(made), [CUSTOMER], second_site)
    return night_apart(made, "one")


def night_apart(made: Vault, what: str) -> Night:
    """Run a night in a process of its own: `one` customer, or `all` through the flow."""
    command = [sys.executable, "-m", "bench.backup_rig", what]
    ran = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=made.environment, cwd=HOUSE
    )
    return Night(**json.loads(ran.stdout.splitlines()[-1]))


def timed(work: Callable[[], object]) -> float:
    """Seconds it takes."""
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


class _Peak:
    # The largest sum, over all instants looked at, of what this process and its children hold.

    def __init__(self) -> None:
        self.mebibytes = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        import psutil

        ours = psutil.Process()
        while not self._over.wait(_LOOK_SECONDS):
            held = sum(_most_held(each.pid) for each in ours.children(recursive=True))
            self.mebibytes = max(self.mebibytes, held + _most_held(os.getpid()))


def _most_held(process: int) -> float:
    # The peak of each: what the sum may lack between two looks it has too much in others.
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    return 0.0


def _cpu() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def _one() -> Callable[[], str]:
    from nakoming.agreement.nights import night_of
    from nakoming.records import agreements
    from tasks.backup import connections, one_customer
    from tasks.installation import records
    from tasks.process import work_within

    with records().read() as tx:
        on, terms = str(night_of(tx.now).on), agreements.get(tx, CUSTOMER).backup
    # A worker has imported all of it long before the night.
    connections.source_of(str(terms.database)).size()
    for name in (terms.first_site, terms.second_site):
        connections.site_of(str(name)).free()

    def work() -> str:
        process = one_customer.PROCESS
        return work_within(process, customer=CUSTOMER, subject=on, parameters={"night": on}).said

    return work


def _all() -> Callable[[], str]:
    from flows.daily_backup import daily_backup
    from tasks.installation import records

    records()
    return lambda: str(daily_backup(at_once=True, return_state=True).message)


def _main() -> None:
    work = {"one": _one, "all": _all}[sys.argv[1]]()
    with _Peak() as peak:
        begun, used = time.monotonic(), _cpu()
        said = work()
        found: dict[str, Any] = {"seconds": time.monotonic() - begun, "cpu": _cpu() - used}
    assert said.endswith(("verified", "all are verified")), said
    print(json.dumps(found | {"mebibytes": peak.mebibytes}))


if __name__ == "__main__":
    _main()
