"""What keeps a case from being woken."""

from __future__ import annotations

from nakoming.errors import NakomingError


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
