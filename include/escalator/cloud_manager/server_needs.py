"""What a server asks of its node, by its flavor, its image and its ports, as Nova reads them.

The extra specs of a flavor are embedded in a server's record, the properties of its image from microversion
2.98 on (2025.1); before that what only an image asks for is not known, and Nova still checks it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from escalator.model.feature import Feature

Specs = Mapping[str, str]
MARKED_PCI_VARIABLE = "ESCALATOR_LIVE_MIGRATABLE_PCI"
"""Names the PCI aliases, with commas, that are marked ``live_migratable`` in the cloud's nova.conf."""

_MIB_PER_GIB = 1024
_RESOURCES = re.compile(r"resources(?:[A-Za-z0-9_-]{1,64})?:(.+)")
_UNNUMBERED = "resources:"
_TRAIT = re.compile(r"trait(?:[A-Za-z0-9_-]{1,64})?:(.+)")
_IMAGE_TRAIT = "trait:"
_TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
_SMALL_PAGES = frozenset({"small", "4", "4k", "4kb"})
_HELD_BY_HOST = "host"
"""Where the secret of a virtual TPM has to lie for a live move: Nova 33 and 34 refuse ``deployment`` too."""
_TPM_TRAITS = {"1.2": "COMPUTE_SECURITY_TPM_1_2", "2.0": "COMPUTE_SECURITY_TPM_2_0"}
_SRIOV = frozenset(
    {"direct", "direct-physical", "macvtap", "virtio-forwarder", "remote-managed", "smart-nic"}
)
_ACCELERATED = frozenset({"accelerator-direct", "accelerator-direct-physical"})


def read_resources(flavor: Mapping[str, Any], image: Specs, *, volume_backed: bool) -> dict[str, int]:
    """Return what a server asks of Placement, as Nova computes it.

    :param flavor: the flavor as embedded in a server's record.
    :param image: the properties of its image.
    :param volume_backed: the root disk is a volume and takes nothing of the node's.
    """
    specs: Specs = flavor.get("extra_specs", {})
    swap_gib = -(-int(flavor.get("swap") or 0) // _MIB_PER_GIB)
    root_gib = 0 if volume_backed else int(flavor["disk"])
    wanted = {
        **_read_cpus(int(flavor["vcpus"]), specs, image),
        "MEMORY_MB": int(flavor["ram"]),
        "DISK_GB": root_gib + int(flavor.get("ephemeral") or 0) + swap_gib,
        "MEM_ENCRYPTION_CONTEXT": int(_is_encrypted(specs, image)),
    }
    grouped: dict[str, int] = {}
    for key, amount in specs.items():
        found = _RESOURCES.fullmatch(key)
        if found is None or not amount.isdecimal():
            continue
        if key.startswith(_UNNUMBERED):
            wanted[found[1]] = int(amount)
        else:
            grouped[found[1]] = grouped.get(found[1], 0) + int(amount)
    totals = {name: wanted.get(name, 0) + grouped.get(name, 0) for name in {**wanted, **grouped}}
    return {name: amount for name, amount in totals.items() if amount > 0}


def read_traits(specs: Specs, image: Specs, *, word: str = "required") -> frozenset[str]:
    """Return the traits that a server requires of its node; with the word ``forbidden`` those it forbids."""
    named = {found[1] for key, value in specs.items() if value == word and (found := _TRAIT.fullmatch(key))}
    named |= {
        key.removeprefix(_IMAGE_TRAIT)
        for key, value in image.items()
        if key.startswith(_IMAGE_TRAIT) and value == word
    }
    version = _read(specs, image, "tpm_version")
    if word == "required" and version in _TPM_TRAITS:
        named.add(_TPM_TRAITS[version])
    return frozenset(named)


def read_features(specs: Specs, image: Specs, resources: Iterable[str]) -> frozenset[Feature]:
    """Return what of a server decides how Nova moves it, but for its ports.

    :param resources: the resource classes that it asks for.
    """
    has = {
        Feature.MEMORY_ENCRYPTION: _is_encrypted(specs, image),
        Feature.VTPM: bool(_read(specs, image, "tpm_version"))
        and specs.get("hw:tpm_secret_security", "user") != _HELD_BY_HOST,
        Feature.ACCELERATOR: bool(specs.get("accel:device_profile")),
        Feature.PCI: not _read_aliases(specs) <= _read_marked(),
        Feature.VGPU: any(name == "VGPU" or name.startswith("CUSTOM_VGPU") for name in resources),
        Feature.DEDICATED_CPUS: _read(specs, image, "cpu_policy") in {"dedicated", "mixed"},
        Feature.HUGE_PAGES: (_read(specs, image, "mem_page_size") or "small").lower() not in _SMALL_PAGES,
        Feature.NUMA_NODES: bool(_read(specs, image, "numa_nodes")),
    }
    return frozenset(feature for feature, there in has.items() if there)


def read_port_features(vnic_types: Iterable[str]) -> frozenset[Feature]:
    """Return what the ports of a server say by their ``binding:vnic_type``."""
    kinds = set(vnic_types)
    has = {
        Feature.SRIOV_PORT: not kinds.isdisjoint(_SRIOV),
        Feature.VDPA_PORT: "vdpa" in kinds,
        Feature.ACCELERATOR_PORT: not kinds.isdisjoint(_ACCELERATED),
    }
    return frozenset(feature for feature, there in has.items() if there)


def _read(specs: Specs, image: Specs, name: str) -> str:
    """Return what the flavor says, else the image; empty when neither does."""
    return (specs.get(f"hw:{name}") or image.get(f"hw_{name}") or "").strip()


def _is_encrypted(specs: Specs, image: Specs) -> bool:
    return _read(specs, image, "mem_encryption").lower() in _TRUE


def _read_cpus(vcpus: int, specs: Specs, image: Specs) -> dict[str, int]:
    """Return the CPUs by resource class; of the policy mixed those of the mask are dedicated."""
    match _read(specs, image, "cpu_policy"):
        case "dedicated":
            dedicated = vcpus
        case "mixed":
            mask = specs.get("hw:cpu_dedicated_mask") or specs.get("hw:cpu_realtime_mask") or ""
            dedicated = count_masked(mask, vcpus)
        case _:
            return {"VCPU": vcpus}
    isolated = specs.get("hw:emulator_threads_policy") == "isolate"
    return {"PCPU": dedicated + isolated, "VCPU": vcpus - dedicated}


def count_masked(mask: str, vcpus: int) -> int:
    """Count the CPUs that a mask of Nova's names: ``0-3,^2``; one that begins with ``^`` means all others.

    One that cannot be read names all: rather too many than too few.
    """
    named: set[int] = set(range(vcpus)) if mask.strip().startswith("^") else set()
    without: set[int] = set()
    for part in filter(None, (word.strip() for word in mask.split(","))):
        found = re.fullmatch(r"(\^?)(\d{1,6})(?:-(\d{1,6}))?", part)
        if found is None:
            return vcpus
        first, last = int(found[2]), int(found[3] or found[2])
        (without if found[1] else named).update(range(first, min(last, vcpus) + 1))
    return len((named - without) & set(range(vcpus))) if mask.strip() else vcpus


def _read_aliases(specs: Specs) -> frozenset[str]:
    words = specs.get("pci_passthrough:alias", "").split(",")
    return frozenset(name for word in words if (name := word.partition(":")[0].strip()))


def _read_marked() -> frozenset[str]:
    words = os.environ.get(MARKED_PCI_VARIABLE, "").split(",")
    return frozenset(name for word in words if (name := word.strip()))
