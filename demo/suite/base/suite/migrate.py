"""`python -m suite.migrate show|to`: where the database stands, and the way to another revision."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from suite.database import for_writing, open_engine
from suite.migrations import current_revision, migrate, newest_revision
from suite.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Print one JSON line with the revision reached; exit 1 with a sentence when there is no way."""
    parser = argparse.ArgumentParser(prog="suite.migrate", description=__doc__)
    parser.add_argument("action", choices=["show", "to"])
    parser.add_argument("revision", nargs="?", type=int, help="default: the newest this code knows")
    chosen = parser.parse_args(arguments)
    engine = open_engine(Settings.from_process().database_url)
    try:
        if chosen.action == "show":
            with engine.connect() as connection:
                reached = current_revision(connection)
        else:
            target = newest_revision() if chosen.revision is None else chosen.revision
            with for_writing(engine).begin() as connection:
                reached = migrate(connection, target)
    except ValueError as unknown:
        sys.stderr.write(f"The database cannot be migrated: {unknown}.\n")
        return 1
    finally:
        engine.dispose()
    sys.stdout.write(json.dumps({"schema_revision": reached, "newest": newest_revision()}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
