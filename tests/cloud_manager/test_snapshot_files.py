from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalator.cloud_manager import json_stream
from escalator.cloud_manager.snapshots import (
    compute_snapshot_digest,
    read_snapshot,
    snapshot_from_document,
    snapshot_to_document,
)
from escalator.model.digest import compute_digest
from escalator.model.errors import InvalidRequestError

DOCS = Path(__file__).parents[2] / "docs" / "snapshot.md"
EXAMPLE = DOCS.read_text().split("```json", 1)[1].split("```", 1)[0]
MINIMAL: dict[str, Any] = {
    "schema": "escalator.snapshot/1",
    "cloud": "c",
    "taken_at": "2026-11-22T08:00:00Z",
    "nodes": [{"host": "n", "domain": "d"}],
    "servers": [{"id": "s", "name": "s", "vm_state": "shelved_offloaded"}],
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "snapshot.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_published_example_is_read(tmp_path: Path) -> None:
    snapshot = read_snapshot(written(tmp_path, EXAMPLE))
    node, server, group = snapshot.nodes[0], snapshot.servers[0], snapshot.ha_groups[0]
    assert (node.host, node.target, node.usage) == ("node-01", True, {})
    assert node.inventory["VCPU"].capacity == 64
    assert (server.resources["MEMORY_MB"], server.ha_role, server.metadata) == (8192, "active", {})
    assert (group.tolerated, group.recovery_seconds) == (0, 60.0)
    assert snapshot == snapshot_from_document(json.loads(EXAMPLE))


def test_minimal_document_is_read(tmp_path: Path) -> None:
    snapshot = read_snapshot(written(tmp_path, json.dumps(MINIMAL)))
    assert (snapshot.servers[0].host, snapshot.nodes[0].usage, snapshot.agents) == (None, {}, ())


def test_digest_does_not_depend_on_how_the_file_is_spelt(tmp_path: Path) -> None:
    whole = snapshot_to_document(snapshot_from_document(json.loads(EXAMPLE)))
    digests = {compute_snapshot_digest(read_snapshot(written(tmp_path, EXAMPLE)))}
    for text in (json.dumps(whole, indent=3), json.dumps(dict(reversed(whole.items())))):
        digests.add(compute_snapshot_digest(read_snapshot(written(tmp_path, text))))
    assert digests == {compute_digest(whole)}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        ("  \n", "is no JSON: it ends too early, at line 2 column 1"),
        ("7", "is no JSON: line 1 column 1: '{' is expected"),
        ("[]", "is no JSON: line 1 column 1: '{' is expected"),
        (b"\x80\x81\x00PNG", "is no text in UTF-8"),
        (EXAMPLE[:900], "is no JSON: it ends too early, at line"),
        (EXAMPLE.strip()[:-1], "is no JSON: it ends too early, at line"),
        (EXAMPLE + "x", "nothing is expected here"),
        ('{"cloud": 1,}', "is no JSON: line 1 column 13"),
        ('{"nodes": [1,]}', "is no JSON: line 1 column 14: Expecting value"),
        ("{1: 2}", "a name in double quotes is expected"),
        ('{"nodes": ' + "[" * 100_000, "is no JSON"),
        ('{"cloud": ' + "9" * 5000 + "}", "is no JSON"),
        ('{"nodes": [], "nodes": []}', "nodes: is there more than once"),
        ('{"nodes": null}', "nodes: is required"),
        ('{"nodes": [null, {"host": 1}]}', "nodes[1].host: must be text, not 1"),
    ],
)
def test_file_that_is_no_snapshot_is_refused_with_the_place(
    tmp_path: Path, text: str | bytes, fault: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_snapshot(written(tmp_path, text))
    assert fault in caught.value.message
    assert caught.value.remedy


def test_folder_and_missing_file_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(InvalidRequestError, match="cannot be read"):
            read_snapshot(path)


def test_snapshot_is_read_from_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_text(EXAMPLE))
    writer.start()
    assert read_snapshot(pipe).cloud == "lab"
    writer.join()


def test_many_faults_are_counted_and_the_first_ones_named(tmp_path: Path) -> None:
    document = {**MINIMAL, "servers": [{"id": str(number)} for number in range(100)]}
    with pytest.raises(InvalidRequestError) as caught:
        read_snapshot(written(tmp_path, json.dumps(document)))
    assert "200 fault(s): servers[0].name: is required" in caught.value.message
    assert "and 180 more" in caught.value.message


@settings(deadline=None)
@given(
    members=st.dictionaries(st.text(max_size=5), JSON, max_size=4),
    listed=st.lists(JSON, max_size=5),
    indent=st.sampled_from([None, 2]),
    chunk=st.integers(1, 40),
)
def test_stream_is_read_as_json_reads_it(
    members: dict[str, Any], listed: list[Any], indent: int | None, chunk: int
) -> None:
    document = {**members, "listed": listed}
    stream = SlowStream(json.dumps(document, indent=indent), chunk)
    found = {}
    for name, value in json_stream.read_members(stream, {"listed"}):  # type: ignore[arg-type]
        found[name] = list(value) if name == "listed" else value  # type: ignore[call-overload]
    assert found == document


class SlowStream:
    """Gives a few characters at a time, whatever is asked for."""

    def __init__(self, text: str, chunk: int) -> None:
        self._text, self._chunk = text, chunk

    def read(self, _: int) -> str:
        given, self._text = self._text[: self._chunk], self._text[self._chunk :]
        return given


MEASURE = """
import sys, time
from pathlib import Path
from escalator.cloud_manager.snapshots import read_snapshot
begun = time.process_time()
snapshot = read_snapshot(Path(sys.argv[1]))
seconds = time.process_time() - begun
status = Path("/proc/self/status").read_text()  # the peak of this process; getrusage has its parent's too
print(len(snapshot.servers), seconds, status.split("VmHWM:")[1].split()[0])
"""


def test_large_cloud_takes_little_memory_and_time(tmp_path: Path) -> None:
    """A quarter of 5,000 nodes with 200,000 servers, in a process of its own."""
    nodes = [{**json.loads(EXAMPLE)["nodes"][0], "host": f"node-{number:04d}"} for number in range(1250)]
    plain = json.loads(EXAMPLE)["servers"][0]
    servers = [
        {**plain, "id": f"{number:036x}", "name": f"server-{number}", "host": f"node-{number % 1250:04d}"}
        for number in range(50_000)
    ]
    path = written(tmp_path, json.dumps({**MINIMAL, "nodes": nodes, "servers": servers}))
    command = [sys.executable, "-c", MEASURE, str(path)]
    paths = {"PYTHONPATH": str(Path(__file__).parents[2] / "include")}
    run = subprocess.run(command, env=paths, capture_output=True, text=True, check=True)
    count, seconds, peak_kib = map(float, run.stdout.split())
    assert count == 50_000
    assert seconds < 4
    assert peak_kib < 90 * 1024


def test_what_is_known_of_the_control_plane_and_of_hypervisors_is_kept() -> None:
    control = {"lowest": "2.1", "highest": "2.104", "apart": [["a", "b"]]}
    nodes = [{"host": "n", "domain": "d", "hypervisor_type": "ironic"}]
    snapshot = snapshot_from_document({**MINIMAL, "nodes": nodes, "control_plane": control})
    assert snapshot.nodes[0].bare_metal
    assert snapshot.control_plane is not None
    assert snapshot.control_plane.apart == (("a", "b"),)
    document = snapshot_to_document(snapshot)
    assert document["control_plane"] == control
    assert snapshot_from_document(document) == snapshot
    assert compute_snapshot_digest(snapshot) == compute_digest(document)
    with pytest.raises(InvalidRequestError, match=r"control_plane\.highest"):
        snapshot_from_document({**MINIMAL, "control_plane": {**control, "highest": "new"}})
