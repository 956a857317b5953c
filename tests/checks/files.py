"""Snapshots as files, for the verbs that read them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from escalator.checks.sources import add_source_arguments
from escalator.cloud_manager.snapshots import snapshot_to_document
from escalator.model.cloud import CloudSnapshot

BUNDLE = """\
schema: escalator.bundle/1
name: test-34
components: [{name: nova-compute, to: "34.0.0"}]
mechanism: {type: venv, venv: /opt/nova, package: nova, service: nova-compute}
"""


def snapshot_file(folder: Path, snapshot: CloudSnapshot) -> Path:
    path = folder / "snapshot.json"
    path.write_text(json.dumps(snapshot_to_document(snapshot)))
    return path


def bundle_file(folder: Path, text: str = BUNDLE) -> Path:
    path = folder / "test-34.yaml"
    path.write_text(text)
    return path


def arguments(*words: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_source_arguments(parser)
    return parser.parse_args([str(word) for word in words])
