"""The mechanism ``venv`` as a document says it: what is installed, and where the installer gets it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import AfterValidator, BeforeValidator, Field

from escalator.documents.artefacts import refuse_credentials
from escalator.documents.document_model import (
    DocumentModel,
    Name,
    OrNull,
    Service,
    is_name,
    must_be,
    refuse,
)
from escalator.documents.faults import Fault
from escalator.documents.wording import show_value
from escalator.model.bundle import ARTEFACTS_FOLDER, is_archive

MOST_ENTRIES = 100
"""Of one list: all of them go to the node in one argument."""
_FOLDER = re.escape(ARTEFACTS_FOLDER)
_PATH = r"/[^\x00-\x1f$]+"
_ARTEFACT = _FOLDER + r"/[A-Za-z0-9][A-Za-z0-9._-]*"
_URL = r"https?://[^\s\x00-\x1f]+"


def _refuse_unfit_requirement(text: str) -> str:
    try:
        requirement = Requirement(text)
    except InvalidRequirement as exc:
        raise refuse("must be a package with its versions, such as libvirt-python==9.0.0") from exc
    if requirement.url is not None:
        raise refuse("names a URL: give an index, or wheels, that has the package")
    if "\n" in text:
        raise refuse("has more than one line")
    return text


LinkPath = Annotated[
    str,
    Field(pattern=r"^(?:/[A-Za-z0-9_+-][A-Za-z0-9._+-]*)+$"),
    must_be("an absolute path in plain characters"),
]
Program = Annotated[
    str, Field(pattern=r"^/?[A-Za-z0-9_][A-Za-z0-9._+/-]*$"), must_be("a program's name or path")
]
PackageRequirement = Annotated[str, AfterValidator(_refuse_unfit_requirement)]
Module = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*$"),
    must_be("the name of a module, such as nova.virt.libvirt.driver"),
]
Constraints = Annotated[
    str,
    Field(pattern=f"^(?:{_URL}|{_PATH}|{_ARTEFACT})$"),
    must_be(
        f"a URL (http:// or https://), an absolute path, as the node has it, or {ARTEFACTS_FOLDER}/NAME, "
        "an artefact of the bundle"
    ),
    BeforeValidator(refuse_credentials),
]
Index = Annotated[
    str,
    Field(pattern=r"^(?:https?|file)://[^\s\x00-\x1f?#]+$"),
    must_be("the URL of an index (http://, https:// or file://), without ? and #"),
    BeforeValidator(refuse_credentials),
]
Wheels = Annotated[
    str,
    Field(pattern=f"^(?:{_PATH}|{_FOLDER}|{_ARTEFACT})$"),
    must_be(
        f"an absolute path, as the node has it, {ARTEFACTS_FOLDER}, all artefacts of the bundle, or "
        f"{ARTEFACTS_FOLDER}/NAME, one of them"
    ),
    BeforeValidator(refuse_credentials),
]


class VenvDocument(DocumentModel):
    """Each version is a virtual environment; a link says which one the service uses."""

    type: Literal["venv"]
    venv: LinkPath
    package: Name
    service: Service
    installer: OrNull[Literal["pip", "uv"]] = "pip"
    python: OrNull[Program] = "python3"
    extras: OrNull[Annotated[list[Name], Field(max_length=MOST_ENTRIES)]] = Field(default=[])
    requirements: OrNull[Annotated[list[PackageRequirement], Field(max_length=MOST_ENTRIES)]] = Field(
        default=[]
    )
    constraints: Constraints | None = None
    index: Index | None = None
    extra_indexes: OrNull[Annotated[list[Index], Field(max_length=MOST_ENTRIES)]] = Field(default=[])
    wheels: Wheels | None = None
    system_site_packages: OrNull[bool] = False
    imports: OrNull[Annotated[list[Module], Field(max_length=MOST_ENTRIES)]] = Field(default=[])

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find indexes beside wheels, and the package among what is installed beside it."""
        if values.get("wheels") is not None:
            for key in ("index", "extra_indexes"):
                if values.get(key):
                    yield Fault((key,), "is of no use beside wheels: no index is asked then")
        package, listed = values.get("package"), values.get("requirements")
        for at, text in enumerate(listed if isinstance(listed, list) else ()):
            named = _name(text)
            if named and isinstance(package, str) and named == canonicalize_name(package):
                said = f"names {show_value(package)}: its version is that of the component, its extras are"
                yield Fault(("requirements", at), f"{said} in the key extras")


def find_venv_faults(
    values: Mapping[Any, Any], components: Collection[object], artefacts: Collection[str]
) -> Iterator[Fault]:
    """Find what does not fit the rest of the bundle: its service is no component, a file is no artefact.

    :param values: the mechanism's mapping, of any form.
    :param components: the names of the bundle's components; :param artefacts: those of its artefacts.
    """
    for key in ("constraints", "wheels"):
        place = values.get(key)
        if not isinstance(place, str) or not place.startswith(ARTEFACTS_FOLDER):
            continue
        at, name = ("mechanism", key), place.removeprefix(ARTEFACTS_FOLDER).removeprefix("/")
        if name and name not in artefacts:
            yield Fault(at, f"names no artefact of the bundle: {show_value(name)}")
        elif not name and not artefacts:
            yield Fault(at, "means the artefacts of the bundle, and it has none")
        elif name and key == "wheels" and not is_archive(name):
            said = "is one file: an archive (.tar, .tar.gz) is needed"
            yield Fault(at, f"{said}, or {ARTEFACTS_FOLDER} for all")
    service = values.get("service")
    if is_name(service) and components and service not in components:
        yield Fault(("components",), f"none is named {show_value(service)}, the service of the mechanism")


def _name(text: object) -> str:
    try:
        return canonicalize_name(Requirement(text).name) if isinstance(text, str) else ""
    except InvalidRequirement:
        return ""
