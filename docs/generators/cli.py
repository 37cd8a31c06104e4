"""The `nakoming` command: every noun and verb with its arguments and options, as the command has them."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperArgument, TyperGroup

from deployments.cli import make_app

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET = "docs/reference/cli.md"

_HEAD = """# The command `nakoming`

Data goes to standard output, as a table or with `--json` as JSON (instants in UTC, names as the records have
them); sentences about what went wrong go to standard error, each with its code (see [Errors](errors.md)). The
exit status is 0 when it was done, 1 when it was not or when a check found something, 2 when the command was
called wrongly, 4 when there is no such thing, else what the error says. Times are those of Europe/Amsterdam.
"""


def render() -> str:
    """Return the page."""
    return _HEAD + "".join(_command(path, command) for path, command in _walk("nakoming", _root()))


def _root() -> Any:
    return typer.main.get_command(make_app())


def _walk(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(command, TyperGroup):
        if path != "nakoming":
            yield path, command
        for name, child in command.commands.items():
            yield from _walk(f"{path} {name}", child)
    else:
        yield path, command


def _command(path: str, command: Any) -> str:
    words = inspect.cleandoc(command.help or "")
    if isinstance(command, TyperGroup):
        return f"\n## {path}\n\n{words}\n"
    level = "##" if path.count(" ") == 1 else "###"
    arguments = [param for param in command.params if isinstance(param, TyperArgument)]
    options = [param for param in command.params if not isinstance(param, TyperArgument)]
    usage = " ".join([path, *(_usage(param) for param in arguments), *(_needed(param) for param in options)])
    usage = " ".join(usage.split())
    rows = [_row(param, _usage(param).strip("[]")) for param in arguments]
    rows += [_row(param, ", ".join(_forms(param))) for param in options]
    table = "\n| | |\n| --- | --- |\n" + "".join(rows) if rows else ""
    return f"\n{level} {path}\n\n    {usage}\n\n{words}\n{table}"


def _usage(param: Any) -> str:
    name = param.metavar or param.name.upper()
    name += "…" if param.nargs == -1 else ""
    return name if param.required else f"[{name}]"


def _needed(param: Any) -> str:
    return f"{param.opts[0]} {_value(param)}" if param.required else ""


def _forms(param: Any) -> list[str]:
    value = "" if param.is_flag else f" {_value(param)}"
    return [f"{name}{value}" for name in (*param.opts, *param.secondary_opts)]


def _value(param: Any) -> str:
    if param.metavar:
        return str(param.metavar)
    choices = param.type_descriptor.choices
    return "|".join(str(getattr(each, "value", each)) for each in choices) if choices else param.name.upper()


def _row(param: Any, name: str) -> str:
    default = param.default
    shown = not param.required and default not in {None, "", False, True} and not callable(default)
    preset = f" Default: `{getattr(default, 'value', default)}`." if shown else ""
    needed = " Needed." if param.required and not isinstance(param, TyperArgument) else ""
    words = " ".join((param.help or "").split())
    return f"| `{name.replace('|', chr(92) + '|')}` | {words.replace('|', chr(92) + '|')}{needed}{preset} |\n"
