"""Frozen dataclasses of the model to JSON and back, exactly; driven by their type hints."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from escalator.model.errors import InvalidRequestError

T = TypeVar("T")
Reader = Callable[[Any], Any]


def to_json(value: object) -> Any:  # noqa: ANN401  (JSON is of any type)
    """Turn a value of the model into what JSON can hold.

    :raises InvalidRequestError: when it holds a naive time or something that JSON cannot.
    """
    match value:
        case StrEnum():
            return value.value
        case None | bool() | int() | float() | str():
            return value
        case datetime():
            return _aware(value).isoformat()
        case tuple() | list():
            return [to_json(item) for item in value]
        case Mapping():
            return {str(key): to_json(item) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    raise InvalidRequestError(f"a {type(value).__name__} cannot be stored as JSON")


def from_json(kind: type[T], document: object) -> T:
    """Rebuild a dataclass from what ``to_json`` made of it.

    Fields that the document lacks take their default; those that the dataclass lacks are passed over: a
    document written by the release before or after this one can be read.

    :raises InvalidRequestError: when the document is of another shape.
    """
    try:
        result: T = _reader(typing.cast("Any", kind))(document)
    except (TypeError, ValueError, AttributeError, KeyError) as exc:
        raise InvalidRequestError(f"a stored {kind.__name__} cannot be read: {exc}") from exc
    return result


@functools.cache
def _reader(kind: Any) -> Reader:  # noqa: ANN401  (types and their unions)
    """Make what reads a value of a type; made once, as a ledger holds many values of few types."""
    if typing.get_origin(kind) is not None:
        return _generic_reader(kind, typing.get_origin(kind), typing.get_args(kind))
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(kind)
    if kind is datetime:
        return lambda document: _aware(datetime.fromisoformat(document))
    return _scalar_reader(kind)


def _generic_reader(kind: Any, origin: Any, arguments: tuple[Any, ...]) -> Reader:  # noqa: ANN401
    if origin in {typing.Union, types.UnionType}:
        return _optional_reader(kind, [choice for choice in arguments if choice is not types.NoneType])
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda document: tuple(map(item, document))
    if issubclass(origin, Mapping):
        # JSON has names of text only: a number became its digits.
        key, value = int if arguments[0] is int else _reader(arguments[0]), _reader(arguments[1])
        return lambda document: {key(name): value(item) for name, item in document.items()}
    return _unsupported(kind)


def _dataclass_reader(kind: Any) -> Reader:  # noqa: ANN401
    hints = typing.get_type_hints(kind)
    readers = {field.name: _reader(hints[field.name]) for field in dataclasses.fields(kind)}

    def read(document: Any) -> Any:  # noqa: ANN401
        return kind(**{name: item(document[name]) for name, item in readers.items() if name in document})

    return read


def _optional_reader(kind: Any, choices: list[Any]) -> Reader:  # noqa: ANN401
    if len(choices) != 1:
        return _unsupported(kind)
    inner = _reader(choices[0])
    return lambda document: None if document is None else inner(document)


def _scalar_reader(kind: Any) -> Reader:  # noqa: ANN401
    if kind is float or issubclass(kind, StrEnum):
        return typing.cast("Reader", kind)
    if kind not in {str, int, bool}:
        return lambda document: document

    def read(document: Any) -> Any:  # noqa: ANN401
        if not isinstance(document, kind):
            raise TypeError(f"{document!r} is no {kind.__name__}")
        return document

    return read


def _unsupported(kind: Any) -> Reader:  # noqa: ANN401
    """Refuse a type when a value of it is read: a default needs no reader."""

    def refuse(document: object) -> None:
        raise TypeError(f"{kind} is not supported, found {document!r}")

    return refuse


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidRequestError(f"time {moment.isoformat()} has no zone", remedy="use aware times")
    return moment
