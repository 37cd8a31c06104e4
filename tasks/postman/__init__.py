"""The postman: composes what lies in the outbox, sends it, and reads what the servers say about it.

Run by the supervisor as `python -m tasks.postman`; one at a time in the whole installation.
"""

from tasks.postman.composing import compose
from tasks.postman.delivering import Delivered, deliver_due
from tasks.postman.noticing import NoticesRead, read_notices
from tasks.postman.running import run_postman

__all__ = ["Delivered", "NoticesRead", "compose", "deliver_due", "read_notices", "run_postman"]
