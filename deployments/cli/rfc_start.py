"""Starts the development street: a run of the deployment `rfc-street/rfc-street`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from deployments.cli import document_files, files, prefect_server, printing
from deployments.cli.errors import DeploymentMissing, RequestInvalid
from nakoming.records import agreements, cases, documents
from tasks.installation import records

if TYPE_CHECKING:
    from uuid import UUID

    from nakoming.records.store import Tx

DEPLOYMENT: Final = "rfc-street/rfc-street"
_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked, as it was written on the command line."""

    customer: str
    reference: str
    title: str
    requester: str
    kind: str
    description: str
    documents: tuple[str, ...]
    build_command: str | None
    test_command: str | None

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the flow that are given; documents come later, as ids."""
        given = {name: value for name, value in vars(self).items() if name != "documents"}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def key(self) -> str:
        """The case it opens, or joins."""
        return f"rfc/{self.customer}/{self.reference}"


def started(wanted: Wanted, *, as_json: bool) -> None:
    """Create the run and say where it is.

    Raises:
        UnknownAgreement: there is no such customer.
        RequestInvalid: a value is not allowed.
        DocumentMissing, DocumentRefused, FileUnreadable: a document cannot be used; nothing was started.
        PrefectUnknown, PrefectUnreachable, DeploymentMissing: there is nothing to start it on.
    """
    with records().read() as tx:
        agreements.newest_version(tx, wanted.customer)
        joined = cases.find(tx, "rfc", wanted.customer, wanted.reference) is not None
        _check_ids(tx, wanted)
    url = prefect_server.enter()
    _check(wanted)
    parameters = wanted.parameters | {"documents": _document_ids(wanted)}
    run_id, name = _create(url, parameters)
    watch = f"{url.removesuffix('/api')}/runs/flow-run/{run_id}"
    if as_json:
        printing.emit(
            {"key": wanted.key, "run_id": str(run_id), "run": name, "url": watch, "joined": joined}
            | {"documents": parameters["documents"]}
        )
        return
    printing.facts([("Case", wanted.key), ("Prefect run", f"{run_id} ({name})"), ("Watch it at", watch)])
    if joined:
        printing.line("That case is there already: the run joins it, and what the case holds stands.")


def _check(wanted: Wanted) -> None:
    """Hold the values against the form of the flow itself, so that both refuse the same."""
    from flows.rfc_street import rfc_street  # imports Prefect, whose settings are right by now

    form = rfc_street.parameters.properties
    for name, value in wanted.parameters.items():
        rule = form[name]
        if name in rfc_street.parameters.required and not value.strip():
            raise RequestInvalid(field=name, problem="is empty; something must be said")
        if "pattern" in rule and not re.search(rule["pattern"], value):
            raise RequestInvalid(
                field=name, problem=f"'{value}' is not allowed; its form is {rule['pattern']}"
            )
        if len(value) > rule.get("maxLength", len(value)):
            limit = rule["maxLength"]
            raise RequestInvalid(field=name, problem=f"has {len(value)} characters; allowed: at most {limit}")


def _check_ids(tx: Tx, wanted: Wanted) -> None:
    for each in wanted.documents:
        if _ID.fullmatch(each):
            documents.get(tx, wanted.customer, each)


def _document_ids(wanted: Wanted) -> list[str]:
    """The ids in the order given; files are stored now."""
    named = [Path(each) for each in wanted.documents if not _ID.fullmatch(each)]
    stored = iter(document_files.store(wanted.customer, named, files.login()))
    return [each if _ID.fullmatch(each) else next(stored).id for each in wanted.documents]


def _create(url: str, parameters: dict[str, Any]) -> tuple[UUID, str]:
    from prefect.exceptions import ObjectNotFound

    with prefect_server.client(url) as prefect:
        try:
            deployment = prefect.read_deployment_by_name(DEPLOYMENT)
        except ObjectNotFound as missing:
            raise DeploymentMissing(url=url, name=DEPLOYMENT) from missing
        run = prefect.create_flow_run_from_deployment(deployment.id, parameters=parameters)
    return run.id, run.name
