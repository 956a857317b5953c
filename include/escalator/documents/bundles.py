"""Read bundles: from a document of ``escalator.bundle/1`` to a :class:`Bundle`, or every fault at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidatorFunctionWrapHandler, WrapValidator

from escalator.documents.artefacts import MOST_ARTEFACTS, ArtefactDocument, name_artefact, read_artefact
from escalator.documents.commands import Command, Limit
from escalator.documents.document_model import (
    NAME_PATTERN,
    DocumentModel,
    GivenName,
    Name,
    OrNull,
    Service,
    Word,
    list_mappings,
    must_be,
    read_document,
    refuse,
)
from escalator.documents.faults import Fault, say_faults
from escalator.documents.mechanisms import MechanismDocument, read_mechanism
from escalator.documents.packages import find_package_faults
from escalator.documents.venv_mechanism import find_venv_faults
from escalator.documents.wording import show_name, show_value
from escalator.model.bundle import (
    Bundle,
    Component,
    HookTime,
    Impact,
    RebootPolicy,
)
from escalator.model.canary import CanaryWish
from escalator.model.errors import InvalidRequestError
from escalator.model.failed_nodes import OnFailedNode
from escalator.upgrade_manager.versions.release_version import ReleaseVersion, Scheme

MOST_COMPONENTS = 1000
"""More than a release of OpenStack has."""
MOST_HOOKS = 10
"""Commands of one time: all of them go to the node in one argument."""
MOST_CHANGES = 100
"""Classes and traits that one bundle may name."""
HookList = Annotated[list[Command], Field(max_length=MOST_HOOKS)]

Seconds = Annotated[
    float, Field(gt=0, lt=10**9, allow_inf_nan=False), must_be(f"a number above 0 and below {10**9}")
]


RebootLimit = Annotated[
    float, Field(ge=30, le=3600, allow_inf_nan=False), must_be("a number of seconds from 30 to 3600")
]


PlacementName = Annotated[
    str,
    Field(pattern=r"^[A-Z0-9_*]*[A-Z0-9_]{2}[A-Z0-9_*]*$"),
    must_be("a resource class or trait of Placement's, such as MEMORY_MB or HW_CPU_X86_*"),
]


class ComponentDocument(DocumentModel):
    """One piece of software that the bundle brings, and its version in the order of a scheme."""

    name: Service
    to: GivenName
    scheme: OrNull[Word[Scheme]] = Scheme.PBR

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find a version that its scheme cannot read."""
        to, scheme = values.get("to"), values.get("scheme") or Scheme.PBR
        if isinstance(to, str) and to.strip() and scheme in tuple(Scheme):
            try:
                ReleaseVersion.parse(to, scheme)
            except InvalidRequestError as error:
                yield Fault(("to",), error.message)


class HooksDocument(DocumentModel):
    """Commands around the upgrade of a node."""

    pre: HookList | None = None
    post: HookList | None = None
    verify: HookList | None = None
    limit_seconds: Limit = 300.0


class ExpectedDocument(DocumentModel):
    """What the upgrade of a node is expected to take."""

    upgrade_seconds: Seconds = 120.0
    reboot_seconds: Seconds = 300.0


class RollbackDocument(DocumentModel):
    """Whether the way back is there."""

    supported: OrNull[bool] = False
    on_failed_node: Word[OnFailedNode] | None = None

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find a rollback that is to begin by itself, of what has no way back."""
        wish = values.get("on_failed_node")
        if wish in tuple(w for w in OnFailedNode if w.takes_back) and values.get("supported") is not True:
            said = f"is {wish}, but the bundle does not say supported: true: nothing could be taken back"
            yield Fault(("on_failed_node",), said)


class CanaryDocument(DocumentModel):
    """What the canaries that prove nodes are made of, each by name or id."""

    flavor: GivenName | None = None
    image: GivenName | None = None
    network: GivenName | None = None


def _choose_canary(value: object, read: ValidatorFunctionWrapHandler) -> object:
    """Read a wish for canaries; name its faults by their own places, not by the alternatives of its form."""
    if isinstance(value, Mapping):
        return CanaryDocument.model_validate(value)
    if value is False or value == "off":
        return read(value)
    raise refuse(f"must be off, or a mapping of flavor, image and network, not {show_value(value)}")


CanaryWord = Annotated[CanaryDocument | Literal["off", False], WrapValidator(_choose_canary)]


class BundleDocument(DocumentModel):
    """A bundle: what to bring to the nodes, how, with which impact, and how long it is expected to take."""

    schema_: Literal["escalator.bundle/1"] = Field(alias="schema")
    name: Name
    components: Annotated[list[ComponentDocument], Field(min_length=1, max_length=MOST_COMPONENTS)]
    mechanism: MechanismDocument = Field(discriminator="type")
    impact: OrNull[Word[Impact]] = Impact.CONTROL
    reboot: OrNull[Word[RebootPolicy]] = RebootPolicy.NEVER
    reboot_limit_seconds: RebootLimit = 1200.0
    artefacts: OrNull[Annotated[list[ArtefactDocument], Field(max_length=MOST_ARTEFACTS)]] = Field(default=[])
    hooks: OrNull[HooksDocument] = Field(default_factory=HooksDocument)
    expected: OrNull[ExpectedDocument] = Field(default_factory=ExpectedDocument)
    rollback: OrNull[RollbackDocument] = Field(default_factory=RollbackDocument)
    canary: OrNull[CanaryWord] = Field(default_factory=CanaryDocument)
    expected_changes: OrNull[Annotated[list[PlacementName], Field(max_length=MOST_CHANGES)]] = Field(
        default=[]
    )

    @classmethod
    def find_faults_between(cls, values: Mapping[Any, Any], asked: object) -> Iterator[Fault]:  # noqa: ARG003
        """Find a component that stands there twice, and a service that is no component."""
        names: set[object] = set()
        for index, component in list_mappings(values, "components"):
            name = component.get("name")
            if isinstance(name, str) and name in names:
                yield Fault(("components", index, "name"), f"{show_name(name)} stands there twice")
            names.add(name if isinstance(name, str) else None)
        mechanism = values.get("mechanism")
        called: set[str] = set()
        for index, artefact in list_mappings(values, "artefacts"):
            name = name_artefact(artefact)
            if name and name in called:
                yield Fault(("artefacts", index), f"the name {show_name(name)} stands there twice")
            called.add(name)
        keys = mechanism if isinstance(mechanism, Mapping) else {}
        if keys.get("type") == "venv":
            yield from find_venv_faults(keys, names, called)
        if keys.get("type") in ("apt", "dnf"):
            yield from find_package_faults(values, keys)
        yield from _find_contradiction(values)


def _find_contradiction(values: Mapping[Any, Any]) -> Iterator[Fault]:
    """Find a reboot under servers that stay: only a node that is drained may be rebooted."""
    reboot, impact = values.get("reboot"), values.get("impact")
    if reboot in (RebootPolicy.IF_REQUIRED, RebootPolicy.ALWAYS) and impact in (None, Impact.CONTROL):
        said = "is control" if impact else "is left out, which is control"
        yield Fault(
            ("reboot",),
            f"is {reboot}, but impact {said}: members of HA groups would stay on a node that reboots; "
            "say impact: reboot, which drains it first, or reboot: never",
        )


def find_bundle_faults(document: object) -> list[Fault]:
    """Find every fault of a bundle's document, each with its place, and its line where that is known."""
    found = read_document(BundleDocument, document)
    return found if isinstance(found, list) else []


def parse_bundle(document: object) -> Bundle:
    """Read a bundle from its document: what a YAML or JSON reader makes of the file.

    :param document: the whole document, of any form.
    :raises InvalidRequestError: names every fault with its path, such as ``mechanism.venv: is required``.
    """
    found = read_document(BundleDocument, document)
    if isinstance(found, list):
        raise InvalidRequestError(
            f"{_subject(document)} cannot be read: {say_faults(found)}", remedy="correct the file"
        )
    hooks = {str(name): getattr(found.hooks, name) for name in HookTime}
    return Bundle(
        name=found.name,
        components=tuple(Component(name=c.name, to=c.to, scheme=c.scheme) for c in found.components),
        mechanism=read_mechanism(found.mechanism, {c.name: c.to for c in found.components}),
        impact=found.impact,
        reboot=found.reboot,
        reboot_limit_seconds=found.reboot_limit_seconds,
        artefacts=tuple(map(read_artefact, found.artefacts)),
        hooks={name: tuple(commands) for name, commands in hooks.items() if commands is not None},
        hook_seconds=found.hooks.limit_seconds,
        expected_upgrade_seconds=found.expected.upgrade_seconds,
        expected_reboot_seconds=found.expected.reboot_seconds,
        rollback_supported=found.rollback.supported,
        on_failed_node=found.rollback.on_failed_node,
        canary=_canary(found.canary),
        expected_changes=tuple(found.expected_changes),
    )


def _canary(document: CanaryDocument | Literal["off", False]) -> CanaryWish:
    """Read the wish; ``off`` is false for a YAML reader. A bundle that names something switches them on."""
    if isinstance(document, CanaryDocument):
        named = (document.flavor, document.image, document.network)
        off = False if any(named) else None
        return CanaryWish(flavor=document.flavor, image=document.image, network=document.network, off=off)
    return CanaryWish(off=True)


def _subject(document: object) -> str:
    """Name the bundle if its name can be read."""
    name = document.get("name") if isinstance(document, Mapping) else None
    is_name = isinstance(name, str) and re.fullmatch(NAME_PATTERN, name)
    return f"bundle {name}" if is_name else "the bundle"
