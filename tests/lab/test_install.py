from __future__ import annotations

from typing import TYPE_CHECKING

from escalator.lab.install import Installer
from escalator.lab.progress import silent
from escalator.lab.settings import LabSettings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_uv_is_found_beside_the_interpreter_when_it_is_not_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    installer = Installer(settings=LabSettings(home=tmp_path), progress=silent())
    assert installer._find_uv().endswith("/bin/uv")


def test_the_lab_keeps_a_uv_of_its_own_and_takes_a_newer_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, settings = tmp_path / "uv", LabSettings(home=tmp_path / "home")
    monkeypatch.setattr(Installer, "_find_uv", lambda _: str(found))
    installer = Installer(settings=settings, progress=silent())
    for content in ("one", "one", "number two"):
        found.write_text(content)
        before = settings.uv.stat().st_ino if settings.uv.exists() else None
        was = settings.uv.read_text() if before else ""
        installer._ensure_uv()
        assert settings.uv.read_text() == content
        assert (settings.uv.stat().st_ino == before) == (was == content)
    assert [path.name for path in settings.uv.parent.iterdir()] == ["uv"]
