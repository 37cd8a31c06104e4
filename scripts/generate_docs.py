"""Write the pages that are generated from code: `python -m scripts.generate_docs [--check]`.

Each module of `docs/generators/` names its page (`TARGET`, from the root) and makes its text (`render()`).
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent


def pages(root: Path = ROOT) -> Iterator[tuple[Path, str]]:
    """Yield each generated page and the text it should have now."""
    for path in sorted((root / "docs" / "generators").glob("*.py")):
        spec = importlib.util.spec_from_file_location("docs_generator_" + path.stem, str(path))
        assert spec is not None, path  # noqa: S101 - a path that ends in .py always has one
        assert spec.loader is not None, path  # noqa: S101 - the same
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        yield root / module.TARGET, module.render()


def stale(root: Path = ROOT) -> list[str]:
    """Return the pages that do not say what the code says."""
    return [
        str(page.relative_to(root))
        for page, text in pages(root)
        if not page.exists() or page.read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> int:
    """Write the pages, or only say which are stale."""
    if "--check" in arguments:
        late = stale()
        if late:
            print("Not what the code says, run `make docs`: {}".format(", ".join(late)), file=sys.stderr)
        return 1 if late else 0
    for page, text in pages():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
        print(page.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
