"""The reconciler's process: `python -m deployments.reconciler`, until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING

from deployments.reconciler.loop import EVERY_SECONDS, run_reconciler
from deployments.records_trouble import explained
from nakoming.errors import NakomingError
from nakoming.records import migrate
from nakoming.records.keys_check import require_keys
from nakoming.records.store import Records
from tasks.installation import settings as found

if TYPE_CHECKING:
    from nakoming.settings import Settings

_log = logging.getLogger("nakoming.reconciler")


async def reconcile(settings: Settings) -> None:
    """Make passes until a signal says to stop.

    Raises:
        RecordsTooNew: the records have another schema than this program knows.
        KeysElsewhere: the key folder is not that of the records.
    """
    records = Records.from_settings(settings, pooled=True)
    migrate.require_current(records)
    require_keys(records)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    _log.info("The reconciler makes a pass every %d seconds, while no other one does.", EVERY_SECONDS)
    try:
        await run_reconciler(records, stop)
    finally:
        records.engine.dispose()


def main() -> int:
    """Reconcile; one sentence on standard error when that cannot be."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("httpx", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        asyncio.run(reconcile(found()))
    except NakomingError as problem:
        return _said(problem)
    except Exception as problem:
        known = explained(problem)
        if known is None:
            raise
        return _said(known)
    return 0


def _said(problem: NakomingError) -> int:
    sys.stderr.write(f"{problem} [{problem.code}]\n")
    return problem.exit_status


if __name__ == "__main__":
    sys.exit(main())
