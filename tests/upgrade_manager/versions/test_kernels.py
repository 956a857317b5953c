from __future__ import annotations

import pytest

from escalator.upgrade_manager.versions.kernels import find_newer_kernel


@pytest.mark.parametrize(
    ("running", "installed", "newer"),
    [
        ("6.1.0-9-amd64", "6.1.0-9-amd64 6.1.0-18-amd64", "6.1.0-18-amd64"),
        ("6.1.0-18-amd64", "6.1.0-9-amd64 6.1.0-18-amd64", None),
        ("6.1.0-18-amd64", "6.12.9+bpo-amd64", "6.12.9+bpo-amd64"),
        ("6.12.41+deb13-amd64", "6.12.9+bpo-amd64 6.12.43+deb13-amd64", "6.12.43+deb13-amd64"),
        ("6.1.0-9-cloud-amd64", "6.1.0-18-amd64", None),
        ("6.8.0-31-generic", "6.8.0-9-generic 6.8.0-100-generic 6.11.0-1-lowlatency", "6.8.0-100-generic"),
        (
            "5.14.0-427.13.1.el9_4.x86_64",
            "5.14.0-427.9.1.el9_4.x86_64 5.14.0-503.el9.x86_64 0-rescue-0f3c9a",
            "5.14.0-503.el9.x86_64",
        ),
        ("5.14.0-427.el9.x86_64", "5.14.0-503.el9.x86_64+rt", None),
        ("6.1.0-9-amd64", "", None),
        ("", "6.1.0-9-amd64", None),
        ("4.18.0-553.el8_10.x86_64", "4.18.0-553.5.1.el8_10.x86_64", "4.18.0-553.5.1.el8_10.x86_64"),
    ],
)
def test_the_newest_kernel_of_the_flavour_that_runs(running: str, installed: str, newer: str | None) -> None:
    assert find_newer_kernel(running, installed.split()) == newer
