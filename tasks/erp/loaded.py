"""What became of a batch, in rows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """Counts of rows; they add up over batches. `unchanged` were there already, just as they came."""

    staged: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    quarantined: int = 0
    overruled: int = 0

    def __add__(self, other: Loaded) -> Loaded:
        """Both together."""
        return Loaded(**{name: getattr(self, name) + getattr(other, name) for name in vars(self)})
