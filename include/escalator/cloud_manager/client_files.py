"""The files of the OpenStack client, ``clouds.yaml`` and ``secure.yaml``: the one that counts, its faults.

openstacksdk passes over a file that it cannot read, and meets one of another form with a traceback. Here such
a file is named, with what is wrong with it; what is in order is left to openstacksdk to read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field

from escalator.documents.document_model import DocumentModel, read_document
from escalator.documents.faults import LinedMapping, say_faults
from escalator.documents.plain_file import read_file
from escalator.documents.yaml_lines import read_yaml
from escalator.model.errors import InvalidRequestError

_REMEDY = "mend the file, or name another one"


class _CloudDocument(DocumentModel):
    """One cloud: the keys whose form openstacksdk takes for granted."""

    model_config = ConfigDict(extra="ignore")
    auth: dict[str, Any] = Field(default={})
    region_name: str | list[str] | None = None
    regions: list[str | dict[str, Any]] = Field(default=[])
    profile: str | dict[str, Any] | None = None
    verify: bool = True
    cacert: str | None = None
    cert: str | None = None
    key: str | None = None


class _FileDocument(DocumentModel):
    """A file with the one cloud that is asked for; of the others nothing is known."""

    model_config = ConfigDict(extra="ignore")
    clouds: dict[str, _CloudDocument] = Field(default={})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientFile:
    """The file that counts.

    :ivar path: None: there is none that can be read.
    :ivar passed_over: what is wrong with files that would have come before it.
    """

    path: str | None = None
    passed_over: tuple[str, ...] = ()


def find_client_file(named: str | None, usual: Sequence[str], cloud: str | None) -> ClientFile:
    """Find the file that counts: the one that is named, else the first of the usual ones that can be read.

    :param cloud: whose entry has to be in order as well; None: it is not known yet.
    :raises InvalidRequestError: the named file cannot be read, or the file that counts has another form.
    """
    passed_over: list[str] = []
    for path in map(Path, [named] if named else usual):
        if not named and not path.exists():
            continue
        if path.exists() and not path.is_file() and not path.is_dir():
            return ClientFile(path=str(path), passed_over=tuple(passed_over))  # a pipe is read once only
        try:
            document = _read(path)
        except InvalidRequestError as exc:
            if named:
                raise
            passed_over.append(exc.message)
            continue
        _refuse_other_form(path, document, cloud)
        return ClientFile(path=str(path), passed_over=tuple(passed_over))
    return ClientFile(passed_over=tuple(passed_over))


def _read(path: Path) -> object:
    """Read a file as openstacksdk would: one called ``….json`` as JSON, others as YAML."""
    try:
        if path.suffix == ".json":
            return json.loads(read_file(path))
        return read_yaml(path)
    except FileNotFoundError as exc:
        raise InvalidRequestError(f"there is no file {path}", remedy="see its name") from exc
    except OSError as exc:
        raise InvalidRequestError(f"{path} cannot be read: {exc.strerror}", remedy=_REMEDY) from exc
    except (ValueError, RecursionError) as exc:
        raise InvalidRequestError(f"{path} cannot be read: {exc}", remedy=_REMEDY) from exc


def _refuse_other_form(path: Path, document: object, cloud: str | None) -> None:
    if document is None:
        return  # an empty file has no cloud, and says nothing wrong
    if not isinstance(document, Mapping):
        raise InvalidRequestError(f"{path}: must be a mapping that has `clouds`", remedy=_REMEDY)
    clouds = document.get("clouds", {})
    if isinstance(clouds, Mapping):
        clouds = {name: entry for name, entry in clouds.items() if name == cloud}
    lines = document.lines if isinstance(document, LinedMapping) else {}
    faults = read_document(_FileDocument, LinedMapping({"clouds": clouds}, lines, ()))
    if isinstance(faults, list):
        raise InvalidRequestError(f"{path}: {say_faults(faults)}", remedy=_REMEDY)
