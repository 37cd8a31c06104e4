"""Compile `requirements/*.in` into the pinned files with hashes, for all supported Pythons at once.

`python -m scripts.compile_requirements [uv]`. The files name no package server:
whoever installs uses their own.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Sequence

from scripts.problems import InstallError, NoCompilerError

FOLDER = Path(__file__).resolve().parent.parent / "requirements"
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-header",
    "--quiet",
)
# Runtime first: the tests' pins are held to its versions.
NAMES = ("build", "runtime", "demo", "test", "bench")


def compile_one(uv: str, name: str) -> None:
    """Write `<name>.txt`; pins that still fit are kept.

    Raises:
        InstallError: uv found no set of versions.
    """
    run = subprocess.run(
        [uv, "pip", "compile", *OPTIONS, name + ".in", "-o", name + ".txt"],
        cwd=str(FOLDER),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if run.returncode:
        said = " ".join(run.stderr.decode(errors="replace").split())
        raise InstallError(files=name + ".in", detail=said[:400], log="the lines above")


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> int:
    """Compile all three."""
    try:
        uv = _compiler(arguments[0] if arguments and arguments[0] else "uv")
        for name in NAMES:
            compile_one(uv, name)
            print("requirements/{}.txt".format(name), flush=True)
    except (InstallError, NoCompilerError) as problem:
        print("{} [{}]".format(problem, problem.code), file=sys.stderr)
        return problem.exit_status
    return 0


def _compiler(asked: str) -> str:
    uv = shutil.which(asked)
    if uv is None:
        raise NoCompilerError
    return uv


if __name__ == "__main__":
    sys.exit(main())
