"""The mechanism ``apt`` in a bundle: its packages, its components and its impact have to fit one another."""

from __future__ import annotations

from typing import Any

import pytest
from tests.documents.test_bundles import FULL, refused

from escalator.checks.bundle_faults import find_faults
from escalator.documents.bundles import parse_bundle
from escalator.documents.yaml_lines import load_yaml
from escalator.model.bundle import AptMechanism, ConffilePolicy, DnfMechanism, Package

TO = "3:34.0.0-0lab1"
NOVA = {"name": "lab-nova-compute", "component": "nova-compute", "service": "nova-compute"}
QEMU = {"name": "qemu-system-x86", "version": "1:10.0.2+ds-2~bpo12+1"}


def bundle(*packages: object, components: list[Any] | None = None, **changes: Any) -> dict[str, Any]:
    impact = changes.pop("impact", "control")
    mechanism = {"type": "apt", "packages": list(packages) or [NOVA], **changes}
    brings = components or [{"name": "nova-compute", "to": TO, "scheme": "deb"}]
    return {**FULL, "components": brings, "mechanism": mechanism, "impact": impact}


def test_the_version_of_a_component_is_that_of_its_package() -> None:
    read = parse_bundle(bundle())
    nova = Package(name="lab-nova-compute", version=TO, component="nova-compute", service="nova-compute")
    assert read.mechanism == AptMechanism(packages=(nova,))
    assert parse_bundle(bundle({**NOVA, "version": TO})).mechanism == read.mechanism


def test_all_that_it_may_say() -> None:
    mechanism = parse_bundle(
        bundle(
            NOVA,
            QEMU,
            impact="data",
            sources="/etc/escalator/nova-34.sources",
            keyring="/etc/escalator/nova.gpg",
            conffiles="replace",
            lift_holds=["qemu-system-x86"],
            removes=["nova-compute-kvm"],
            restarts=["libvirtd.service"],
            downgrade=True,
            lock_seconds=60,
        )
    ).mechanism
    assert isinstance(mechanism, AptMechanism)
    assert mechanism.packages[1] == Package(**QEMU)
    assert mechanism.conffiles is ConffilePolicy.REPLACE
    assert mechanism.lock_seconds == 60
    assert mechanism.removes == ("nova-compute-kvm",)
    assert parse_bundle(bundle(lift_holds=None, removes=None, conffiles=None)) == parse_bundle(bundle())


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (bundle({"name": "x y"}), "packages[0].name: must be a package's name"),
        (bundle({**NOVA, "name": "-x"}), "packages[0].name: must be a package's name"),
        (bundle(NOVA, {**QEMU, "version": "latest"}), "packages[1].version: must be an exact version"),
        (bundle(NOVA, {**QEMU, "version": "1;reboot"}), "packages[1].version: must be an exact version"),
        (bundle(NOVA, {"name": "qemu"}), "packages[1].version: is required where no component says it"),
        (
            bundle({**NOVA, "version": "3:33.0.2-1"}),
            "packages[0].version: is '3:33.0.2-1', but the component",
        ),
        (bundle({**NOVA, "component": "nova"}), "packages[0].component: no component is named 'nova'"),
        (bundle({**NOVA, "service": None}), "packages[0].service: is required: the systemd service"),
        (bundle({**NOVA, "service": "a b"}), "packages[0].service: must be letters"),
        (
            bundle(NOVA, {**NOVA, "name": "other"}),
            "packages[1].component: nova-compute is carried by lab-nova",
        ),
        (bundle(NOVA, QEMU, QEMU, impact="data"), "packages[2].name: qemu-system-x86 stands there twice"),
        (
            bundle(QEMU, impact="data"),
            "components[0]: no package of the mechanism says component: nova-compute",
        ),
        (bundle(NOVA, QEMU), "packages[1].name: qemu-system-x86: guests run on it, and impact is control"),
        (bundle(restarts=["libvirtd"]), "mechanism.restarts[0]: libvirtd: guests run on it"),
        (bundle(removes=["qemu-kvm"]), "mechanism.removes[0]: qemu-kvm: guests run on it"),
        (bundle(keyring="/x.asc"), "mechanism.keyring: is of no use without sources"),
        (bundle(sources="/x.list", keyring="/x"), "mechanism.keyring: must be an absolute path"),
        (bundle(sources="x.list"), "mechanism.sources: must be an absolute path"),
        (bundle(sources="/x"), "that ends with .list or .sources"),
        (bundle(conffiles="ask"), "mechanism.conffiles: is 'ask', must be one of keep, replace"),
        (bundle(hold=["x"]), "mechanism.hold: is not known"),
        (
            bundle(components=[{"name": "nova-compute", "to": "34.0.0"}]),
            "packages[0].component: nova-compute needs scheme: deb",
        ),
        (
            bundle(components=[{"name": "nova-compute", "to": "34.0.0_1", "scheme": "deb"}]),
            "is no version of dpkg's",
        ),
    ],
)
def test_what_does_not_fit_is_named(document: object, message: str) -> None:
    assert message in refused(document)


def test_every_fault_has_its_line() -> None:
    text = """\
schema: escalator.bundle/1
name: nova-34
components:
  - {name: nova-compute, to: "3:34.0.0-0lab1", scheme: deb}
  - {name: qemu, to: "1:10.0.2-1", scheme: deb}
mechanism:
  type: apt
  packages:
    - {name: lab-nova-compute, component: nova-compute, service: nova-compute}
    - name: openvswitch-switch
      version: "3.1.0-2"
"""
    assert [(fault.line, fault.words[:20]) for fault in find_faults(load_yaml(text))] == [
        (5, "no package of the me"),
        (10, "openvswitch-switch: "),
    ]


RPM = "1:34.0.0-1.el10"
RPM_NOVA = {
    "name": "openstack-nova-compute",
    "component": "nova-compute",
    "service": "openstack-nova-compute",
}


def rpm_bundle(*packages: object, to: str = RPM, scheme: str = "rpm", **changes: Any) -> dict[str, Any]:
    brings = [{"name": "nova-compute", "to": to, "scheme": scheme}]
    return bundle(*(packages or (RPM_NOVA,)), components=brings, type="dnf", **changes)


def test_packages_of_rpm() -> None:
    read = parse_bundle(
        rpm_bundle(
            RPM_NOVA,
            {"name": "qemu-kvm", "version": "17:10.0.0-9.el10"},
            impact="data",
            repositories=["nova-34", "copr:copr.example.org:team:nova"],
            lift_holds=["openstack-nova-compute"],
            removes=["python3-old"],
            restarts=["libvirtd"],
            downgrade=True,
        )
    )
    nova = Package(
        name="openstack-nova-compute",
        version=RPM,
        component="nova-compute",
        service="openstack-nova-compute",
    )
    assert read.mechanism == DnfMechanism(
        packages=(nova, Package(name="qemu-kvm", version="17:10.0.0-9.el10")),
        repositories=("nova-34", "copr:copr.example.org:team:nova"),
        lift_holds=("openstack-nova-compute",),
        removes=("python3-old",),
        restarts=("libvirtd",),
        downgrade=True,
    )


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (rpm_bundle(scheme="deb"), "packages[0].component: nova-compute needs scheme: rpm"),
        (
            rpm_bundle(to="34.0.0"),
            "packages[0].component: '34.0.0', to which nova-compute comes, is no version",
        ),
        (
            rpm_bundle(RPM_NOVA | {"version": "0:34-1"}),
            "packages[0].version: must be an exact version of rpm's",
        ),
        (
            rpm_bundle(RPM_NOVA | {"name": "nova compute"}),
            "packages[0].name: must be a package's name, as rpm",
        ),
        (
            rpm_bundle(RPM_NOVA, {"name": "kernel-core", "version": "6-1"}),
            "packages[1].name: kernel-core: guests",
        ),
        (
            rpm_bundle(RPM_NOVA, {"name": "openvswitch3.3", "version": "6-1"}),
            "packages[1].name: openvswitch3.3:",
        ),
        (rpm_bundle(conffiles="keep"), "conffiles: is not known"),
        (rpm_bundle(repositories=["a b"]), "repositories[0]: must be the id of a repository of dnf's"),
    ],
)
def test_packages_of_rpm_that_cannot_be(document: dict[str, Any], fault: str) -> None:
    assert f"mechanism.{fault}" in refused(document)
