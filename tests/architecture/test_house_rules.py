"""The rules no tool knows, each also shown a damaged sample."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.architecture import checks

ROOT = Path(__file__).resolve().parents[2]


def written(folder: Path, name: str, text: str) -> list[str]:
    """Write a file and return the list that holds it."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return [name]


def test_modules_are_of_a_readable_size() -> None:
    assert not list(checks.oversized(ROOT, checks.tracked(ROOT)))


def test_an_oversized_module_is_found(tmp_path: Path) -> None:
    long = written(tmp_path, "flows/release.py", "x = 1\n" * (checks.MODULE_LINES + 1))
    long += written(tmp_path, "tests/flows/test_release.py", "x = 1\n" * (checks.TEST_LINES + 1))
    just = written(tmp_path, "flows/exit.py", "x = 1\n" * checks.MODULE_LINES)
    just += written(tmp_path, "tests/flows/test_exit.py", "x = 1\n" * checks.TEST_LINES)
    assert [complaint.split(":")[0] for complaint in checks.oversized(tmp_path, long + just)] == long


def test_a_module_without_a_subject_is_found(tmp_path: Path) -> None:
    assert list(checks.oversized(tmp_path, written(tmp_path, "tasks/utils.py", "x = 1\n")))


def test_the_repository_names_no_package_server_and_no_machine() -> None:
    assert not list(checks.strays(ROOT, checks.tracked(ROOT)))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uv.lock", ""),
        ("demo/package-lock.json", "{}"),
        ("requirements/runtime.txt", "--extra" + "-index-url https://packages.example/simple\n"),
        ("requirements/runtime.txt", "--find" + "-links wheels\n"),
        ("docs/how-to.md", "see https://pypi" + ".org/project/prefect\n"),
        ("docs/how-to.md", "https://files.python" + "hosted.org/packages/x.whl\n"),
        ("bench/run.py", 'OUT = "/ro' + 'ot/out"\n'),
        ("bench/run.py", "# /wo" + "rk/main\n"),
        ("bench/run.py", 'open("/ho' + 'me/jan/figures")\n'),
    ],
)
def test_a_stray_is_found(tmp_path: Path, name: str, text: str) -> None:
    assert list(checks.strays(tmp_path, written(tmp_path, name, text)))


@pytest.mark.parametrize(
    "text", ["/flows/work/queue", "https://suite.example/work/orders", "a/home/x/", "/rooted/"]
)
def test_addresses_of_the_product_are_no_strays(tmp_path: Path, text: str) -> None:
    assert not list(checks.strays(tmp_path, written(tmp_path, "portal.py", text)))


def test_pictures_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "portal.png").write_bytes(b"\x89PNG\xff\xfe/ro" + b"ot/")
    assert not list(checks.strays(tmp_path, ["portal.png"]))
