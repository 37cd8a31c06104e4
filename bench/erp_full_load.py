"""How fast, and in how much memory, is a large table brought in from the ERP?

PostgreSQL to PostgreSQL, twelve mixed columns, through the engine: contract, quarantine, ledger, watermark;
and through the flow `erp-sync`, with lease, outbox, pages about bad rows and the evidence of its case.
Peers: `psql COPY | psql COPY` in binary, which checks nothing, and dlt with pyarrow and upsert.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from bench import erp_flow, erp_rig
from bench.figures import Figure, machine, median

if TYPE_CHECKING:
    from tests.harness.postgres import PostgresServer

_TIMES = 3
_SMALL = 100_000
_RAW_RATIO = 3.5
_DLT_RATIO = 0.25
_MEBIBYTES = 300


def run(count: int = 1_000_000, *, peers: bool = True) -> list[Figure]:
    """Load `count` rows, ours and psql's in turn, dlt's once; and fewer: memory must not grow with rows."""
    at_start = machine()
    with erp_rig.durable_postgres() as server:
        ours, raw, theirs, flow = _timed(server, count, peers=peers)
        small = _small(server, min(count, _SMALL))
    seconds = median([each["seconds"] for each in ours])
    shared: dict[str, Any] = {"unit": "s", "judged": "ratio", "machine": at_start}
    time_of = "erp-full-load/time"
    figures = [
        Figure(
            name=time_of, value=seconds, peer="psql COPY", peer_value=median(raw), limit=_RAW_RATIO, **shared
        ),
        Figure(
            name="erp-full-load/flow",
            value=flow["seconds"],
            peer="psql COPY",
            peer_value=median(raw),
            limit=_RAW_RATIO,
            **shared,
        ),
        _memory(f"{count:_}", max(each["mebibytes"] for each in ours), at_start, theirs),
        _memory(f"{min(count, _SMALL):_}, small", small, at_start, None),
    ]
    if theirs is not None:
        peer = {"peer": "dlt pyarrow upsert", "peer_value": theirs["seconds"], "limit": _DLT_RATIO}
        figures.append(Figure(name=f"{time_of}-beside-dlt", value=seconds, **peer, **shared))
    return figures


def _timed(
    server: PostgresServer, count: int, *, peers: bool
) -> tuple[list[dict[str, Any]], list[float], dict[str, Any] | None, dict[str, Any]]:
    ours, raw = [], []
    with erp_rig.ends(server, count) as both:
        for _ in range(_TIMES):
            raw.append(erp_rig.raw_copy(both))
            erp_rig.empty(both)
            ours.append(erp_rig.apart(__name__, "own", both))
            _check(both, count)
            erp_rig.empty(both)
        flow = erp_rig.apart(__name__, "flow", both)
        _check(both, count)
        erp_rig.empty(both)
        theirs = erp_rig.apart(__name__, "dlt", both) if peers else None
        if theirs is not None:
            found = erp_rig.counted(both.url(both.suite), "peer.bench_source")
            assert found == count, f"dlt loaded {found} rows of {count}"
    return ours, raw, theirs, flow


def _small(server: PostgresServer, count: int) -> float:
    with erp_rig.ends(server, count) as both:
        return float(erp_rig.apart(__name__, "own", both)["mebibytes"])


def _memory(rows: str, value: float, at_start: dict[str, Any], theirs: dict[str, Any] | None) -> Figure:
    peer = {} if theirs is None else {"peer": "dlt", "peer_value": theirs["mebibytes"]}
    name = f"erp-full-load/memory ({rows} rows)"
    return Figure(name=name, value=value, unit="MiB", limit=_MEBIBYTES, machine=at_start, **peer)


def _check(both: erp_rig.Ends, count: int) -> None:
    bad, suite = count // erp_rig.BAD_EVERY, both.url(both.suite)
    wanted = {"bench_target": count - bad, "erp_sync_transactions": count - bad, "erp_sync_quarantine": bad}
    for table, rows in wanted.items():
        found = erp_rig.counted(suite, table)
        assert found == rows, f"{table} holds {found} rows, not {rows}"


def _main() -> None:
    who, erp, suite, folder = sys.argv[1:]
    if who == "flow":
        with erp_flow.warm(erp, suite, folder) as flow:
            print(json.dumps({"seconds": flow("full"), "mebibytes": erp_rig.peak()}))
        return
    if who == "own":
        interface = erp_rig.bench_interface()
        begun = time.monotonic()
        erp_rig.fetched(erp, suite, interface)
    else:
        load = erp_rig.dlt_load(erp, suite, folder)
        begun = time.monotonic()
        load()
    print(json.dumps({"seconds": time.monotonic() - begun, "mebibytes": erp_rig.peak()}))


if __name__ == "__main__":
    _main()
