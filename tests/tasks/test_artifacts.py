"""What operators see in the Prefect UI: the state of a case, and all that waits."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows.rfc_street import PROCESS
from tasks import artifacts
from tests.harness.installation import Walker, installed
from tests.harness.street import GIVEN

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.harness.prefect_server import PrefectServer


def table(key: str) -> list[dict[str, Any]]:
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=ArtifactFilter(key=ArtifactFilterKey(any_=[key])))
    assert found, f"there is no artifact {key}"
    newest = max(found, key=lambda artifact: str(artifact.created))
    rows: list[dict[str, Any]] = json.loads(str(newest.data))
    return rows


def test_operators_see_what_waits_and_how_a_case_stands(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, prefect_api: PrefectServer
) -> None:
    del prefect_api
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as records:
        walker = Walker(records, PROCESS, "brouwer", GIVEN["reference"], GIVEN)
        walker.enter()
        artifacts.publish_case(records, walker.case.id)
        artifacts.publish_open_gates(records)
        (waiting,) = table(artifacts.OPEN_GATES)
        assert waiting["case"] == "rfc/brouwer/2026-014"
        assert "Ines Verhoeven" in waiting["for whom"]
        assert waiting["until"] != "–"
        rows = table(artifacts.artifact_key(walker.case.key))
        assert any(row["what"] == "waits" and "Ines Verhoeven" in row["how"] for row in rows)
