"""What all documents that people write have in common, as pydantic models: strict, and no key unknown.

Each model is the edge only: what is read goes on as a frozen dataclass of :mod:`escalator.model`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Self, TypeGuard, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    Strict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError, PydanticUseDefault

from escalator.documents.faults import SAID, Fault, LinedMapping, describe_fault
from escalator.documents.moments import WITHIN, is_near
from escalator.documents.wording import show_value

T = TypeVar("T")
Model = TypeVar("Model", bound="DocumentModel")


class DocumentModel(BaseModel):
    """A mapping of a document: unknown keys are refused, and so is a value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: Any) -> Iterable[Fault]:  # noqa: ANN401, ARG003
        """Find what is wrong between values that are each in order; none unless a model says otherwise.

        :param values: the mapping as it was written, of any form: faults of single values are named too.
        :param asked: what :func:`read_document` was given to judge by.
        """
        return ()

    def list_values(self, *without: str) -> dict[str, Any]:
        """Return its values as the dataclasses of the model take them: without ``type``, lists as tuples.

        :param without: keys that are read in another way.
        """
        values = self.model_dump(exclude={"type", *without})
        return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}

    @model_validator(mode="wrap")
    @classmethod
    def _name_every_fault(
        cls, values: object, read: ModelWrapValidatorHandler[Self], info: ValidationInfo
    ) -> Self:
        """Read the mapping; raise its faults in an operator's words, those between its values too."""
        faults: list[Fault] = []
        model: Self | None = None
        try:
            model = read(values)
        except ValidationError as exc:
            fields = {field.alias or name: field for name, field in cls.model_fields.items()}
            faults.extend(describe_fault(error, fields) for error in exc.errors(include_url=False))
        if isinstance(values, Mapping):
            faults.extend(cls.find_faults_between(values, info.context))
        if model is None or faults:
            raise ValidationError.from_exception_data(cls.__name__, [_detail(fault) for fault in faults])
        return model


def read_document(model: type[Model], document: object, *, asked: object = None) -> Model | list[Fault]:
    """Read a whole document, or find all of its faults, in the order of their lines where they are known.

    :param document: what a YAML or JSON reader made of the file, of any form.
    :param asked: what the values are judged by beyond their form.
    """
    faults = list(document.faults) if isinstance(document, LinedMapping) else []
    values = dict(document) if isinstance(document, Mapping) else document
    try:
        found = model.model_validate(values, context=asked)
    except ValidationError as exc:
        faults += [describe_fault(error, {}) for error in exc.errors(include_url=False)]
    else:
        if not faults:
            return found
    if isinstance(document, LinedMapping):
        faults = [f if f.line else f._replace(line=document.line_of(f.at)) for f in faults]
    return sorted(faults, key=lambda fault: fault.line or 0)


def list_mappings(values: Mapping[Any, Any], key: str) -> Iterator[tuple[int, Mapping[Any, Any]]]:
    """Yield the mappings of a list, each with its place in the list; none when there is no list."""
    items = values.get(key)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, Mapping):
            yield index, item


def is_name(value: object) -> TypeGuard[str]:
    """Tell whether a value could be the name of a service or component; else its own fault says so."""
    return isinstance(value, str) and re.fullmatch(SERVICE_PATTERN, value) is not None


def is_whole(text: str) -> bool:
    """Tell whether no character of a text is half of one: pydantic looks for these where there is a limit."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def refuse(words: str) -> PydanticCustomError:
    """Make the error that refuses a value in an operator's words; half a character in them is an escape."""
    words = words.encode(errors="backslashreplace").decode()
    return PydanticCustomError(SAID, "{words}", {"words": words})


def must_be(words: str) -> WrapValidator:
    """Say in these words what a value must be; that it is no text, or too long, is said as ever."""

    def judge(value: object, read: ValidatorFunctionWrapHandler) -> object:
        try:
            return read(value)
        except ValidationError as exc:
            if {error["type"] for error in exc.errors(include_url=False)} <= {
                "string_type",
                "string_unicode",
                "string_too_long",
            }:
                raise
            raise refuse(f"must be {words}, not {show_value(value)}") from exc

    return WrapValidator(judge)


def _detail(fault: Fault) -> InitErrorDetails:
    return InitErrorDetails(type=refuse(fault.words), loc=fault.at, input=None)


def _use_default_for_null(value: object) -> object:
    if value is None:
        raise PydanticUseDefault
    return value


def _read_moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise refuse(f"must be a time with its offset, such as 2026-11-22T08:00:00Z, not {show_value(value)}")
    if not is_near(moment):
        raise refuse(f"must be {WITHIN}, not {show_value(value)}")
    return moment


def _refuse_blank(text: str) -> str:
    if not text.strip():
        raise refuse("must not be empty")
    if not is_whole(text):
        raise refuse(f"{show_value(text)} is no text: it has half a character")
    return text


OrNull = Annotated[T, BeforeValidator(_use_default_for_null)]
"""Null, a key without a value, means the default."""
Word = Annotated[T, Strict(False)]
"""One of the words of an enumeration."""
Text = Annotated[str, AfterValidator(_refuse_blank), Field(json_schema_extra={"pattern": r"\S"})]
"""Text that is not blank."""
LONGEST_NAME = 255
"""Characters of a name: what Nova has for hosts and servers, systemd for units, and the ledger for names."""
GivenName = Annotated[
    str,
    Field(max_length=LONGEST_NAME, json_schema_extra={"pattern": r"\S"}),
    AfterValidator(_refuse_blank),
]
"""The name of something that somebody else named: a host, a cloud, a flavor."""
NAMED = "letters, digits, '.', '_' and '-', beginning with a letter or a digit"
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=LONGEST_NAME), must_be(NAMED)]
"""A name that can be part of a file's name and of an id."""
SERVICE_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._@-]*$"
Service = Annotated[str, Field(pattern=SERVICE_PATTERN, max_length=LONGEST_NAME), must_be(NAMED)]
"""A unit of systemd, or a component that is called like its unit."""
Moment = Annotated[datetime, BeforeValidator(_read_moment)]
"""A time with its offset, in the form that Escalator writes: ISO 8601."""
