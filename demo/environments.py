"""The demo's customers: their environments on this machine, filled and running.

`python -m demo.environments prepare|start|stop|status --root DIR [--customer C …]`. What is installed already
stays as it is, so a demo that was stopped goes on with what is there.
"""

from __future__ import annotations

import argparse
import http.client
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo import backup_ends, exchange_ends
from demo.artefacts import pack
from demo.environment_folder import EnvironmentFolder
from demo.errors import PrepareError
from demo.orders import orders_for
from demo.revisions import BASE_REVISION, read_revision
from demo.suite_service import HOST
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Sequence

ENVIRONMENTS = ("acceptance", "production")
AT_ONCE = 3
TALK_SECONDS = 30.0


@dataclass(frozen=True)
class Customer:
    """A customer of the demo vendor: its key in commands, its name, the language of its pages."""

    key: str
    name: str
    language: str


CUSTOMERS = (
    Customer("brouwer", "Brouwer Plaatwerk", "nl"),
    Customer("fenwick", "Fenwick Tooling", "en"),
    Customer("kestrel", "Kestrel Plastics", "en"),
)


def prepare(
    root: Path, customers: Sequence[Customer] = CUSTOMERS, *, with_erp: bool = True
) -> list[dict[str, Any]]:
    """Install the base revision on every environment that has none, fill it with orders, start all.

    The ERP of the customer that has one is made beside it (not without `with_erp`), and the folders of
    backups. Returns what the deploy script says of each environment, acceptance before production.

    Raises:
        PrepareError: An environment cannot be set up; the others are.
        ErpUnusable: The ERP cannot be made; the environments are set up.
    """
    artefact = pack(read_revision(BASE_REVISION), root / "artefacts").path
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [
            pool.submit(_prepare_one, root, customer, name, artefact)
            for customer in customers
            for name in ENVIRONMENTS
        ]
        backup_ends.prepare_folders(root)
        if with_erp and exchange_ends.CUSTOMER in {customer.key for customer in customers}:
            exchange_ends.prepare_erp(root)
    return [one.result() for one in waiting]


def start_all(root: Path) -> list[dict[str, Any]]:
    """Start what is installed under `root` and does not run; returns each environment's facts."""
    return _everywhere(root, "start")


def stop_all(root: Path) -> list[dict[str, Any]]:
    """Stop everything that runs under `root`; what is installed stays."""
    return _everywhere(root, "stop")


def status_all(root: Path) -> list[dict[str, Any]]:
    """What stands under `root`; changes nothing."""
    return _everywhere(root, "status")


def deploy(environment: EnvironmentFolder, action: str, *more: str) -> dict[str, Any]:
    """Call the vendor's deploy script and return what it prints.

    Raises:
        PrepareError: It exits with another status than 0.
    """
    command = [sys.executable, "-m", "demo.deploy", action, "--root", str(environment.root)]
    command += ["--customer", environment.customer, "--environment", environment.name, *more]
    ended = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=_house()
    )
    if ended.returncode:
        reason = ended.stderr.strip() or f"the deploy script ended with {ended.returncode}"
        raise PrepareError(customer=environment.customer, environment=environment.name, reason=reason)
    facts: dict[str, Any] = json.loads(ended.stdout)
    return facts


def _prepare_one(root: Path, customer: Customer, name: str, artefact: Path) -> dict[str, Any]:
    environment = EnvironmentFolder(root, customer.key, name)
    if environment.linked("current"):
        facts = deploy(environment, "start")
    else:
        given = environment.read_json("settings.json")
        defaults = {"title": customer.name, "language": customer.language}
        environment.write_json("settings.json", defaults | given)
        facts = deploy(environment, "install", "--artefact", str(artefact.resolve()))
    # Also after a start: a preparation killed between installing and filling is made whole here.
    if not _talk(environment, "GET")["orders"]:
        orders = orders_for(customer.key, customer.language)
        _talk(environment, "POST", json.dumps({"orders": orders}).encode())
    return facts


def _talk(environment: EnvironmentFolder, method: str, body: bytes | None = None) -> dict[str, Any]:
    """Speak to the Suite about orders as the customer's ERP does."""
    port = environment.read_json("service.json")["port"]
    connection = http.client.HTTPConnection(HOST, port, timeout=TALK_SECONDS)
    try:
        connection.request(method, "/api/orders", body)
        answer = connection.getresponse()
        said = answer.read().decode()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise PrepareError(customer=environment.customer, environment=environment.name, reason=said)
    content: dict[str, Any] = json.loads(said)
    return content


def _everywhere(root: Path, action: str) -> list[dict[str, Any]]:
    found = sorted(
        folder for folder in (root / "environments").glob("*/*") if (folder / "current").is_symlink()
    )
    environments = [EnvironmentFolder(root, folder.parent.name, folder.name) for folder in found]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda environment: deploy(environment, action), environments))


def _house() -> Path:
    return Path(__file__).resolve().parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one action for all environments, one JSON line each."""
    parser = argparse.ArgumentParser(prog="demo.environments", description=__doc__)
    parser.add_argument("action", choices=["prepare", "start", "stop", "status"])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--customer", action="append", choices=[customer.key for customer in CUSTOMERS])
    chosen = parser.parse_args(arguments)
    root = chosen.root.resolve()
    try:
        if chosen.action == "prepare":
            wanted = [c for c in CUSTOMERS if chosen.customer is None or c.key in chosen.customer]
            lines = prepare(root, wanted)
        else:
            lines = _everywhere(root, chosen.action)
    except NakomingError as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        return error.exit_status
    for line in lines:
        sys.stdout.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
