"""The vendor's build command: `python -m demo.build --revision 1.1 --out DIR`.

It prints one JSON line with path, sha256, version, revision, schema_revision and summary. The same revision
gives the same bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from demo.artefacts import pack
from demo.revisions import REPOSITORY, read_revision
from nakoming.errors import NakomingError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Build one revision; exit 2 with a sentence when it is unknown."""
    parser = argparse.ArgumentParser(prog="demo.build", description=__doc__)
    parser.add_argument("--revision", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder the artefact is written to")
    parser.add_argument("--source", type=Path, default=REPOSITORY, help="the vendor's repository")
    chosen = parser.parse_args(arguments)
    try:
        revision = read_revision(chosen.revision, chosen.source)
        built = pack(revision, chosen.out)
    except NakomingError as error:
        sys.stderr.write(f"{error.code}: {error}\n")
        return error.exit_status
    facts = {
        "path": str(built.path.resolve()),
        "sha256": built.sha256,
        "version": built.version,
        "revision": built.revision,
        "schema_revision": built.schema_revision,
        "summary": revision.summary,
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
