"""What keeps a case from being woken."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Iterator


class PrefectAway(NakomingError):
    """The Prefect server does not answer; the wish to run stands in the records."""

    template = "The Prefect server at {url} does not answer ({reason}); what waits for it is tried again."
    code = "NK7050"


class PrefectUnnamed(PrefectAway):
    """This process was not told where the Prefect server is."""

    template = "No Prefect server is named: set PREFECT_API_URL; what waits for it is tried again."
    code = "NK7054"


class PrefectRefused(NakomingError):
    """The Prefect server answered, and said no."""

    template = "The Prefect server refused {what} with status {status}: {reason}"
    code = "NK7051"


class NoDeployment(NakomingError):
    """Nothing in Prefect runs this process."""

    template = (
        "Case {key} needs a run and no deployment has the tag '{tag}'; "
        "deploy the flow of this process with it."
    )
    code = "NK7052"


class ManyDeadRuns(NakomingError):
    """One run after the other died before it took the case up."""

    template = (
        "{count} runs for case {key} ended before they took it up; look at run {run}, then start it again."
    )
    code = "NK7053"


@contextmanager
def away_is_said() -> Iterator[None]:
    """Turn a failed connection to Prefect into what the reconciler says once, whatever it was asking.

    Within it Prefect's client asks once: by itself it goes on for a minute, in which nobody else is woken.

    Raises:
        PrefectAway: the server does not answer.
    """
    try:
        with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}):
            yield
    except httpx.TransportError as error:
        raise PrefectAway(url=str(PREFECT_API_URL.value()), reason=type(error).__name__) from error
