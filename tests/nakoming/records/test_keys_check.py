"""A key folder that is not the records' own is refused before it makes new keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nakoming.records.keys_check import KeysElsewhere, require_keys
from nakoming.records.store import Records
from tests.harness.installation import installed

if TYPE_CHECKING:
    from pathlib import Path


def test_the_own_folder_is_taken_and_another_refused(
    tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as records:
        require_keys(records)
        elsewhere = Records(sqlite_url, keys=tmp_path / "empty", documents=tmp_path / "documents")
        with pytest.raises(KeysElsewhere) as refused:
            require_keys(elsewhere)
        elsewhere.engine.dispose()
    assert str(refused.value) == (
        f"The key folder {tmp_path / 'empty'} holds no key of brouwer, fenwick, kestrel, vendor, of whom the "
        "records hold evidence; name the right folder in NAKOMING_KEYS, or put the keys back from their copy."
    )


def test_a_destroyed_key_is_known(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with installed(tmp_path / "home", sqlite_url, monkeypatch) as records:
        records.keys.destroy("kestrel")
        require_keys(records)
