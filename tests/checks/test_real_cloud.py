"""Check and plan of a real cloud: the same answers as of its snapshot file, in seconds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import ROOT

from escalator.lab.lab import Lab
from escalator.lab.servers import ServerSpec

pytestmark = pytest.mark.lab

PASSING = frozenset({"taken_at", "sha256"})
"""What a snapshot does not share with a later one of the same cloud."""

Verb = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def verb(lab: Lab) -> Verb:
    """Run a verb of the command line; return its exit code and its document."""
    lab.reset()
    groups = {"node-01": "active", "node-02": "standby"}
    lab.restore_servers(
        [
            *(ServerSpec(name=f"web-{n}", host=f"node-0{n}") for n in range(1, 5)),
            *(
                ServerSpec(name=f"sbc-{host}", host=host, metadata={"ha_group": "sbc", "ha_role": role})
                for host, role in groups.items()
            ),
        ]
    )

    def run(*words: str) -> tuple[int, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "escalator", *words],
            env={**os.environ, "PYTHONPATH": str(ROOT / "include")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


def lasting(document: Any) -> Any:
    """Leave out what differs between two snapshots of the same cloud."""
    if isinstance(document, dict):
        return {key: lasting(value) for key, value in document.items() if key not in PASSING}
    return [lasting(item) for item in document] if isinstance(document, list) else document


@pytest.mark.parametrize("words", [("check",), ("check", "--rollback"), ("plan",)], ids=" ".join)
def test_a_cloud_gets_the_answer_of_its_snapshot(
    lab: Lab, verb: Verb, tmp_path: Path, words: tuple[str, ...]
) -> None:
    cloud = ("--cloud", "lab", "--clouds-yaml", str(lab.settings.run / "clouds.yaml"))
    asked = ("--bundle", "nova-34", "--json")
    _, snapshot = verb("snapshot", *cloud, "-o", "-")
    (tmp_path / "snapshot.json").write_text(json.dumps(snapshot))
    of_cloud, of_file = (
        verb(*words, *source, *asked) for source in (cloud, ("--snapshot", str(tmp_path / "snapshot.json")))
    )
    assert lasting(of_cloud[1]) == lasting(of_file[1])
    assert of_cloud[0] == of_file[0] == 0


def test_a_check_of_the_lab_is_met(lab: Lab, verb: Verb) -> None:
    cloud = ("--cloud", "lab", "--clouds-yaml", str(lab.settings.run / "clouds.yaml"))
    code, document = verb("check", *cloud, "--bundle", "nova-34", "--json")
    assert (code, document["met"]) == (0, True)


def test_a_check_needs_no_bundle(lab: Lab, verb: Verb) -> None:
    cloud = ("--cloud", "lab", "--clouds-yaml", str(lab.settings.run / "clouds.yaml"))
    code, document = verb("check", *cloud, "--json")
    assert code in {0, 1}
    assert document["schema"] == "escalator.check/1"
