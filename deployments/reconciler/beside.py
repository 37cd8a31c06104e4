"""The reconciler beside a worker: `NAKOMING_WARM_COMPANION=deployments.reconciler.beside.start`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deployments.reconciler.loop import start_in_thread
from nakoming.records import migrate
from nakoming.records.keys_check import require_keys
from nakoming.records.store import Records
from nakoming.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable


def start() -> Callable[[], None]:
    """Start the loop on this installation's records; what this returns ends it within a pass.

    Raises:
        RecordsTooNew: the records have another schema than this program knows.
        KeysElsewhere: the key folder is not that of the records.
    """
    records = Records.from_settings(Settings(), pooled=True)
    migrate.require_current(records)
    require_keys(records)
    end = start_in_thread(records)

    def stop() -> None:
        end()
        records.engine.dispose()

    return stop
