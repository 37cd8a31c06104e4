"""The reconciler as a service: a loop in the supervisor and in each worker, of which one works at a time."""

from deployments.reconciler.loop import run_reconciler, start_in_thread
from tasks.waking.reconciler import Reconciler, Report, reconcile_once

__all__ = ["Reconciler", "Report", "reconcile_once", "run_reconciler", "start_in_thread"]
