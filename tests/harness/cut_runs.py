"""Runs that end after each step that is new to them: what is left must go on as if nothing had happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.case_run import CaseRun

if TYPE_CHECKING:
    from tests.harness.installation import Walker


class CutError(BaseException):
    """The run ends here; nothing after this line of it is executed."""


class CutRun(CaseRun):
    """Ends after the first step that it makes itself."""

    def record(self, name: str, *args: Any, **inputs: Any) -> Any:
        """Record, then end."""
        known = name in self.finished
        output = super().record(name, *args, **inputs)
        if not known:
            raise CutError(name)
        return output

    def _made(self, name: str, *args: Any, **inputs: Any) -> Any:
        known = name in self.finished
        output = super()._made(name, *args, **inputs)
        if not known:
            raise CutError(name)
        return output


def enter_in_pieces(walker: Walker, most: int = 500) -> str | None:
    """Enter as often as it takes, one new step at a time; what the last, whole run gave."""
    walker.run = CutRun
    for _ in range(most):
        try:
            return walker.enter()
        except CutError:
            continue
    msg = "the walk does not come to an end"
    raise AssertionError(msg)
