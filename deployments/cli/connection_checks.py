"""What Prefect and the connections of the agreements are asked: every block has its own check."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from deployments.cli import prefect_server, worker_checks
from deployments.cli.attempts import Attempt
from deployments.cli.errors import ConnectionMissing, DeploymentMissing, PrefectUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prefect.client.orchestration import SyncPrefectClient

    from nakoming.agreement.terms import Agreement

PREFECT: Final = "Prefect server"
_ADVICE: Final = "See that what it connects to runs, and that its block in the Prefect UI is right."
# What every installation has, whatever its agreements say: kind, name.
_COMMON: Final = (
    ("MailServer", "mail"),
    ("Mailbox", "notices"),
    ("BuildCommand", "suite"),
    ("TestCommand", "suite"),
)
_OF_BACKUPS: Final = (
    "database",
    "documents",
    "first_site",
    "second_site",
    "scratch",
    "documents_scratch",
)


def server() -> Attempt:
    """The Prefect server answers and knows all that `prefect.yaml` deploys."""
    return Attempt(PREFECT, _server, "Start the system with `nakoming up`.")


def _server() -> str:
    url = prefect_server.enter()
    with prefect_server.client(url) as prefect:
        if (failed := prefect.api_healthcheck()) is not None:
            raise PrefectUnreachable(url=url, problem=f"does not answer ({failed})")
        known = worker_checks.deployed(prefect)
    for name in worker_checks.names():
        if name not in known:
            raise DeploymentMissing(url=url, name=name)
    return f"{url} answers and knows {', '.join(known)}."


def blocks(agreements: Iterable[Agreement]) -> list[Attempt]:
    """Each block that the agreements and the processes name, each once; then the agreements' connections."""
    known = list(agreements)
    named = list(_COMMON)
    for agreement in known:
        places = agreement.environments.acceptance, agreement.environments.production
        named += [("DeployScript", place.deploy) for place in places]
    common = [_block(kind, name) for kind, name in dict.fromkeys(named)]
    return common + [each for agreement in known for each in _connections(agreement)]


def _connections(agreement: Agreement) -> list[Attempt]:
    """The other connections, of the environments and of the exchange: any kind of that name will do."""
    places, erp, backup = agreement.environments, agreement.erp, agreement.backup
    named: dict[str, Mapping[str, str | None]] = {
        "acceptance": places.acceptance.connections,
        "production": places.production.connections,
        "exchange": {"erp": erp.connection, "inbox": erp.inbox, "suite": erp.suite},
        "backup": {name: getattr(backup, name) for name in _OF_BACKUPS},
    }
    return [
        Attempt(
            f"connection {purpose} of {agreement.customer}'s {where}",
            partial(_connected, agreement.customer, where, purpose, block),
            _ADVICE,
        )
        for where, connections in named.items()
        for purpose, block in connections.items()
        if block is not None
    ]


def _connected(customer: str, environment: str, purpose: str, name: str) -> str:
    """Ask every block of that name, whatever its kind, how it is."""
    with prefect_server.client(prefect_server.enter()) as prefect:
        kinds = _kinds_of(prefect, name)
    if not kinds:
        raise ConnectionMissing(customer=customer, environment=environment, purpose=purpose, name=name)
    return " ".join(_asked(slug, name) for slug in kinds)


def _kinds_of(prefect: SyncPrefectClient, name: str) -> list[str]:
    """The kinds of the blocks of this name."""
    wanted = {"name": {"any_": [name]}, "is_anonymous": {"eq_": False}}
    # The client's own method knows no filter, and gives the secrets of all.
    body = {"block_documents": wanted, "include_secrets": False}
    found = prefect.request("POST", "/block_documents/filter", json=body).raise_for_status().json()
    return sorted(each["block_type"]["slug"] for each in found)


def _asked(slug: str, name: str) -> str:
    import blocks as ours

    kinds = {getattr(ours, each).get_block_type_slug(): each for each in ours.__all__}
    if slug not in kinds:
        return f"It is there, as a block of the kind {slug}, which is none of ours and was not asked more."
    return _checked(kinds[slug], name)


def _block(kind: str, name: str) -> Attempt:
    return Attempt(f"block {kind} {name}", partial(_checked, kind, name), _ADVICE)


def _checked(kind: str, name: str) -> str:
    import blocks as kinds  # Prefect's settings are right by now
    from tasks.blocks import load_block

    return " ".join(load_block(getattr(kinds, kind), name).check() or ("It answers.",))
