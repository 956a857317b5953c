from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from escalator.lab import debian_packages
from escalator.lab.debian_packages import ServicesHeldBack, ensure_debian_packages, fetch_lacking
from escalator.lab.errors import LabError
from escalator.lab.progress import silent

if TYPE_CHECKING:
    from pathlib import Path


def test_a_policy_that_was_there_comes_back_as_it_was(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    policy.chmod(0o700)
    with ServicesHeldBack(policy):
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o111
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.stat().st_mode & 0o777 == 0o700


def install_that_fails(policy: Path) -> None:
    with ServicesHeldBack(policy):
        assert policy.exists()
        raise OSError("apt failed")


def test_a_policy_of_ours_goes_away_even_after_an_error(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with pytest.raises(OSError, match="apt"):
        install_that_fails(policy)
    assert not policy.exists()


def test_what_is_installed_is_told_from_what_is_not_and_what_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = tmp_path / "dpkg-query"
    query.write_text("#!/bin/sh\necho 'here installed'\necho 'gone config-files'\nexit 1\n")
    query.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert fetch_lacking(("here", "gone", "unknown")) == ["gone", "unknown"]
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert fetch_lacking(("here",)) == ["here"]


def test_who_is_not_root_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        debian_packages, "fetch_lacking", lambda names: [name for name in names if name != "postgresql"]
    )
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabError, match="rabbitmq-server openssh-server") as refused:
        ensure_debian_packages(("rabbitmq-server", "postgresql", "openssh-server"), silent())
    assert "apt-get install" in str(refused.value.remedy)
