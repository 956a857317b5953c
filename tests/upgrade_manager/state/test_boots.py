from __future__ import annotations

import pytest

from escalator.model.boot import RebootSigns
from escalator.upgrade_manager.state.boots import find_reboot_doubts, find_reboot_reasons

QUIET = {"kernel": "6.1.0-18-amd64", "kernels": ("6.1.0-9-amd64", "6.1.0-18-amd64")}


@pytest.mark.parametrize("code", [None, 0])
def test_a_node_without_a_sign_needs_no_reboot(code: int | None) -> None:
    signs = RebootSigns(needs_restarting=code, **QUIET)  # type: ignore[arg-type]
    assert (find_reboot_reasons(signs), find_reboot_doubts(signs)) == ((), ())


@pytest.mark.parametrize(
    ("code", "how"),
    [(2, "failed with exit code 2"), (127, "failed with exit code 127"), (124, "took too long")],
)
def test_a_program_that_breaks_is_a_doubt_and_no_answer(code: int, how: str) -> None:
    signs = RebootSigns(needs_restarting=code, **QUIET)  # type: ignore[arg-type]
    assert find_reboot_reasons(signs) == ()
    assert find_reboot_doubts(signs) == (
        f"needs-restarting -r {how}: whether a reboot is required is not known",
    )


def test_a_program_that_asks_leaves_no_doubt() -> None:
    assert find_reboot_doubts(RebootSigns(needs_restarting=1)) == ()


def test_every_reason_is_named() -> None:
    signs = RebootSigns(
        flag="/run/reboot-required",
        asked_by=("libc6", "linux-image-amd64"),
        needs_restarting=1,
        kernel="6.1.0-9-amd64",
        kernels=QUIET["kernels"],  # type: ignore[arg-type]
    )
    assert find_reboot_reasons(signs) == (
        "/run/reboot-required is there (libc6, linux-image-amd64)",
        "needs-restarting -r says so",
        "it runs the kernel 6.1.0-9-amd64, and 6.1.0-18-amd64 is installed",
    )


def test_who_asked_need_not_be_noted() -> None:
    assert find_reboot_reasons(RebootSigns(flag="/run/reboot-required")) == ("/run/reboot-required is there",)
