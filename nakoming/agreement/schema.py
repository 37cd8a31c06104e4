"""Writes the JSON Schema of agreements for editors: `python -m nakoming.agreement.schema FILE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from nakoming.agreement.loading import json_schema


def rendered_schema() -> str:
    """Return the JSON Schema as the text of its file."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(rendered_schema(), encoding="utf-8")
