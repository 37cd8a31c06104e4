"""YAML as an agreement needs it: plain data with the line of every key, and nothing that surprises.

Only `true`, `false`, `null`, decimal whole numbers and fractions are more than text, so that `no` is a word,
`16:00` is not 960, and a telephone number keeps its zero. Anchors, aliases, tags and doubled keys are
refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from nakoming.agreement.errors import AgreementError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 12
WHOLE: Final = re.compile(r"-?(0|[1-9]\d{0,15})")
FRACTION: Final = re.compile(r"-?(0|[1-9]\d{0,15})\.\d{1,15}")
WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None, "~": None, "": None}

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """The data of one file and the line (from 1) of each path in it."""

    file: str
    data: dict[Any, Any]
    lines: dict[Path, int] = field(default_factory=dict)

    def line_of(self, path: Path) -> int:
        """Return the line of `path`, or of the nearest thing above it that is written down."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(text: str, file: str) -> Document:
    """Return the data of `text`.

    Raises:
        AgreementError: the text is no YAML, or YAML that is not allowed here.
    """
    if len(text.encode()) > MAX_BYTES:
        raise _refused(file, 1, f"it is larger than {MAX_BYTES} bytes", "at most 1 MiB")
    try:
        _check_events(text, file)
        root = yaml.compose(text, yaml.BaseLoader)  # composes nodes only; nothing is constructed
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise _refused(file, line, f"it is not YAML ({error.problem})", "well-formed YAML 1.1") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problem = f"it holds the character U+{ord(text[error.position]):04X}"
        raise _refused(file, line, problem, "printable text in UTF-8") from error
    if not isinstance(root, yaml.MappingNode):
        raise _refused(file, 1, "it is not a mapping", "keys and values, such as 'customer: acme'")
    lines: dict[Path, int] = {}
    data = _build(root, (), file, lines)
    return Document(file, data, lines)


def _refused(file: str, line: int, problem: str, allowed: str, key: str = "the text") -> AgreementError:
    return AgreementError(file=file, line=line, key=key, problem=problem, allowed=allowed)


def _check_events(text: str, file: str) -> None:
    depth = documents = 0
    for event in yaml.parse(text, yaml.BaseLoader):
        line = event.start_mark.line + 1 if event.start_mark is not None else 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused(
                file, line, "it uses an anchor or an alias", "each value written out where it belongs"
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise _refused(file, line, f"it uses the tag {tag}", "plain values without tags")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        documents += isinstance(event, yaml.DocumentStartEvent)
        if depth > MAX_DEPTH:
            raise _refused(file, line, "it is nested too deeply", f"at most {MAX_DEPTH} levels")
        if documents > 1:
            raise _refused(file, line, "a second document begins here", "one document in a file")


def _build(node: yaml.Node, path: Path, file: str, lines: dict[Path, int]) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, file, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_build(item, (*path, str(at)), file, lines) for at, item in enumerate(node.value)]
    return _scalar(node)


def _mapping(node: yaml.MappingNode, path: Path, file: str, lines: dict[Path, int]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for key, line, value in _pairs(node, path, file):
        here = (*path, str(key))
        if key in found:
            problem = f"the key stands here a second time (first on line {lines[here]})"
            raise _refused(file, line, problem, "each key once", ".".join(here))
        lines[here] = line
        found[key] = _build(value, here, file, lines)
    return found


def _pairs(node: yaml.MappingNode, path: Path, file: str) -> Iterator[tuple[Any, int, yaml.Node]]:
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            where = ".".join(path) or "the text"
            raise _refused(file, line, "a key is a list or a mapping", "a word or a number as key", where)
        yield _scalar(key), line, value


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    text = str(node.value)
    if node.style is not None:  # type: ignore[attr-defined]  # the stubs forget it on Node
        return text
    if text in WORDS:
        return WORDS[text]
    if WHOLE.fullmatch(text):
        return int(text)
    return float(text) if FRACTION.fullmatch(text) else text
