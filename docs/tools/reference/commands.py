"""Page of the verbs of the command line, made from their parsers."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator

from docs.tools.reference.tables import make_code, make_table

from escalator.cli import GROUPS, Parser

HEAD = """# Verbs of `escalator`

Every verb ends with 0 (done, met, allowed), 1 (failed, not met, not allowed), 2 (bad input, or somebody did
not answer; nothing was done), or 3 (a fault of its own). `escalator VERB --help` says the same as this
page.
"""


def make_commands() -> str:
    """Return the page."""
    parts = [HEAD]
    for purpose, verbs in GROUPS:
        parts.append(f"## {purpose[:1].upper()}{purpose[1:]}\n")
        parts.extend(part for verb, module, what in verbs for part in _describe(verb, module, what))
    return "\n".join(parts)


def _describe(verb: str, module: str, what: str) -> Iterator[str]:
    parser = Parser(prog="escalator")
    verbs = parser.add_subparsers()
    importlib.import_module(module).add_parser(verbs)
    yield from _describe_parser(f"escalator {verb}", what, verbs.choices[verb], level=3)


def _describe_parser(name: str, what: str, parser: argparse.ArgumentParser, *, level: int) -> Iterator[str]:
    yield f"{'#' * level} {name}\n"
    said = " ".join((parser.description or what or "").split())
    yield f"{said[:1].upper()}{said[1:]}{'' if said.endswith('.') else '.'}\n" if said else ""
    rows = list(_list_rows(parser))
    if rows:
        yield make_table(["argument", "meaning"], rows)
    for action in parser._actions:  # noqa: SLF001 - argparse shows them nowhere else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}  # noqa: SLF001
            for word, below in action.choices.items():
                yield from _describe_parser(f"{name} {word}", helps.get(word, ""), below, level=level + 1)


def _list_rows(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    formatter = parser._get_formatter()  # noqa: SLF001
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):  # noqa: SLF001
            continue
        words = formatter._expand_help(action) if action.help else ""  # noqa: SLF001
        yield (
            make_code(_name(action)),
            f"{words}{' (required)' if action.required and action.option_strings else ''}",
        )


def _name(action: argparse.Action) -> str:
    value = _name_value(action)
    if not action.option_strings:
        return f"{value} ..." if action.nargs in {"*", "+"} else value
    options = ", ".join(action.option_strings)
    return (
        options if action.nargs == 0 else f"{options} {value}{' ...' if action.nargs in {'*', '+'} else ''}"
    )


def _name_value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    return action.dest.upper()
