from __future__ import annotations

import pytest
from tests import sh

from escalator.lab.machine.layers import BASE_RECIPE
from escalator.lab.machine.qemu_layers import _INIT, GUEST_RECIPE, NEWER, QEMU_RECIPE


@pytest.mark.parametrize("script", [QEMU_RECIPE.script, GUEST_RECIPE.script, NEWER, _INIT])
def test_scripts_are_whole(script: str) -> None:
    assert sh.parse(script) == sh.WHOLE
    assert not [word for word in script if ord(word) < ord("\n")]


def test_layers_with_and_without_a_hypervisor_have_the_same_ground() -> None:
    assert QEMU_RECIPE.below is GUEST_RECIPE.below is BASE_RECIPE


def test_no_list_of_packages_is_kept_in_a_layer_of_machines() -> None:
    for recipe in (QEMU_RECIPE, GUEST_RECIPE):
        assert recipe.script.endswith("rm -rf /var/lib/apt/lists/*\n")
