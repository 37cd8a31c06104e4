"""The parts of the warm worker that need no server."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import prefect.client.orchestration
import prefect.flow_engine
import prefect.results
import pytest

from deployments.warm import after_exit, lean, preload
from deployments.warm.errors import CodePlaceError, HookNameError
from deployments.warm.job import Place, place_of
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Callable

SET_DIRECTORY = "prefect.deployments.steps.set_working_directory"


def deployment(**facts: Any) -> Any:
    """What of a deployment says where its code is."""
    nothing = {
        "name": "d",
        "entrypoint": "a.py:f",
        "path": None,
        "pull_steps": None,
        "storage_document_id": None,
    }
    return SimpleNamespace(**nothing | facts)


def test_code_in_a_directory_is_used_where_it_is(tmp_path: Path) -> None:
    there = Place(str(tmp_path), "a.py:f")
    assert place_of(deployment(path=str(tmp_path))) == there
    assert place_of(deployment(pull_steps=[{SET_DIRECTORY: {"directory": str(tmp_path)}}])) == there
    assert place_of(deployment(entrypoint="p.m.f")) == Place(str(Path.cwd()), "p.m.f")


@pytest.mark.parametrize(
    "facts",
    [
        {"pull_steps": [{"prefect.deployments.steps.git_clone": {"repository": "x"}}]},
        {"pull_steps": [{SET_DIRECTORY: {"directory": "{{ clone.directory }}"}}]},
        {"storage_document_id": "b0"},
    ],
)
def test_other_code_is_left_to_prefect(facts: dict[str, Any]) -> None:
    assert place_of(deployment(**facts)) == Place(None, None)


def test_a_deployment_without_entrypoint_is_refused() -> None:
    with pytest.raises(CodePlaceError, match=r"Deployment d cannot run .*: it has no entrypoint; allowed is"):
        place_of(deployment(entrypoint=None))


@pytest.mark.parametrize("name", ["", "nodots", "no.such.module", "os.no_such", "os.sep"])
def test_a_hook_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(HookNameError, match=r"NAKOMING_WARM_AFTER_EXIT is '.*', which cannot be imported"):
        after_exit.named(name)


def test_a_hook_is_found_by_its_name() -> None:
    assert after_exit.named("os.path.exists").__name__ == "exists"


@pytest.mark.parametrize(
    ("original", "ours"),
    [
        (prefect.flow_engine.observe_flow_run_suspension, lean.observe_flow_run_suspension),  # type: ignore[attr-defined]
        (prefect.flow_engine._send_heartbeats, lean.send_heartbeats),
    ],
)
def test_what_stands_in_for_prefects_parts_takes_the_same(
    original: Callable[..., Any], ours: Callable[..., Any]
) -> None:
    assert list(inspect.signature(original).parameters) == list(inspect.signature(ours).parameters)
    assert inspect.isfunction(prefect.results._read_server_default_result_storage_block_id)
    assert inspect.ismodule(prefect.client.orchestration.ssl)  # type: ignore[attr-defined]


def test_a_preloaded_interpreter_has_one_thread_no_socket_and_nothing_left_to_import(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("from prefect import flow\n@flow\ndef f() -> None: ...\n")
    (tmp_path / "bad.py").write_text("import no_such_module\n")
    code = """
import json, os, sys
from deployments.warm import preload
report = preload.load(["good.py:f", "bad.py:f"])
from prefect.client.schemas.objects import FlowRun
open_files = [f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd")]
report["sockets"] = [name for name in open_files if os.path.lexists(name) and "socket" in os.readlink(name)]
report["tasks"] = len(os.listdir("/proc/self/task"))
report["models"] = [model.__name__ for model in (FlowRun,) if not model.__pydantic_complete__]
print(json.dumps(report))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        cwd=tmp_path,
        env=os.environ
        | {"PYTHONPATH": str(Path(__file__).parents[3]), "PREFECT_API_URL": "http://127.0.0.1:9/api"},
    )
    report = json.loads(done.stdout)
    assert (report["threads"], report["tasks"], report["sockets"], report["models"]) == (1, 1, [], [])
    assert (report["loaded"], list(report["failed"])) == (["good.py:f"], ["bad.py:f"])
    assert "no_such_module" in report["failed"]["bad.py:f"]
    assert str(tmp_path / "good.py") in report["files"]
    assert not [path for path in report["files"] if "site-packages" in path]


def test_a_changed_or_removed_file_has_another_stamp(tmp_path: Path) -> None:
    path = tmp_path / "flow.py"
    path.write_text("one")
    first = preload.stamps([str(path)])
    assert preload.stamps([str(path)]) == first
    path.write_text("three")
    assert preload.stamps([str(path)]) != first
    path.unlink()
    assert preload.stamps([str(path)]) == {str(path): [0, 0]}


def test_error_codes_are_ours_and_differ() -> None:
    from deployments.warm import errors

    codes = [
        kind.code
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, NakomingError) and kind is not NakomingError
    ]
    assert len(set(codes)) == len(codes)
    assert all("NK7000" <= code <= "NK7049" for code in codes)
