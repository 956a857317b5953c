from __future__ import annotations

from dataclasses import replace

from tests.builders import BUNDLE

from escalator.model.boot import Boot, RebootSigns
from escalator.model.bundle import Impact, RebootPolicy
from escalator.model.verdict import Code, Severity
from escalator.steps.campaign.check_reboots import check_reboots

ASKED = replace(BUNDLE, impact=Impact.REBOOT, reboot=RebootPolicy.IF_REQUIRED)
QUIET = Boot(boot_id="b", up_seconds=9.0, signs=RebootSigns())


def test_where_no_node_was_asked_nothing_is_said() -> None:
    assert check_reboots(ASKED, ["a"], {}) == ()
    assert check_reboots(ASKED, ["a"], {"a": replace(QUIET, signs=None), "b": QUIET}) == ()


def test_who_asks_for_a_reboot_is_named_with_the_reason() -> None:
    wanting = replace(QUIET, signs=RebootSigns(flag="/run/reboot-required", asked_by=("libc6",)))
    (condition,) = check_reboots(ASKED, ["a", "b"], {"a": QUIET, "b": wanting, "c": wanting})
    assert (condition.code, condition.met) == (Code.REBOOTS, True)
    assert condition.message == (
        "of 2 nodes 1 would be rebooted as they are now: b (/run/reboot-required is there (libc6))"
    )


def test_that_none_does_is_said_too() -> None:
    (condition,) = check_reboots(ASKED, ["a"], {"a": QUIET})
    assert condition.message == "of 1 node 0 would be rebooted as they are now"


def test_a_program_that_breaks_counts_as_asking_and_is_warned_of() -> None:
    broken = replace(QUIET, signs=RebootSigns(needs_restarting=3))
    said, warned = check_reboots(ASKED, ["a", "b"], {"a": QUIET, "b": broken})
    assert said.message.startswith(
        "of 2 nodes 1 would be rebooted as they are now: b (needs-restarting -r failed"
    )
    assert (warned.code, warned.met, warned.severity) == (Code.REBOOT_UNSURE, False, Severity.WARNING)
    assert (warned.subject.id, warned.blocks) == ("b", False)
    assert warned.message == (
        "needs-restarting -r failed with exit code 3: whether a reboot is required is not known, "
        "so it counts as required"
    )
    assert warned.remedy
