"""Names every commit of a process, and the instants around its effects; the product knows nothing of it.

`watch` is called in a child process before it works. From then on each transaction that writes has a name
made of what was done in it (a step's intent, a gate opened, a mail claimed, …); one in which nothing known
was done is named after the function that wrote, so that no commit passes unseen.
"""

from __future__ import annotations

import functools
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from blocks import command
from blocks.mail_server import MailServer
from nakoming.records import cases, outbox, resource_leases, schema, steps, wake_ups
from nakoming.records import gates as gates_module
from nakoming.records.store import Records, Tx
from tasks.postman import delivering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BEFORE, AFTER, DURING = "before", "after", "during"


class Boundary(NamedTuple):
    """An instant at which a process can die: what kind of thing it is about, and which one."""

    kind: str
    name: str


class Watcher(Protocol):
    """Is told of each boundary just before and just after it."""

    def at(self, boundary: Boundary, phase: str) -> None:
        """A boundary is reached; the watcher may end the process here."""


INTENT, OUTCOME, RECORDED, FAILED = "step intent", "step outcome", "step recorded", "step failed"
SETTLED, OPENED, TAKEN = "step taken up again", "gate opened", "answer taken"
LEASED, WAITS, CLOSED = "lease taken", "case waits", "case closed"
SHARED, FREED = "shared thing leased", "shared thing freed"
CLAIMED, NOTED, VOIDED, HEAD, NOTICE = (
    "mail claimed",
    "mail noted",
    "mail void",
    "head noted",
    "notice read",
)
ACTED, OTHER = "wake-up acted on", "other"
COMMAND, SERVER = "command of the vendor", "mail taken by the server"

_WHOLE = (OPENED, TAKEN)  # said of a recorded step in which that happened
_TIMED = Boundary("timed", "")  # heartbeats: when they come is chance, so they are no boundary


# After the 250 a notice may tell of a mail whose sender died; then nobody notes it: all mails count as one.
_ANY_MAIL = "a mail"


class _Names:
    """What the process is at, for the boundaries that lie outside a transaction."""

    step = "none"
    mail = "none"


def watch(watcher: Watcher) -> None:
    """Let this process tell `watcher` of each of its boundaries, from now to its end."""
    _watch_commits(watcher)
    for module, name, describe in _DESCRIBED:
        setattr(module, name, _describing(getattr(module, name), describe))
    _watch_commands(watcher)
    _watch_server(watcher)


def _watch_commits(watcher: Watcher) -> None:
    original = Records.write

    @contextmanager
    def write(self: Records) -> Iterator[Tx]:
        with original(self) as tx:
            labels: list[Boundary | None] = []
            tx.__dict__["labels"] = labels
            yield tx
            boundary = _boundary(labels) if labels else Boundary(OTHER, _writer())
            if boundary is not None:
                watcher.at(boundary, BEFORE)
                # First of all that is done after the commit: nothing else has happened then.
                tx.after_commit.insert(0, functools.partial(watcher.at, boundary, AFTER))

    Records.write = write  # type: ignore[method-assign]  # watched, not changed


def _boundary(labels: list[Boundary | None]) -> Boundary | None:
    named = [label for label in labels if label is not None and label != _TIMED]
    if not named:
        return None
    last = named[-1]
    special = next((label.kind for label in named if label.kind in _WHOLE), None)
    return Boundary(special, last.name) if special and last.kind == RECORDED else last


def _writer() -> str:
    """The function that opened the transaction, from outside of the machinery of contexts."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals["__name__"] in {__name__, "contextlib"}:
        frame = frame.f_back
    return f"{frame.f_globals['__name__']}.{frame.f_code.co_name}"


def _describing(original: Callable[..., Any], describe: Any) -> Callable[..., Any]:
    @functools.wraps(original)
    def described(tx: Tx, *args: Any, **kwargs: Any) -> Any:
        labels = tx.__dict__.get("labels")
        if labels is None:  # a transaction that reads
            return original(tx, *args, **kwargs)
        del tx.__dict__["labels"]  # what this function calls is a part of it
        try:
            result = original(tx, *args, **kwargs)
            labels.append(describe(tx, args, result))
        finally:
            tx.__dict__["labels"] = labels
        return result

    return described


def _begun(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary | None:
    del tx
    name = args[1]
    if isinstance(result, steps.Done):
        return None
    doubtful = isinstance(result, steps.InDoubt)
    _Names.step = f"{name}/probe" if doubtful else name
    return Boundary(SETTLED, f"{name}/seen") if doubtful else Boundary(INTENT, name)


def _named(kind: str) -> Any:
    def describe(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary:
        del tx, result
        return Boundary(kind, args[1])

    return describe


def _repeated(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary:
    del tx, result
    _Names.step = args[1]
    return Boundary(SETTLED, args[1])


def _leased(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary:
    del args
    return Boundary(LEASED, cases.get(tx, result.case_id).stage or "start")


def _waits(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary:
    del tx, result
    names = [str(wait["name"] if "name" in wait else wait.get("what", "gate")) for wait in args[1]]
    return Boundary(WAITS, " and ".join(names))


def _closed(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary:
    del tx, result
    return Boundary(CLOSED, str(args[1]))


def _opened(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary:
    del tx, result
    return Boundary(OPENED, args[1].name)


def _settled(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary | None:
    del tx
    return None if result is None else Boundary(TAKEN, args[1])


def _shared(kind: str) -> Any:
    def describe(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary:
        del tx, result
        resource = args[0] if isinstance(args[0], str) else args[0].resource
        return Boundary(kind, f"{resource} for {_Names.step}" if _Names.step != "none" else resource)

    return describe


def _claimed(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary | None:
    del tx, args
    if not result:
        return None
    _Names.mail = result[0].kind
    return Boundary(CLAIMED, result[0].kind)


def _of_mail(kind: str) -> Any:
    def describe(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary:
        del tx, args, result
        return Boundary(kind, _Names.mail)

    return describe


def _noted(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary:
    del tx, args, result
    return Boundary(NOTED, _ANY_MAIL)


def _arrived(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary | None:
    del tx, args
    return None if result is None else Boundary(NOTICE, result.kind)


def _acted(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary | None:
    if not result:
        return None
    w = schema.wake_ups.c
    row = tx.connection.execute(schema.wake_ups.select().where(w.id == args[0])).one()
    return Boundary(ACTED, f"{row.kind} {row.name}")


def _timed(tx: Tx, args: tuple[Any, ...], result: Any) -> Boundary:
    del tx, args, result
    return _TIMED


_DESCRIBED: tuple[tuple[Any, str, Any], ...] = (
    (steps, "begin", _begun),
    (steps, "repeat", _repeated),
    (steps, "finish", _named(OUTCOME)),
    (steps, "record", _named(RECORDED)),
    (steps, "fail", _named(FAILED)),
    (steps, "leave_in_doubt", _named(FAILED)),
    (gates_module, "open_gate", _opened),
    (gates_module, "settle", _settled),
    (cases, "acquire", _leased),
    (cases, "wait", _waits),
    (cases, "close", _closed),
    (cases, "heartbeat", _timed),
    (resource_leases, "take", _shared(SHARED)),
    (resource_leases, "extend", _timed),
    (resource_leases, "release", _shared(FREED)),
    (outbox, "claim", _claimed),
    (outbox, "renew", _timed),
    (outbox, "sent", _noted),
    (outbox, "void", _of_mail(VOIDED)),
    (outbox, "arrived", _arrived),
    (delivering, "note_head_sent", _of_mail(HEAD)),
    (wake_ups, "done", _acted),
)


def _watch_commands(watcher: Watcher) -> None:
    """The vendor's command runs: its launcher has its order."""
    original = command._give_order

    def give_order(*args: Any) -> None:
        original(*args)
        watcher.at(Boundary(COMMAND, _Names.step), DURING)

    command._give_order = give_order  # type: ignore[assignment]  # the same arguments, passed on


def _watch_server(watcher: Watcher) -> None:
    """The one window of a mail: the server said 250, and nobody has noted it."""
    original = MailServer.send

    def send(self: MailServer, *args: Any) -> Any:
        grade = original(self, *args)
        watcher.at(Boundary(SERVER, _ANY_MAIL), AFTER)
        return grade

    MailServer.send = send  # type: ignore[method-assign,assignment]  # the same arguments, passed on
