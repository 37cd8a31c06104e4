"""The reconciler's process: `python -m deployments.embedded.reconciler`, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from deployments.reconciler import run_reconciler
from nakoming.errors import NakomingError
from nakoming.records import migrate
from nakoming.records.store import Records
from nakoming.settings import Settings


async def reconcile(settings: Settings) -> None:
    """Make passes until a signal says to stop.

    Raises:
        RecordsTooNew: the records have another schema than this program knows.
    """
    records = Records.from_settings(settings, pooled=True)
    migrate.require_current(records)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run_reconciler(records, stop)


def main() -> int:
    """Reconcile; one sentence on standard error when that cannot be."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("httpx", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        asyncio.run(reconcile(Settings()))
    except NakomingError as problem:
        sys.stderr.write(f"{problem} [{problem.code}]\n")
        return problem.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
