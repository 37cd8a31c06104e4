"""Starts flows as an operator does: a run of a deployment, with the form filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from demo.play.errors import PrefectRefusedError

if TYPE_CHECKING:
    from demo.play.web import Browser

STREET = "rfc-street/rfc-street"
EXCHANGE = "erp-sync/erp-sync"
ENDED = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


class Operator:
    """Somebody at the Prefect UI."""

    def __init__(self, browser: Browser, prefect_url: str) -> None:
        self._browser = browser
        self._url = prefect_url.rstrip("/")

    def start(self, deployment: str, parameters: dict[str, Any], key: str) -> str:
        """Start a run and return its id; the same key again gives the same run.

        Raises:
            PrefectRefusedError: there is no such deployment, or it does not take the parameters.
        """
        found = self._browser.get(f"{self._url}/api/deployments/name/{deployment}")
        self._check(found, deployment)
        asked = {"parameters": parameters, "idempotency_key": key}
        address = f"{self._url}/api/deployments/{found.json()['id']}/create_flow_run"
        started = self._browser.post(address, json=asked)
        self._check(started, deployment)
        return str(started.json()["id"])

    def has_ended(self, run: str) -> bool:
        """Whether a run will do nothing any more."""
        answer = self._browser.get(f"{self._url}/api/flow_runs/{run}")
        if answer.status_code != httpx.codes.OK:
            return True  # somebody deleted it
        return (answer.json().get("state") or {}).get("type") in ENDED

    def address(self, run: str) -> str:
        """Where the Prefect UI shows a run."""
        return f"{self._url}/runs/flow-run/{run}"

    def _check(self, answer: httpx.Response, deployment: str) -> None:
        if answer.is_success:
            return
        reason = f"status {answer.status_code}: {answer.text[:300]}"
        raise PrefectRefusedError(url=self._url, deployment=deployment, reason=reason)
