"""How a bundle is brought to the nodes, as its document says it: one model for each type of mechanism."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, assert_never

from pydantic import Field

from escalator.documents.commands import Command, Limit, LookLimit
from escalator.documents.document_model import DocumentModel, OrNull, Service, Word, must_be
from escalator.documents.playbooks import AnsibleDocument, KollaAnsibleDocument, read_playbooks
from escalator.documents.venv_mechanism import VenvDocument
from escalator.model.bundle import (
    AptMechanism,
    CommandMechanism,
    ConffilePolicy,
    DnfMechanism,
    Mechanism,
    NoMechanism,
    Package,
    VenvMechanism,
)

DEB_VERSION_PATTERN = r"^(?:[0-9]+:)?[0-9][A-Za-z0-9.+~-]*$"
RPM_VERSION_PATTERN = r"^(?:[1-9][0-9]*:)?[A-Za-z0-9][A-Za-z0-9._+~^]*-[A-Za-z0-9][A-Za-z0-9._+~^]*$"
MOST_PACKAGES = 200
"""The longest list of packages, and of their names: all of them go to the node in one argument."""

DebName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9+.-]*[a-z0-9+](?::[a-z0-9-]+)?$", max_length=100),
    must_be("a package's name, as apt has it"),
]
DebVersion = Annotated[
    str,
    Field(pattern=DEB_VERSION_PATTERN, max_length=100),
    must_be("an exact version of dpkg's, epoch and revision included, such as 3:34.0.0-1"),
]
SourcesPath = Annotated[
    str,
    Field(pattern=r"^/[A-Za-z0-9._/+-]+\.(?:list|sources)$"),
    must_be("an absolute path in plain characters that ends with .list or .sources"),
]
KeyringPath = Annotated[
    str,
    Field(pattern=r"^/[A-Za-z0-9._/+-]+\.(?:gpg|asc)$"),
    must_be("an absolute path in plain characters that ends with .gpg or .asc"),
]
RpmName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.+-]*$", max_length=100),
    must_be("a package's name, as rpm has it"),
]
RpmVersion = Annotated[
    str,
    Field(pattern=RPM_VERSION_PATTERN, max_length=100),
    must_be("an exact version of rpm's, with its release, and its epoch where it is not 0: 1:34.0.0-1.el9"),
]
RepositoryId = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$"), must_be("the id of a repository of dnf's")
]
RpmNames = OrNull[Annotated[list[RpmName], Field(max_length=MOST_PACKAGES)]]
DebNames = OrNull[Annotated[list[DebName], Field(max_length=MOST_PACKAGES)]]
ServiceNames = OrNull[Annotated[list[Service], Field(max_length=MOST_PACKAGES)]]


class CommandDocument(DocumentModel):
    """The operator's own commands bring the bundle: ``sh -e`` as root, and run again after any trouble."""

    type: Literal["command"]
    version: Command
    activate: Command
    service: Service
    stage: Command | None = None
    source: Command | None = None
    rollback: Command | None = None
    restore: Command | None = None
    version_seconds: LookLimit = 30.0
    activate_seconds: Limit = 600.0
    stage_seconds: Limit = 900.0
    rollback_seconds: Limit = 600.0
    restore_seconds: Limit = 600.0


class DebDocument(DocumentModel):
    """A package and its exact version; the one that carries nova-compute says its service."""

    name: DebName
    version: DebVersion | None = None
    component: Service | None = None
    service: Service | None = None


class AptDocument(DocumentModel):
    """Packages by apt; what is not named here is neither removed, nor restarted, nor touched in its hold."""

    type: Literal["apt"]
    packages: Annotated[list[DebDocument], Field(min_length=1, max_length=MOST_PACKAGES)]
    sources: SourcesPath | None = None
    keyring: KeyringPath | None = None
    conffiles: OrNull[Word[ConffilePolicy]] = ConffilePolicy.KEEP
    lift_holds: DebNames = Field(default=[])
    removes: DebNames = Field(default=[])
    restarts: ServiceNames = Field(default=[])
    downgrade: OrNull[bool] = False
    lock_seconds: Limit = 600.0


class RpmDocument(DocumentModel):
    """A package and its exact version; the one that carries nova-compute says its service."""

    name: RpmName
    version: RpmVersion | None = None
    component: Service | None = None
    service: Service | None = None


class DnfDocument(DocumentModel):
    """Packages by dnf; what is not named here is neither removed, nor restarted, nor unlocked."""

    type: Literal["dnf"]
    packages: Annotated[list[RpmDocument], Field(min_length=1, max_length=MOST_PACKAGES)]
    repositories: OrNull[Annotated[list[RepositoryId], Field(max_length=MOST_PACKAGES)]] = Field(default=[])
    lift_holds: RpmNames = Field(default=[])
    removes: RpmNames = Field(default=[])
    restarts: ServiceNames = Field(default=[])
    downgrade: OrNull[bool] = False
    lock_seconds: Limit = 600.0


class NoneDocument(DocumentModel):
    """The bundle brings nothing to a node."""

    type: Literal["none"]


MechanismDocument = (
    VenvDocument
    | CommandDocument
    | AptDocument
    | DnfDocument
    | AnsibleDocument
    | KollaAnsibleDocument
    | NoneDocument
)
"""One model for each type; which one a mapping is says its key ``type``."""


def read_mechanism(document: MechanismDocument, versions: Mapping[str, str]) -> Mechanism:
    """Return the mechanism that a document without fault describes.

    :param versions: component of the bundle -> the version that it comes in.
    :raises InvalidRequestError: this release cannot carry it out.
    """
    match document:
        case VenvDocument():
            return VenvMechanism(**document.list_values())
        case CommandDocument():
            return CommandMechanism(**document.list_values())
        case AptDocument():
            packages = _read_packages(document.packages, versions)
            return AptMechanism(packages=packages, **document.list_values("packages"))
        case DnfDocument():
            packages = _read_packages(document.packages, versions)
            return DnfMechanism(packages=packages, **document.list_values("packages"))
        case AnsibleDocument() | KollaAnsibleDocument():
            return read_playbooks(document)
        case NoneDocument():
            return NoMechanism()
        case _:
            assert_never(document)


def _read_packages(
    rows: Sequence[DebDocument] | Sequence[RpmDocument], versions: Mapping[str, str]
) -> tuple[Package, ...]:
    return tuple(
        Package(
            name=row.name,
            version=row.version or versions[row.component or ""],
            component=row.component,
            service=row.service,
        )
        for row in rows
    )
