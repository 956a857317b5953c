"""Read bundles: from a document of ``escalator.bundle/1`` to a :class:`Bundle`, or every fault at once."""

from __future__ import annotations

import re
from collections.abc import Mapping

from escalator.documents.fields import Fields, shown
from escalator.model.bundle import (
    SCHEMA,
    SUPPORTED_MECHANISMS,
    Bundle,
    Component,
    Impact,
    Mechanism,
    MechanismType,
    NoMechanism,
    RebootPolicy,
    VenvMechanism,
)
from escalator.model.errors import InvalidRequestError
from escalator.upgrade_manager.versions.release_version import ReleaseVersion, Scheme

_KEYS = (
    "schema",
    "name",
    "components",
    "mechanism",
    "impact",
    "reboot",
    "artefacts",
    "hooks",
    "expected",
    "rollback",
)
_HOOKS = ("pre", "post", "verify")
_INSTALLERS = ("pip", "uv")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PATH = re.compile(r"(?:/[A-Za-z0-9_+-][A-Za-z0-9._+-]*)+")
_PROGRAM = re.compile(r"/?[A-Za-z0-9_][A-Za-z0-9._+/-]*")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAMED = "letters, digits, '.', '_' and '-', beginning with a letter or a digit"


def parse_bundle(document: object) -> Bundle:
    """Read a bundle from its document: what a YAML or JSON reader makes of the file.

    :param document: the whole document, of any form.
    :raises InvalidRequestError: names every fault with its path, such as ``mechanism.venv: is required``.
    """
    faults: list[str] = []
    fields = Fields.of(document, faults, path="", keys=_KEYS)
    schema = fields.text("schema", required=True)
    if schema and schema != SCHEMA:
        fields.fault("schema", f"is {shown(schema)}, this release reads {SCHEMA}")
    name = fields.text("name", required=True, pattern=_NAME, form=_NAMED)
    expected = fields.section("expected", keys=("upgrade_seconds",))
    rollback = fields.section("rollback", keys=("supported",))
    bundle = Bundle(
        name=name,
        components=_components(fields),
        mechanism=_mechanism(fields),
        impact=Impact(fields.choice("impact", tuple(Impact), Impact.CONTROL)),
        reboot=RebootPolicy(fields.choice("reboot", tuple(RebootPolicy), RebootPolicy.NEVER)),
        artefacts=_artefacts(fields),
        hooks=_hooks(fields),
        expected_upgrade_seconds=expected.positive("upgrade_seconds", 120.0),
        rollback_supported=rollback.flag("supported", default=False),
    )
    service = bundle.mechanism.service if isinstance(bundle.mechanism, VenvMechanism) else ""
    if service and bundle.components and bundle.target_version(service) is None:
        fields.fault("components", f"none is named {service}, the service of the mechanism")
    if faults:
        subject = f"bundle {name}" if name else "the bundle"
        raise InvalidRequestError(f"{subject} cannot be read: {'; '.join(faults)}", remedy="correct the file")
    return bundle


def _components(fields: Fields) -> tuple[Component, ...]:
    components: list[Component] = []
    for item in fields.sections("components", keys=("name", "to", "scheme"), required=True):
        component = Component(
            name=item.text("name", required=True, pattern=_SERVICE, form=_NAMED),
            to=item.text("to", required=True),
            scheme=item.choice("scheme", tuple(Scheme), Scheme.PBR),
        )
        if component.to:
            try:
                ReleaseVersion.parse(component.to, component.scheme)
            except InvalidRequestError as error:
                item.fault("to", error.message)
        if component.name and component.name in {c.name for c in components}:
            item.fault("name", f"{component.name} stands there twice")
        components.append(component)
    return tuple(components)


def _mechanism(fields: Fields) -> Mechanism:
    """Read the mechanism; of one that this release cannot carry out, only the type is looked at."""
    if not fields.has("mechanism"):
        fields.fault("mechanism", "is required")
        return NoMechanism()
    section = fields.section("mechanism", keys=None)
    kind = section.choice("type", tuple(MechanismType), "", required=True)
    if kind == VenvMechanism.type:
        return _venv(section)
    if kind == NoMechanism.type:
        section.refuse_unknown(("type",))
    elif kind:
        known = " and ".join(SUPPORTED_MECHANISMS)
        section.fault("type", f"{kind} is not supported in this release, which knows {known}")
    return NoMechanism()


def _venv(section: Fields) -> VenvMechanism:
    section.refuse_unknown(("type", "venv", "package", "service", "installer", "python"))
    return VenvMechanism(
        venv=section.text("venv", required=True, pattern=_PATH, form="an absolute path in plain characters"),
        package=section.text("package", required=True, pattern=_NAME, form=_NAMED),
        service=section.text("service", required=True, pattern=_SERVICE, form=_NAMED),
        installer=section.choice("installer", _INSTALLERS, "pip"),
        python=section.text("python", default="python3", pattern=_PROGRAM, form="a program's name or path"),
    )


def _artefacts(fields: Fields) -> tuple[Mapping[str, str], ...]:
    artefacts: list[Mapping[str, str]] = []
    for item in fields.sections("artefacts", keys=("url", "path", "sha256", "signature")):
        if item.has("url") == item.has("path"):
            item.fault("", "needs either url or path")
        texts = {key: item.text(key) for key in ("url", "path", "signature")}
        texts["sha256"] = item.text(
            "sha256", required=True, pattern=_SHA256, form="64 hexadecimal digits in lower case"
        )
        artefacts.append({key: text for key, text in texts.items() if text})
    return tuple(artefacts)


def _hooks(fields: Fields) -> Mapping[str, tuple[str, ...]]:
    section = fields.section("hooks", keys=_HOOKS)
    return {name: section.texts(name) for name in _HOOKS if section.has(name)}
