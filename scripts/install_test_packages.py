"""Install what the tests need from Debian's packages (`requirements/debian.txt`), or say how.

As root on Debian what is missing is installed. Elsewhere the exact command is printed and the status is 0:
the tests that need a missing package then fail with the same sentence, so that nothing is skipped in silence.
"""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Sequence

from scripts.problems import AptError

LIST = Path(__file__).resolve().parent.parent / "requirements" / "debian.txt"


class Package(NamedTuple):
    """A Debian package, and the program (or file, a glob from the root) that shows it is there."""

    name: str
    shown_by: str

    def path(self) -> str | None:
        """Return where the program or file is; the newest version when there are several."""
        if self.shown_by.startswith("/"):
            return max(glob.glob(self.shown_by), key=_by_number, default=None)
        return shutil.which(self.shown_by)


def packages(listing: Path = LIST) -> list[Package]:
    """Read the list."""
    lines = [line.split("#")[0].split() for line in listing.read_text(encoding="utf-8").splitlines()]
    return [Package(words[0], words[1]) for words in lines if words]


def missing(listing: Path = LIST) -> list[str]:
    """Return the names of the packages whose program is not there."""
    return [package.name for package in packages(listing) if package.path() is None]


def command(names: Sequence[str]) -> str:
    """Return the command a person types."""
    return "apt-get update && apt-get install --yes --no-install-recommends " + " ".join(names)


def sentence(name: str) -> str:
    """Say what a test that lacks this package says."""
    return "This test needs Debian's package {}: as root, {}".format(name, command([name]))


def locate(name: str) -> str:
    """Return the path of the program that package brings.

    Raises:
        FileNotFoundError: it is not there; the message says which command installs it.
    """
    package = next(package for package in packages() if package.name == name)
    path = package.path()
    if path is None:
        raise FileNotFoundError(sentence(name))
    return path


def main() -> int:
    """Install what is missing, or print the command."""
    names = missing()
    if not names:
        return 0
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(
            "The tests need {} from Debian; as root: {}".format(", ".join(names), command(names)), flush=True
        )
        return 0
    print("Installing for the tests: {}".format(", ".join(names)), flush=True)
    try:
        _apt("update")
        _apt("install", "--yes", "--no-install-recommends", *names)
    except AptError as problem:
        # The tests that need them fail with the command; the others still have something to say.
        print("{} [{}]".format(problem, problem.code), file=sys.stderr)
    return 0


def _apt(*arguments: str) -> None:
    run = subprocess.run(
        ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300", *arguments],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if run.returncode:
        said = run.stdout.decode(errors="replace").strip().splitlines()
        detail = next(
            (line for line in reversed(said) if line.startswith("E:")), "exit {}".format(run.returncode)
        )
        raise AptError(detail=detail, command=command(missing()))


def _by_number(path: str) -> list[int]:
    return [int(part) for part in path.split("/") if part.isdigit()]


if __name__ == "__main__":
    sys.exit(main())
