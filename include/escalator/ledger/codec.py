"""Frozen dataclasses of the model to JSON and back, exactly; driven by their type hints."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from escalator.model.errors import InvalidRequestError

T = TypeVar("T")


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
        result: T = _read(kind, document)
    except (TypeError, ValueError, AttributeError, KeyError) as exc:
        raise InvalidRequestError(f"a stored {kind.__name__} cannot be read: {exc}") from exc
    return result


def _read(kind: Any, document: Any) -> Any:  # noqa: ANN401
    origin = typing.get_origin(kind)
    if origin in {typing.Union, types.UnionType}:
        return _read_optional(kind, document)
    if origin is not None:
        return _read_collection(origin, typing.get_args(kind), document)
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, document)
    if kind is datetime:
        return _aware(datetime.fromisoformat(document))
    if kind is float or issubclass(kind, StrEnum):
        return kind(document)
    if kind in {str, int, bool} and not isinstance(document, kind):
        raise TypeError(f"{document!r} is no {kind.__name__}")
    return document


def _read_collection(origin: Any, arguments: tuple[Any, ...], document: Any) -> Any:  # noqa: ANN401
    if origin is tuple:
        return tuple(_read(arguments[0], item) for item in document)
    if issubclass(origin, Mapping):
        return {_read(arguments[0], key): _read(arguments[1], item) for key, item in document.items()}
    raise TypeError(f"{origin.__name__} is not supported")


def _read_dataclass(kind: Any, document: Any) -> Any:  # noqa: ANN401
    hints = _hints(kind)
    names = [field.name for field in dataclasses.fields(kind) if field.name in document]
    return kind(**{name: _read(hints[name], document[name]) for name in names})


@functools.cache
def _hints(kind: Any) -> Mapping[str, Any]:  # noqa: ANN401
    return typing.get_type_hints(kind)


def _read_optional(kind: Any, document: Any) -> Any:  # noqa: ANN401
    if document is None:
        return None
    (inner,) = (choice for choice in typing.get_args(kind) if choice is not types.NoneType)
    return _read(inner, document)


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidRequestError(f"time {moment.isoformat()} has no zone", remedy="use aware times")
    return moment
