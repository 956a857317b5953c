from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from escalator.lab.errors import LabError
from escalator.lab.machine import layers
from escalator.lab.machine.layers import BASE_RECIPE, Layers, Recipe, prune
from escalator.lab.progress import silent

if TYPE_CHECKING:
    from pathlib import Path

TOP = Recipe(name="top", script="true", below=BASE_RECIPE)


def test_a_layer_is_named_by_all_that_it_is_made_of() -> None:
    keys = {
        TOP.key,
        replace(TOP, script="false").key,
        replace(TOP, inputs=("2",)).key,
        replace(TOP, below=replace(BASE_RECIPE, script="true")).key,
    }
    assert len(keys) == 4
    assert replace(TOP).key == TOP.key


def test_a_layer_that_was_made_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(layers, "run_inside", lambda *_, script, **__: made.append(script))
    monkeypatch.setattr(layers, "_run", lambda command: made.append(command[0]))
    kept = Layers(folder=tmp_path, progress=silent())
    assert kept.find(TOP) == ()
    first = kept.ensure(TOP)
    assert kept.find(TOP) == first
    assert made == ["mmdebstrap", BASE_RECIPE.script, "true"]
    assert [path.name.partition("-")[0] for path in first] == ["top", "base", "rootfs"]
    assert kept.ensure(TOP) == first
    assert len(made) == 3


def test_a_layer_that_failed_is_not_there_and_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise LabError("apt-get failed")

    monkeypatch.setattr(layers, "_run", lambda _: None)
    monkeypatch.setattr(layers, "run_inside", fail)
    kept = Layers(folder=tmp_path, progress=silent())
    with pytest.raises(LabError, match="apt-get"):
        kept.ensure(BASE_RECIPE)
    assert not (tmp_path / BASE_RECIPE.key).exists()
    monkeypatch.setattr(layers, "run_inside", lambda *_, **__: None)
    assert kept.ensure(BASE_RECIPE)[0].exists()


def test_a_layer_keeps_no_trace_of_the_ban_on_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    banned: list[str] = []
    monkeypatch.setattr(layers, "_run", lambda _: None)
    monkeypatch.setattr(
        layers,
        "run_inside",
        lambda *_, upper, **__: banned.append((upper / "usr/sbin/policy-rc.d").read_text()),
    )
    layer = Layers(folder=tmp_path, progress=silent()).ensure(BASE_RECIPE)[0]
    assert banned == ["#!/bin/sh\nexit 101\n"]
    assert not (layer / "usr/sbin/policy-rc.d").exists()


def test_a_layer_goes_when_nobody_asked_for_it_in_a_day_and_no_machine_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layers, "run_inside", lambda *_, **__: None)
    monkeypatch.setattr(layers, "_run", lambda _: None)
    kept = Layers(folder=tmp_path, progress=silent())
    top, *below = kept.ensure(TOP)
    old = tmp_path / "old-0123456789"  # of before such notes were taken
    half = tmp_path / "other-0123456789.part.work"
    for folder in (old, half):
        folder.mkdir()
    now = datetime.now(UTC)
    assert prune(tmp_path, is_used=lambda _: False, now=now) == ()
    assert not half.exists()
    later = now + timedelta(days=2)
    kept.ensure(BASE_RECIPE)
    for path in (below[0], below[1]):
        os.utime(path.with_name(f"{path.name}.asked"), (later.timestamp(), later.timestamp()))
    assert prune(tmp_path, is_used=lambda name: name == old.name, now=later) == (top.name,)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {
        old.name,
        *(path.name for path in below),
    }
    assert prune(tmp_path, is_used=lambda _: False, now=later) == (old.name,)
    assert not list(tmp_path.glob("*.part"))
    assert kept.ensure(TOP) == (top, *below)
