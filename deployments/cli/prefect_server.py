"""Which Prefect server the commands speak to: the embedded system's own, else the one Prefect is set to."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from deployments.cli.errors import PrefectUnknown, PrefectUnreachable
from deployments.embedded import system

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect.client.orchestration import SyncPrefectClient


def enter() -> str:
    """Let this process speak to the server; its API's address. Called before Prefect is used.

    Raises:
        PrefectUnknown: no system runs here, and Prefect is not set to any server.
    """
    from tasks.installation import settings  # takes the records' libraries

    running = system.running(settings())
    if running is not None:
        running.enter()  # whatever the shell's Prefect is set to: it may be somebody's cloud
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    if not url:
        raise PrefectUnknown
    return str(url)


@contextmanager
def client(url: str) -> Iterator[SyncPrefectClient]:
    """A client of the server; `PrefectUnreachable` for whatever keeps it from answering."""
    import httpx
    from prefect.client.orchestration import get_client
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        with get_client(sync_client=True) as opened:
            yield opened
    except PrefectHTTPStatusError as refused:
        raise PrefectUnreachable(url=url, problem=_refusal(refused.response)) from refused
    except (httpx.HTTPError, RuntimeError) as away:
        raise PrefectUnreachable(
            url=url, problem=f"does not answer ({away or type(away).__name__})"
        ) from away


def _refusal(response: object) -> str:
    status = getattr(response, "status_code", "?")
    text = " ".join(str(getattr(response, "text", "")).split())
    return f"refuses with {status}: {text[:300]}"
