"""The supervisor as a program of its own: `python -m deployments.embedded` ends when its standard input does.

`nakoming demo` starts it so; a person starts `nakoming up`.
"""

from __future__ import annotations

import sys

from deployments.embedded.options import Options
from deployments.embedded.run import run
from nakoming.errors import NakomingError
from nakoming.settings import Settings


def main() -> int:
    """Run until the end of standard input, or a stop signal."""
    try:
        run(Settings(), Options.of(), on_ready=lambda _: None, say=_say, lifeline=True)
    except NakomingError as problem:
        _say(f"{problem} [{problem.code}]")
        return problem.exit_status
    return 0


def _say(sentence: str) -> None:
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
