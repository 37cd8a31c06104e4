"""The end of an output, as it is kept with a step."""

from __future__ import annotations

import pytest

from blocks.kept_output import last_part


@pytest.mark.parametrize(
    ("output", "kept"),
    [("", ""), ("short", "short"), ("123456", "123456"), ("00123456", "123456"), ("éééé1", "éé1")],
)
def test_at_most_so_many_bytes_are_kept_and_no_half_sign(output: str, kept: str) -> None:
    assert last_part(output, limit=6) == kept


def test_a_step_keeps_the_last_64_kib() -> None:
    assert last_part("x" * 70_000 + "end") == "x" * (64 * 1024 - 3) + "end"
