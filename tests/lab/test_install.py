from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from escalator.lab import install
from escalator.lab.errors import LabError
from escalator.lab.install import Installer, ServicesHeldBack, node_caches
from escalator.lab.progress import silent
from escalator.lab.settings import LabSettings

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


def test_who_is_not_root_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "is_installed", lambda name: name == "postgresql")
    monkeypatch.setattr(install.os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="rabbitmq-server openssh-server") as refused:
        Installer(settings=LabSettings(home=tmp_path), progress=silent()).ensure()
    assert "apt-get install" in str(refused.value.remedy)


def test_the_caches_of_the_nodes_are_in_the_home_of_the_lab(tmp_path: Path) -> None:
    settings = LabSettings(home=tmp_path)
    caches = node_caches(settings)
    assert caches["UV_CACHE_DIR"] == str(tmp_path / "uv-cache")
    assert caches["PYTHONPYCACHEPREFIX"] == str(tmp_path / "pycache")
    assert caches["UV_PYTHON"] == str(settings.python)


def test_uv_is_found_beside_the_interpreter_when_it_is_not_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    installer = Installer(settings=LabSettings(home=tmp_path), progress=silent())
    assert installer._uv().endswith("/bin/uv")
