"""How soon is what changed at the ERP in the Suite?

Twice, in warm processes, after a full load: the flow `erp-sync` from its first line until its case is closed,
with all that an exchange does and proves besides; and the fetch alone, to the commit of 10,000 changed rows.
Peer of both: dlt with pyarrow and upsert, by the same row version, in a warm process too.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from bench import erp_flow, erp_rig
from bench.figures import Figure, machine, median

if TYPE_CHECKING:
    from collections.abc import Callable

_TIMES = 5
_ROWS = 100_000
_LIMIT_SECONDS = 0.5
_CHANGE = """
UPDATE bench_source SET row_version = {version} + substr(order_no, 5)::bigint, quantity = quantity % 900 + 2
WHERE order_no IN (
    SELECT order_no FROM bench_source WHERE quantity > 0 ORDER BY md5(order_no || {version}) LIMIT {count}
)
"""


def run(count: int = 10_000, *, peers: bool = True) -> list[Figure]:
    """Change `count` rows of a table ten times as large, five times, and bring them in; the median counts."""
    at_start = machine()
    with erp_rig.durable_postgres() as server, erp_rig.ends(server, _rows(count)) as both:
        flow = erp_rig.apart(__name__, f"flow:{count}", both)
        fetch = erp_rig.apart(__name__, f"own:{count}", both)
        theirs = erp_rig.apart(__name__, f"dlt:{count}", both) if peers else None
    return [
        Figure(
            name=f"erp-incremental/{name}",
            value=median(ours["seconds"]),
            unit="s",
            peer="dlt pyarrow upsert" if theirs else None,
            peer_value=median(theirs["seconds"]) if theirs else None,
            limit=_LIMIT_SECONDS,
            machine=at_start,
        )
        for name, ours in (("flow", flow), ("fetch", fetch))
    ]


def _rows(count: int) -> int:
    return count * (_ROWS // 10_000)


def _own(erp: str, suite: str) -> Callable[[], int]:
    interface = erp_rig.bench_interface()

    def load() -> int:
        loaded = erp_rig.fetched(erp, suite, interface)
        return loaded.created + loaded.changed

    return load


def _dlt(erp: str, suite: str, folder: str) -> Callable[[], int | None]:
    load = erp_rig.dlt_load(erp, suite, folder)

    def loaded() -> None:
        load()

    return loaded


def _timed(load: Callable[[], Any], erp: str, count: int, after: int = 0) -> list[float]:
    load()
    took = []
    for version in range(after + 1, after + _TIMES + 1):
        erp_rig.run_sql(erp, _CHANGE.format(version=version * _rows(count), count=count))
        begun = time.monotonic()
        found = load()
        took.append(time.monotonic() - begun)
        assert found in {None, count}, f"{found} rows of {count}"
    return took


def _of_flow(erp: str, suite: str, folder: str, count: int) -> list[float]:
    with erp_flow.warm(erp, suite, folder) as flow:
        flow("full")
        flow("incremental")  # what a first time costs, a worker's rehearsal has paid
        took = []
        for version in range(1, _TIMES + 1):
            erp_rig.run_sql(erp, _CHANGE.format(version=version * _rows(count), count=count))
            took.append(flow("incremental"))
            found = erp_rig.newest_change(suite)
            assert found == count, f"{found} rows of {count}"
    return took


def _main() -> None:
    asked, erp, suite, folder = sys.argv[1:]
    who, count = asked.split(":")
    if who == "flow":
        print(json.dumps({"seconds": _of_flow(erp, suite, folder, int(count))}))
        return
    load, after = (_own(erp, suite), _TIMES) if who == "own" else (_dlt(erp, suite, folder), 2 * _TIMES)
    print(json.dumps({"seconds": _timed(load, erp, int(count), after)}))


if __name__ == "__main__":
    _main()
