"""Make the environment `.venv`: the pinned packages with their hashes, then the project itself.

`python -m scripts.setup_env --for runtime|demo|test|bench [--python PATH]`, called by the Makefile.
It does nothing (in about 0.1 s) when the files it depends on have not changed since it last ended well.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, Sequence

from scripts import pip_run, pythons
from scripts.problems import DiskFullError, SetUpError, VenvError

ROOT = Path(__file__).resolve().parent.parent
# What each purpose installs, in this order: the pip that build.txt pins then installs the rest.
PURPOSES = {
    "runtime": ("build", "runtime"),
    "demo": ("build", "runtime", "demo"),
    "test": ("build", "runtime", "demo", "test"),
    "bench": ("build", "runtime", "demo", "test", "bench"),
}
ROOM_MB = 2000
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Make or refresh the environment; every failure is one sentence on standard error."""
    parser = argparse.ArgumentParser(prog="setup_env", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--for", dest="purpose", choices=sorted(PURPOSES), default="runtime")
    parser.add_argument("--python", default="", help="the Python to make it with (else the first that fits)")
    options = parser.parse_args(arguments)
    try:
        with _alone(ROOT / "build"):
            ensure(ROOT, options.purpose, options.python)
    except SetUpError as problem:
        return _say("{} [{}]".format(problem, problem.code), problem.exit_status)
    except KeyboardInterrupt:
        return _say("Interrupted; `make env` goes on where it was.", INTERRUPTED)
    except OSError as problem:
        if problem.errno != errno.ENOSPC:
            raise
        full = _full(ROOT)
        return _say("{} [{}]".format(full, full.code), full.exit_status)
    return 0


def ensure(root: Path, purpose: str, asked: str = "") -> bool:
    """Bring `.venv` in line with the pins of that purpose; False when it was already.

    Raises:
        SetUpError: whatever stands in the way, as one sentence.
    """
    venv = root / ".venv"
    python = _existing(venv, asked)
    if python is not None and _stamp(venv, purpose) == digest(root, purpose, python):
        return False
    if shutil.disk_usage(str(root)).free < ROOM_MB * 1_000_000:
        raise _full(root)
    if python is None:
        python = _create(venv, pythons.find(asked))
    for name in PURPOSES[purpose]:
        pip_run.install(root, venv, name)
    pip_run.install_project(root, venv)
    pip_run.compile_all(root, venv)
    for done, names in PURPOSES.items():
        if set(names) <= set(PURPOSES[purpose]):
            _stamp_file(venv, done).write_text(digest(root, done, python), encoding="utf-8")
    return True


def digest(root: Path, purpose: str, python: pythons.Python) -> str:
    """What the environment depends on: the pins, the project's own description, the Python, and the place."""
    total = hashlib.sha256("{} {}".format(python.name, root).encode())
    for path in [root / "requirements" / (name + ".txt") for name in PURPOSES[purpose]] + [
        root / "pyproject.toml"
    ]:
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _existing(venv: Path, asked: str) -> pythons.Python | None:
    """Return the environment's Python, None when there is none, it is broken, or another was asked for."""
    python = pythons.probe(str(venv / "bin" / "python")) if venv.exists() else None
    if python is None or not python.fits:
        return None
    if asked and pythons.find(asked).version != python.version:
        return None
    return python


def _create(venv: Path, python: pythons.Python) -> pythons.Python:
    print("Making .venv with {} ({})".format(python.name, python.path), flush=True)
    shutil.rmtree(str(venv), ignore_errors=True)
    run = subprocess.run(
        [python.path, "-I", "-m", "venv", str(venv)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=pip_run.clean_environment(),
        check=False,
    )
    made = pythons.probe(str(venv / "bin" / "python"))
    if run.returncode or made is None:
        last = run.stdout.decode(errors="replace").strip().splitlines()[-1:]
        raise VenvError(python=python.path, path=venv, detail=last[0] if last else "no reason given")
    return made


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one `make` at a time change the environment; a second one waits and then finds it made."""
    folder.mkdir(exist_ok=True)
    with (folder / "environment.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _stamp_file(venv: Path, purpose: str) -> Path:
    return venv / "nakoming-{}.stamp".format(purpose)


def _stamp(venv: Path, purpose: str) -> str:
    path = _stamp_file(venv, purpose)
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _full(root: Path) -> DiskFullError:
    free: int = shutil.disk_usage(str(root)).free // 1_000_000
    return DiskFullError(path=root, free_mb=free, needed_mb=ROOM_MB)


def _say(sentence: str, status: int) -> int:
    sys.stdout.flush()
    print(sentence, file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
