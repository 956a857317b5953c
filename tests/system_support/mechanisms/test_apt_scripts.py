from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests import sh

from escalator.model.bundle import AptMechanism, ConffilePolicy, Package
from escalator.model.errors import InvalidRequestError
from escalator.system_support.mechanisms.apt_scripts import (
    write_activate_script,
    write_check_script,
    write_outlook_script,
    write_read_script,
    write_source_script,
    write_stage_script,
    write_way_back_script,
)

NOVA = Package(name="nova", version="33", component="nova-compute", service="nova-compute")
APT = AptMechanism(
    packages=(NOVA, Package(name="qemu", version="1:10")), sources="/etc/a b.list", keyring="/k"
)
SCRIPTS: dict[str, Callable[[AptMechanism], str]] = {
    "stage": lambda apt: write_stage_script(apt, "34"),
    "activate": lambda apt: write_activate_script(apt, "34", ["plan|Remv|it's|1", "held|x"]),
    "check": lambda apt: write_check_script(apt, "/it's/jobs", "/it's/state"),
    "outlook": lambda apt: write_outlook_script(apt, "34"),
    "source": lambda apt: write_source_script(apt, "34"),
    "read": write_read_script,
    "way back": lambda apt: write_way_back_script(apt, "34"),
}


@pytest.mark.parametrize("write", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_every_script_is_good_sh(write: Callable[[AptMechanism], str]) -> None:
    assert sh.parse(write(APT)) == sh.WHOLE


def test_the_version_of_a_job_is_that_of_the_package_of_nova_compute() -> None:
    assert "wanted='nova=34 qemu=1:10'" in write_stage_script(APT, "34")


def test_what_apt_may_do_beyond_its_habits_is_what_the_bundle_says() -> None:
    def flags(apt: AptMechanism) -> str:
        script = write_activate_script(apt, "34", [])
        return next(line for line in script.splitlines() if line.startswith("flags="))

    assert flags(APT) == "flags=--no-remove"
    assert flags(replace(APT, removes=("x1",))) == "flags=''"
    assert "--allow-downgrades" in flags(replace(APT, downgrade=True))
    assert "--allow-change-held-packages" in flags(replace(APT, lift_holds=("nova",)))


def test_other_packages_have_another_key_and_what_apt_may_do_does_not_count() -> None:
    def key(apt: AptMechanism, version: str = "34") -> str:
        script = write_stage_script(apt, version)
        return next(line for line in script.splitlines() if line.startswith("key="))

    other = replace(APT, packages=(replace(NOVA, version="x"), APT.packages[1]))
    assert key(APT) == key(other) == key(replace(APT, removes=("x1",), conffiles=ConffilePolicy.REPLACE))
    assert len({key(APT), key(APT, "35"), key(replace(APT, packages=(NOVA,)))}) == 3


@pytest.mark.parametrize("version", ["", "latest", "34 --force", "34;reboot", "-1", "3*"])
def test_a_version_that_cannot_be_is_refused(version: str) -> None:
    for write in (write_stage_script, write_source_script, write_outlook_script):
        with pytest.raises(InvalidRequestError):
            write(APT, version)
    with pytest.raises(InvalidRequestError):
        write_read_script(replace(APT, packages=(NOVA, Package(name="qemu", version=version))))


@pytest.mark.parametrize(
    "broken",
    [
        replace(APT, packages=(NOVA, Package(name="--purge", version="1"))),
        replace(APT, packages=(NOVA, Package(name="a b", version="1"))),
        replace(APT, packages=(replace(NOVA, service="$(reboot)"),)),
        replace(APT, lift_holds=("x y",)),
        replace(APT, sources="relative"),
        replace(APT, keyring="/k'"),
    ],
)
def test_a_name_or_path_that_cannot_be_is_refused(broken: AptMechanism) -> None:
    with pytest.raises(InvalidRequestError):
        write_stage_script(broken, "34")
