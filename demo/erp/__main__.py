"""Makes an ERP: `python -m demo.erp --url sqlite:///erp.db --orders 50000 --seed 7`.

It prints one JSON line: what was sown.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from demo.erp.making import AS_OF, ORDERS, SEED, make
from demo.orders import OPERATIONS, PRODUCTS
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Make it; say one sentence when that cannot be."""
    parser = argparse.ArgumentParser(prog="python -m demo.erp", description=__doc__)
    parser.add_argument("--url", required=True, help="sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--seed", type=int, default=SEED, help="the same seed gives the same rows")
    parser.add_argument("--customer", choices=list(PRODUCTS), default="brouwer")
    parser.add_argument("--language", choices=list(OPERATIONS), default="nl")
    parser.add_argument(
        "--as-of", type=_instant, default=AS_OF, help="when the newest row changed (default %(default)s)"
    )
    parser.add_argument("--replace", action="store_true", help="drop the ERP that stands there first")
    chosen = vars(parser.parse_args(arguments))
    try:
        mess = make(chosen.pop("url"), **chosen)
    except NakomingError as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        return error.exit_status
    sys.stdout.write(json.dumps(asdict(mess)) + "\n")
    return 0


def _instant(given: str) -> datetime:
    instant = datetime.fromisoformat(given)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


if __name__ == "__main__":
    sys.exit(main())
