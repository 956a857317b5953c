"""The options of the mechanism ``venv``, as a bundle's document says them."""

from __future__ import annotations

from typing import Any

import pytest

from escalator.documents.bundles import find_bundle_faults, parse_bundle
from escalator.documents.yaml_lines import load_yaml
from escalator.model.bundle import VenvMechanism

PLAIN: dict[str, Any] = {
    "type": "venv",
    "venv": "/opt/nova/venv",
    "package": "nova",
    "service": "nova-compute",
}
ARTEFACTS = [{"path": f"/srv/{name}", "sha256": "0" * 64} for name in ("upper.txt", "wheels.tar.gz")]


def document(**changes: object) -> dict[str, Any]:
    return {
        "schema": "escalator.bundle/1",
        "name": "nova-34",
        "components": [{"name": "nova-compute", "to": "34.0.0"}],
        "mechanism": {**PLAIN, **changes},
        "artefacts": ARTEFACTS,
    }


def find_faults(**changes: object) -> list[str]:
    return [str(fault) for fault in find_bundle_faults(document(**changes))]


def test_a_libvirt_node() -> None:
    options: dict[str, Any] = {
        "extras": ["osprofiler"],
        "requirements": ["libvirt-python", "python-ironicclient >=5; python_version > '3.10'"],
        "constraints": "https://releases.example.org/constraints/upper/2026.1",
        "index": "https://pypi.example.org/simple",
        "extra_indexes": ["file:///srv/index"],
        "system_site_packages": True,
        "imports": ["libvirt", "nova.virt.libvirt.driver"],
    }
    lists = {key: tuple(value) for key, value in options.items() if isinstance(value, list)}
    assert parse_bundle(document(**options)).mechanism == VenvMechanism(
        venv="/opt/nova/venv", package="nova", service="nova-compute", **(options | lists)
    )


def test_null_is_the_default() -> None:
    keys = ("extras", "requirements", "constraints", "index", "extra_indexes", "wheels", "imports")
    nulls = dict.fromkeys((*keys, "system_site_packages"))
    assert parse_bundle(document(**nulls)) == parse_bundle(document())


@pytest.mark.parametrize(
    "options",
    [
        {"wheels": "/srv/wheel house"},
        {"wheels": "/srv/wheels.tar"},
        {"wheels": "$ESCALATOR_ARTEFACTS"},
        {"wheels": "$ESCALATOR_ARTEFACTS/wheels.tar.gz", "constraints": "$ESCALATOR_ARTEFACTS/upper.txt"},
        {"constraints": "/etc/nova/upper-constraints.txt"},
        {"constraints": "https://git.example.org/raw?h=stable@2026"},
    ],
)
def test_where_things_come_from(options: dict[str, str]) -> None:
    assert find_faults(**options) == []


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"extras": ["a b"]}, "extras[0]: must be letters"),
        ({"extras": "a"}, "extras: must be a list"),
        (
            {"requirements": ["--index-url x"]},
            "requirements[0]: must be a package with its versions, such as",
        ),
        ({"requirements": ["a", "b @ https://x/b.whl"]}, "requirements[1]: names a URL: give an index"),
        ({"requirements": [1]}, "requirements[0]: must be text"),
        (
            {"requirements": ["Nova[x]>1"]},
            "requirements[0]: names 'nova': its version is that of the component",
        ),
        ({"requirements": ["a"] * 101}, "requirements: has too many entries, more than 100"),
        ({"constraints": "upper.txt"}, "constraints: must be a URL (http:// or https://), an absolute path"),
        ({"constraints": "$HOME/upper.txt"}, "constraints: must be a URL"),
        (
            {"constraints": "$ESCALATOR_ARTEFACTS/uper.txt"},
            "constraints: names no artefact of the bundle: 'uper",
        ),
        ({"index": "pypi.org"}, "index: must be the URL of an index"),
        ({"index": "https://pypi/simple?token=x"}, "index: must be the URL of an index"),
        ({"wheels": "https://x/"}, "wheels: must be an absolute path"),
        ({"wheels": "$ESCALATOR_ARTEFACTS/upper.txt"}, "wheels: is one file: an archive (.tar, .tar.gz) is"),
        ({"wheels": "/w", "index": "https://x"}, "index: is of no use beside wheels: no index is asked then"),
        ({"wheels": "/w", "extra_indexes": ["https://x"]}, "extra_indexes: is of no use beside wheels"),
        ({"system_site_packages": "yes"}, "system_site_packages: must be true or false"),
        ({"imports": ["nova-compute"]}, "imports[0]: must be the name of a module"),
        ({"imports": ["nova.;x"]}, "imports[0]: must be the name of a module"),
        ({"import": ["libvirt"]}, "import: is not known, did you mean imports?"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], fault: str) -> None:
    (found,) = find_faults(**options)
    assert found.startswith(f"mechanism.{fault}")


def test_the_artefacts_of_a_bundle_that_has_none() -> None:
    without = {**document(wheels="$ESCALATOR_ARTEFACTS"), "artefacts": []}
    (found,) = find_bundle_faults(without)
    assert str(found) == "mechanism.wheels: means the artefacts of the bundle, and it has none"


@pytest.mark.parametrize(
    "url", ["https://ops:pa55@pypi/simple", "HTTPS://pa55@pypi/simple", "https://pa55@?"]
)
@pytest.mark.parametrize("key", ["index", "constraints", "extra_indexes", "wheels"])
def test_credentials_are_refused_and_not_said_again(key: str, url: str) -> None:
    (found,) = find_faults(**{key: [url] if key == "extra_indexes" else url})
    assert "has a name or a password before its @" in found
    assert "put them into ~root/.netrc or the keyring of the nodes" in found
    assert "pa55" not in found
    assert not any("pa55" in fault for fault in find_faults(requirements=[f"a @ {url}", f"--index {url}"]))


def test_a_fault_has_its_line() -> None:
    text = """\
schema: escalator.bundle/1
name: nova-34
components:
  - {name: nova-compute, to: "34.0.0"}
mechanism:
  type: venv
  venv: /opt/nova/venv
  package: nova
  service: nova-compute
  constraints: $ESCALATOR_ARTEFACTS/upper.txt
  requirements:
    - libvirt-python
    - nova
"""
    assert [fault.line for fault in find_bundle_faults(load_yaml(text))] == [10, 13]
