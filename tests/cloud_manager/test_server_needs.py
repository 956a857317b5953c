from __future__ import annotations

import pytest

from escalator.cloud_manager.server_needs import (
    MARKED_PCI_VARIABLE,
    count_masked,
    read_features,
    read_port_features,
    read_resources,
    read_traits,
)
from escalator.model.feature import Feature

FLAVOR = {"vcpus": 4, "ram": 2048, "disk": 10, "ephemeral": 0, "swap": 0}


@pytest.mark.parametrize(
    ("specs", "image", "cpus"),
    [
        ({}, {}, {"VCPU": 4}),
        ({"hw:cpu_policy": "shared"}, {}, {"VCPU": 4}),
        ({"hw:cpu_policy": "dedicated"}, {}, {"PCPU": 4}),
        ({}, {"hw_cpu_policy": "dedicated"}, {"PCPU": 4}),
        ({"hw:cpu_policy": "dedicated", "hw:emulator_threads_policy": "isolate"}, {}, {"PCPU": 5}),
        ({"hw:cpu_policy": "dedicated", "hw:emulator_threads_policy": "share"}, {}, {"PCPU": 4}),
        ({"hw:cpu_policy": "mixed", "hw:cpu_dedicated_mask": "0-1"}, {}, {"PCPU": 2, "VCPU": 2}),
        ({"hw:cpu_policy": "mixed", "hw:cpu_realtime_mask": "^0"}, {}, {"PCPU": 3, "VCPU": 1}),
        ({"resources:VCPU": "0", "resources:PCPU": "4"}, {}, {"PCPU": 4}),
    ],
)
def test_cpus_by_class(specs: dict[str, str], image: dict[str, str], cpus: dict[str, int]) -> None:
    found = read_resources({**FLAVOR, "extra_specs": specs}, image, volume_backed=False)
    assert found == {**cpus, "MEMORY_MB": 2048, "DISK_GB": 10}


@pytest.mark.parametrize(
    ("mask", "count"),
    [("0-1", 2), ("0,3", 2), ("^0", 3), ("^0-1", 2), ("0-3,^2", 3), ("", 4), ("all", 4), ("2-99", 2)],
)
def test_masks_of_cpus(mask: str, count: int) -> None:
    assert count_masked(mask, 4) == count


def test_groups_of_resources_add_up() -> None:
    specs = {
        "resources:VGPU": "1",
        "resources1:VGPU": "1",
        "resources_NET:CUSTOM_X": "2",
        "resources2:Y": "?",
    }
    found = read_resources({**FLAVOR, "extra_specs": specs}, {}, volume_backed=True)
    assert found == {"VCPU": 4, "MEMORY_MB": 2048, "VGPU": 2, "CUSTOM_X": 2}


def test_encrypted_memory_takes_a_context() -> None:
    found = read_resources(FLAVOR, {"hw_mem_encryption": "True"}, volume_backed=True)
    assert found["MEM_ENCRYPTION_CONTEXT"] == 1


def test_traits_of_flavor_and_image() -> None:
    specs = {"trait:A": "required", "trait1:B": "required", "trait:C": "forbidden", "hw:tpm_version": "2.0"}
    image = {"trait:D": "required", "trait:E": "forbidden", "os_type": "linux"}
    assert read_traits(specs, image) == {"A", "B", "D", "COMPUTE_SECURITY_TPM_2_0"}
    assert read_traits(specs, image, word="forbidden") == {"C", "E"}


@pytest.mark.parametrize(
    ("specs", "image", "features"),
    [
        ({}, {}, set()),
        ({"hw:mem_encryption": "true"}, {}, {Feature.MEMORY_ENCRYPTION}),
        ({"hw:mem_encryption": "False"}, {}, set()),
        ({}, {"hw_mem_encryption": "yes"}, {Feature.MEMORY_ENCRYPTION}),
        ({"hw:tpm_version": "2.0"}, {}, {Feature.VTPM}),
        ({"hw:tpm_version": "2.0", "hw:tpm_secret_security": "user"}, {}, {Feature.VTPM}),
        ({"hw:tpm_version": "2.0", "hw:tpm_secret_security": "deployment"}, {}, {Feature.VTPM}),
        ({"hw:tpm_version": "2.0", "hw:tpm_secret_security": "host"}, {}, set()),
        ({}, {"hw_tpm_version": "1.2"}, {Feature.VTPM}),
        ({"accel:device_profile": "fpga"}, {}, {Feature.ACCELERATOR}),
        ({"pci_passthrough:alias": "gpu:1"}, {}, {Feature.PCI}),
        ({"pci_passthrough:alias": "gpu:1,nic:2"}, {}, {Feature.PCI}),
        ({"pci_passthrough:alias": "nic:2, qat:1"}, {}, set()),
        ({"hw:cpu_policy": "mixed"}, {}, {Feature.DEDICATED_CPUS}),
        ({"hw:mem_page_size": "1GB"}, {}, {Feature.HUGE_PAGES}),
        ({"hw:mem_page_size": "small"}, {}, set()),
        ({}, {"hw_mem_page_size": "large", "hw_numa_nodes": "2"}, {Feature.HUGE_PAGES, Feature.NUMA_NODES}),
    ],
)
def test_features(
    specs: dict[str, str], image: dict[str, str], features: set[Feature], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MARKED_PCI_VARIABLE, "nic, qat")
    assert read_features(specs, image, ()) == features


def test_a_vgpu_is_told_by_its_resource_class() -> None:
    assert read_features({}, {}, {"VCPU": 1, "VGPU": 1}) == {Feature.VGPU}


@pytest.mark.parametrize(
    ("kinds", "features"),
    [
        ({"normal", "baremetal"}, set()),
        ({"normal", "direct"}, {Feature.SRIOV_PORT}),
        ({"direct-physical"}, {Feature.SRIOV_PORT}),
        ({"macvtap"}, {Feature.SRIOV_PORT}),
        ({"vdpa"}, {Feature.VDPA_PORT}),
        ({"accelerator-direct"}, {Feature.ACCELERATOR_PORT}),
        ({"accelerator-direct-physical", "direct"}, {Feature.ACCELERATOR_PORT, Feature.SRIOV_PORT}),
    ],
)
def test_ports(kinds: set[str], features: set[Feature]) -> None:
    assert read_port_features(kinds) == features
