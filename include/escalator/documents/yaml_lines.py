"""Reads YAML and keeps on which line each part stands.

A key that stands there twice is a fault, and so is a number that YAML reads otherwise than people do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from escalator.documents.faults import Fault, LinedMapping, Place
from escalator.documents.plain_file import read_file
from escalator.documents.wording import show_value
from escalator.model.errors import InvalidRequestError

_MERGE = "tag:yaml.org,2002:merge"
_ODD_NUMBER = re.compile(r"[-+]?0[0-7_]+|[^:]+(:[^:]+)+")
"""Plain scalars that YAML 1.1 takes for numbers which nobody means: 0240 is octal, 4:30 has the base 60."""


class _Loader(yaml.SafeLoader):
    """Safe YAML that says of a scalar it cannot read where it stands."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002
        """Make the value of a node.

        :raises yaml.YAMLError: it has none, such as 2026-02-30, or a number of five thousand digits.
        """
        try:
            return super().construct_object(node, deep=deep)
        except (ValueError, LookupError, ArithmeticError, AttributeError, TypeError) as exc:
            words = f"{show_value(node.value)} cannot be read as {node.tag.rpartition(':')[2]}"
            raise yaml.constructor.ConstructorError(None, None, words, node.start_mark) from exc


def load_yaml(text: str) -> object:
    """Read one YAML document; a mapping knows the lines of its parts, and its keys that stand there twice.

    :raises yaml.YAMLError: it is no YAML, or nested too deeply.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        if node is None:
            return None
        lines: dict[Place, int] = {}
        faults: list[Fault] = []
        _note_lines(loader, node, (), lines, faults, set())
        document: object = loader.construct_document(node)
    except RecursionError as exc:
        raise yaml.YAMLError("it is nested too deeply") from exc
    return LinedMapping(document, lines, tuple(faults)) if isinstance(document, Mapping) else document


def read_yaml(path: Path) -> object:
    """Read a YAML file, as :func:`load_yaml` does.

    :raises FileNotFoundError: there is no such file.
    :raises InvalidRequestError: it cannot be read, or is not YAML; names the file.
    """
    try:
        return load_yaml(read_file(path))
    except FileNotFoundError:
        raise
    except (OSError, ValueError, yaml.YAMLError) as exc:
        said = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
        reason = " ".join(said.split())
        remedy = "name a file that can be read" if isinstance(exc, OSError) else "mend the file"
        raise InvalidRequestError(f"{path} cannot be read: {reason}", remedy=remedy) from exc


def _note_lines(
    loader: _Loader,
    node: yaml.Node,
    at: Place,
    lines: dict[Place, int],
    faults: list[Fault],
    seen: set[int],
) -> None:
    """Note the lines of what a node holds; of a node with an alias, where it stands first."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        faults.extend(_find_odd_number(loader, node, at))
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*at, index)] = item.start_mark.line + 1
            _note_lines(loader, item, (*at, index), lines, faults, seen)
    elif isinstance(node, yaml.MappingNode):
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == _MERGE:
                continue
            key, line = loader.construct_object(key_node), key_node.start_mark.line + 1
            place = (*at, key if isinstance(key, str) else str(key_node.value))
            if place in lines:
                faults.append(Fault(place, f"stands on line {lines[place]} already", line))
                continue
            lines[place] = line
            _note_lines(loader, value_node, place, lines, faults, seen)


def _find_odd_number(loader: _Loader, node: yaml.ScalarNode, at: Place) -> Iterator[Fault]:
    """Find a number that is another one than it seems."""
    is_number = node.tag in {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
    if is_number and node.style is None and _ODD_NUMBER.fullmatch(str(node.value)):
        value = show_value(loader.construct_object(node))
        words = f"YAML reads {node.value} as {value}: write that, or put what is meant in quotes"
        yield Fault(at, words, node.start_mark.line + 1)
