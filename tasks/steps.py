"""Steps as functions: every effect on the outside world declares how a doubtful attempt is settled.

    @step(doubt=repeat("a build is deterministic"), timeout=timedelta(minutes=30))
    def build_artefact(work: Work, *, revision: str) -> Artefact: ...

A flow makes the effect through its case: `case.do("build/1/artefact", build_artefact, revision=revision)`.
Inputs and outputs are plain data or pydantic models; the output is stored with the step.
"""

from __future__ import annotations

import hashlib
import inspect
import typing
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar

from pydantic import TypeAdapter

from nakoming.errors import NakomingError
from nakoming.records.steps import Doubt
from nakoming.records.types import canonical

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from nakoming.records.cases import Lease
    from nakoming.records.store import Records

P = ParamSpec("P")
R = TypeVar("R")


class StepUndeclared(NakomingError):
    """A step without a way to settle its doubt."""

    template = "Step '{step}' does not declare {missing}; allowed: repeat(…), key(…), ask(probe)."
    code = "NK5100"


class CleanFailure(NakomingError):
    """The effect certainly did not happen: the step may be tried again at once."""

    code = "NK5101"


@dataclass(frozen=True)
class Work:
    """What an effect may use: the records, its case, and the key that makes it once at its target."""

    records: Records
    lease: Lease
    name: str
    attempt: int

    @property
    def customer(self) -> str:
        """The customer of the case."""
        return self.lease.customer

    @property
    def key(self) -> str:
        """The idempotency key: the same in every attempt of this step, and of no other step."""
        return hashlib.sha256(f"{self.lease.case_id}|{self.name}".encode()).hexdigest()


@dataclass(frozen=True)
class Happened(Generic[R]):
    """The probe found that the effect took place; this is its output."""

    output: R


class DidNotHappen:
    """The probe found that the effect did not take place."""


class CannotTell:
    """The probe found neither: a person decides."""


@dataclass(frozen=True)
class Settling:
    """How a doubtful attempt is settled, and why that is right."""

    doubt: Doubt
    because: str
    probe: Callable[..., Happened[Any] | DidNotHappen | CannotTell] | None = None


def repeat(because: str) -> Settling:
    """Doing it again is harmless, and why."""
    return Settling(Doubt.REPEAT, because)


def key(because: str) -> Settling:
    """The target refuses a second one by `work.key`, and how."""
    return Settling(Doubt.KEY, because)


def ask(probe: Callable[..., Happened[Any] | DidNotHappen | CannotTell]) -> Settling:
    """`probe` (same arguments as the step) asks the target."""
    return Settling(Doubt.ASK, inspect.getdoc(probe) or "", probe)


class Step(Generic[P, R]):
    """An effect with its policy. Made by `step`; called by a case."""

    def __init__(
        self, effect: Callable[Concatenate[Work, P], R], settling: Settling, timeout: timedelta
    ) -> None:
        self.effect = effect
        self.settling = settling
        self.timeout = timeout
        self.title = effect.__name__.replace("_", " ")
        self.__doc__ = effect.__doc__
        self.__module__ = effect.__module__
        self.__name__ = effect.__name__
        self._adapter: TypeAdapter[R] | None = None

    @property
    def output(self) -> TypeAdapter[R]:
        """Writes and reads the stored output. Built at first use: annotations may name later types."""
        if self._adapter is None:
            self._adapter = TypeAdapter(_returned(self.effect))
        return self._adapter


def _returned(effect: Callable[..., Any]) -> Any:
    """The type an effect gives back; its inputs may name types that only a type checker imports."""
    named = SimpleNamespace(__annotations__={"return": effect.__annotations__["return"]})
    return typing.get_type_hints(named, globalns=effect.__globals__)["return"]


def step(
    *, doubt: Settling | None = None, timeout: timedelta | None = None
) -> Callable[[Callable[Concatenate[Work, P], R]], Step[P, R]]:
    """Declare an effect. `timeout` bounds it: after that it is certainly over (kept by the effect itself).

    Raises:
        StepUndeclared: at import, when the policy is missing.
    """

    def declare(effect: Callable[Concatenate[Work, P], R]) -> Step[P, R]:
        if doubt is None:
            raise StepUndeclared(step=effect.__name__, missing="how its doubt is settled")
        if timeout is None:
            raise StepUndeclared(step=effect.__name__, missing="its time-out")
        return Step(effect, doubt, timeout)

    return declare


def digest(value: Any) -> str:
    """The digest of plain data."""
    return hashlib.sha256(canonical(value)).hexdigest()


_PLAIN: TypeAdapter[Any] = TypeAdapter(Any)


def plain(value: Any) -> Any:
    """Plain data (what JSON can hold) of models, instants and the like."""
    return _PLAIN.dump_python(value, mode="json")
