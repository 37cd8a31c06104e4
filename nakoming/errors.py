"""The base of every error a person may see: one class, a code, an exit status.

The class docstring is not shown; `template` is the sentence, filled with the data the error carries, so that
a caller reads fields and never parses text.
"""

from __future__ import annotations

from typing import Any, ClassVar


class NakomingError(Exception):
    """Something a person can put right, said in one sentence: what is wrong, where, what is allowed.

    Subclasses set `template` (filled with the keyword arguments), `code` (stable, `NK` and four digits) and
    `exit_status` (of the `nakoming` command). The keyword arguments stay readable as attributes of `data`.
    """

    template: ClassVar[str] = "{reason}"
    code: ClassVar[str] = "NK0001"
    exit_status: ClassVar[int] = 1

    def __init__(self, **data: Any) -> None:
        self.data = data
        super().__init__(self.template.format(**data))

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive a pickle between processes with the data whole."""
        return _rebuild, (type(self), self.data)


def _rebuild(kind: type[NakomingError], data: dict[str, Any]) -> NakomingError:
    return kind(**data)


class UsageError(NakomingError):
    """A command or form was filled in wrongly."""

    code = "NK0002"
    exit_status = 2
