"""The signal with which a flow says that nothing can be done now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nakoming.records.gate_model import Gate


class CaseWaits(BaseException):
    """The case waits for what stands in `waits_for`; its run lets go of it and is suspended."""

    def __init__(self, waits_for: list[dict[str, Any]]) -> None:
        super().__init__(f"waits for {len(waits_for)} thing(s)")
        self.waits_for = waits_for


def waiting_for(gate: Gate) -> dict[str, Any]:
    """What a case waits for, as it stands in its row: the gate, and the state in which it was seen."""
    return {
        "gate": gate.id,
        "seen": str(gate.state),
        "what": gate.name,
        "until": gate.due_by.isoformat() if gate.due_by else None,
    }
