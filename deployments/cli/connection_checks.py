"""What Prefect and the connections of the agreements are asked: every block has its own check."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from deployments.cli import prefect_server
from deployments.cli.attempts import Attempt
from deployments.cli.errors import DeploymentMissing, PrefectUnreachable
from deployments.cli.rfc_start import DEPLOYMENT

if TYPE_CHECKING:
    from collections.abc import Iterable

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


def server() -> Attempt:
    """The Prefect server answers and knows the street."""
    return Attempt(PREFECT, _server, "Start the system with `nakoming up`.")


def _server() -> str:
    from prefect.exceptions import ObjectNotFound

    url = prefect_server.enter()
    with prefect_server.client(url) as prefect:
        if (failed := prefect.api_healthcheck()) is not None:
            raise PrefectUnreachable(url=url, problem=f"does not answer ({failed})")
        try:
            prefect.read_deployment_by_name(DEPLOYMENT)
        except ObjectNotFound as missing:
            raise DeploymentMissing(url=url, name=DEPLOYMENT) from missing
    return f"{url} answers and knows {DEPLOYMENT}."


def blocks(agreements: Iterable[Agreement]) -> list[Attempt]:
    """Each block that the agreements and the processes name, each once."""
    named = list(_COMMON)
    for agreement in agreements:
        places = agreement.environments.acceptance, agreement.environments.production
        named += [("DeployScript", place.deploy) for place in places]
    return [_block(kind, name) for kind, name in dict.fromkeys(named)]


def _block(kind: str, name: str) -> Attempt:
    return Attempt(f"block {kind} {name}", partial(_checked, kind, name), _ADVICE)


def _checked(kind: str, name: str) -> str:
    import blocks as kinds  # Prefect's settings are right by now
    from tasks.blocks import load_block

    return " ".join(load_block(getattr(kinds, kind), name).check() or ("It answers.",))
