"""Bad inputs of every kind that a person writes: each is refused with one clear error, never a traceback."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from escalator.cloud_manager.call_counter import CallCounter
from escalator.cloud_manager.connection import connect
from escalator.cloud_manager.credentials import CloudCredentials
from escalator.cloud_manager.snapshots import read_snapshot
from escalator.documents.bundle_file import read_bundle_file
from escalator.documents.bundles import parse_bundle
from escalator.documents.requests import parse_request
from escalator.documents.window_file import read_window_document
from escalator.documents.windows import parse_windows
from escalator.inventory.inventory_file import read_inventory
from escalator.model.errors import InvalidRequestError
from escalator.vim_interface.registry.vnf_files import read_vnf_files

DEEP, HUGE = "[" * 5000, "1" + "0" * 400
DIGITS = "1" + "0" * 5000
BUNDLE = (
    "schema: escalator.bundle/1\nname: b\nmechanism: {type: none}\ncomponents: [{name: c, to: '1.2.3'}]\n"
)
WINDOW = "{cloud: c, domain: d, cron: '0 22 * * 2', minutes: 60, run: {bundle: b}}"
WINDOWS = f"schema: escalator.windows/1\nwindows:\n  - {WINDOW}\n"
VNF = """\
schema: escalator.vnf/1
vnf: v
project_id: p
groups:
  - {id: g, mode: load-balanced, members: [{name: a}]}
"""
NODE = {"host": "n", "domain": "d", "address": "a"}
INVENTORY = {
    "schema": "escalator.inventory/1",
    "cloud": "c",
    "taken_at": "2026-11-22T08:00:00Z",
    "nodes": [NODE],
}
SNAPSHOT = {
    "schema": "escalator.snapshot/1",
    "cloud": "c",
    "taken_at": "2026-11-22T08:00:00Z",
    "nodes": [],
    "servers": [],
}
AUTH = "auth: {auth_url: 'http://k/v3', username: u, password: p, project_name: a, user_domain_name: D}"


def ask(conf: Any, _folder: Path) -> object:
    """Judge a request; one that is text is JSON."""
    document = json.loads(conf) if isinstance(conf, str) else conf
    return parse_request(document, cloud="c", domain="d", known_hosts=("n1", "n2"), bundles=("b",))


def read_bundle(content: str | bytes, folder: Path) -> object:
    return parse_bundle(read_bundle_file(write(folder / "b.yaml", content)))


def read_windows(content: str | bytes, folder: Path) -> object:
    write(folder / "windows.yaml", content)
    return parse_windows(read_window_document(folder))


def read_nodes(content: Any, folder: Path) -> object:
    text = content if isinstance(content, str | bytes) else json.dumps({**INVENTORY, **content})
    return read_inventory(write(folder / "c.json", text))


def read_vnfs(content: str | bytes, folder: Path) -> object:
    write(folder / "v.yaml", content)
    return read_vnf_files(folder)


def read_clouds(content: str | bytes, folder: Path) -> object:
    path = write(folder / "clouds.yaml", content)
    return connect(CloudCredentials.from_clouds_yaml("c", path=path), CallCounter())


def read_cloud(content: Any, folder: Path) -> object:
    text = content if isinstance(content, str | bytes) else json.dumps({**SNAPSHOT, **content})
    return read_snapshot(write(folder / "s.json", text))


def of_vcpus(total: object) -> dict[str, Any]:
    """Return the nodes of a snapshot: one, with so many VCPUs."""
    return {"nodes": [{"host": "n", "domain": "d", "zone": "z", "inventory": {"VCPU": {"total": total}}}]}


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


Row = tuple[Callable[[Any, Path], object], Any, str]
NO_TEXT = bytes(range(128, 256))
ROWS: tuple[Row, ...] = (
    # requests
    (ask, None, "document: must be a mapping, not null"),
    (ask, [], "document: must be a mapping, not a list"),
    (ask, {}, "bundle: is required"),
    (ask, {"bundle": 34.0}, "bundle: must be text, not 34.0"),
    (ask, {"bundle": "c"}, "bundle: 'c' is not known (known are b)"),
    (ask, {"bundle": "b", "hosts": "n1"}, "hosts: must be a list, not 'n1'"),
    (ask, {"bundle": "b", "hosts": ["n3"]}, "hosts: 'n3' is not a node of domain d"),
    (ask, {"bundle": "b", "hosts": ["n1", "n1"]}, "hosts: 'n1' stands there 2 times"),
    (ask, {"bundle": "b", "hosts": ["\ud800"]}, "is not a node of domain d"),
    (ask, {"bundle": "b", "max_parallel": 2}, "max_parallel: 2 is impossible"),
    (ask, {"bundle": "b", "max_parallel": True}, "max_parallel: must be a whole number, not true"),
    (ask, {"bundle": "b", "max_parallel": 10**400}, "max_parallel: "),
    (ask, {"bundle": "b", "max_failed_nodes": 10**400}, "max_failed_nodes: must be at most 10000"),
    (ask, {"bundle": "b", "max_failed_nodes": -1}, "max_failed_nodes: must be at least 0, not -1"),
    (
        ask,
        {"bundle": "b", "migration_timeout_seconds": 10**9},
        "migration_timeout_seconds: must be at most 604800",
    ),
    (ask, '{"bundle": "b", "spill": NaN}', "spill: must be a number from 0 to 1, not nan"),
    (
        ask,
        {"bundle": "b", "window_end": "9999-12-31T23:59:59-14:00"},
        "window_end: must be between 1970 and 2200",
    ),
    (
        ask,
        {"bundle": "b", "window_end": "2026-02-30T00:00:00Z"},
        "window_end: '2026-02-30T00:00:00Z' is not a date",
    ),
    (ask, {"bundle": "b", "window_end": 20261122}, "window_end: must be text, not 20261122"),
    (
        ask,
        {"bundle": "b", "mode": "smoth"},
        "mode: is 'smoth', must be one of smooth, non-smooth, did you mean",
    ),
    (ask, {"bundle": "b", "dry-run": True}, "dry-run: is not known, did you mean dry_run?"),
    # bundles
    (read_bundle, "", "document: must be a mapping, not null"),
    (read_bundle, NO_TEXT, "can't decode byte"),
    (read_bundle, BUNDLE.encode("utf-16"), "can't decode byte"),
    (read_bundle, DEEP, "nested too deeply"),
    (
        read_bundle,
        BUNDLE.replace("'1.2.3'", "2026-01-01"),
        "must be text, not 2026-01-01: put it in quotes (line 4)",
    ),
    (read_bundle, BUNDLE.replace("'1.2.3'", "34.0"), "must be text, not 34.0: put it in quotes (line 4)"),
    (read_bundle, BUNDLE.replace("'1.2.3'", "1:30"), "YAML reads 1:30 as 90"),
    (read_bundle, BUNDLE.replace("'1.2.3'", "'next'"), "version 'next' cannot be read as pbr"),
    (read_bundle, BUNDLE.replace("name: b", "name: 2026-02-30"), "'2026-02-30' cannot be read as timestamp"),
    (read_bundle, BUNDLE + "2026-01-01: x\n", "the key 2026-01-01 must be text"),
    (read_bundle, BUNDLE + f"expected: {{upgrade_seconds: {HUGE}}}\n", "not a very large number (line 5)"),
    (read_bundle, BUNDLE + f"expected: {{upgrade_seconds: {DIGITS}}}\n", "cannot be read as int"),
    (
        read_bundle,
        BUNDLE + "expected: {upgrade_seconds: .inf}\n",
        "expected.upgrade_seconds: must be a number",
    ),
    (read_bundle, BUNDLE + "name: c\n", "name: stands on line 2 already (line 5)"),
    (read_bundle, BUNDLE + "---\n" + BUNDLE, "expected a single document"),
    (read_bundle, "!!python/name:os.system x\n", "could not determine a constructor"),
    (read_bundle, "a: &a [*a]\n", "a: is not known"),
    (
        read_bundle,
        BUNDLE.replace("type: none", "type: helm"),
        "mechanism.type: is 'helm', must be one of venv",
    ),
    # windows
    (read_windows, "windows: [", "windows.yaml cannot be read"),
    (read_windows, NO_TEXT, "windows.yaml cannot be read"),
    (read_windows, WINDOWS.replace("60", "0240"), "windows[0].minutes: YAML reads 0240 as 160"),
    (read_windows, WINDOWS.replace("60", "0"), "windows[0].minutes: must be at least 1, not 0 (line 3)"),
    (
        read_windows,
        WINDOWS.replace("60", HUGE),
        "windows[0].minutes: must be at most 10080, not a very large number",
    ),
    (read_windows, WINDOWS.replace("60", "60, minutes: 90"), "windows[0].minutes: stands on line 3 already"),
    (read_windows, WINDOWS + f"  - {WINDOW}\n", "domain d of cloud c has 2"),
    (read_windows, WINDOWS.replace("{bundle: b}", "b"), "windows[0].run: must be a mapping, not 'b'"),
    (
        read_windows,
        WINDOWS.replace("'0 22 * * 2'", "22"),
        "windows[0].cron: must be text, not 22: put it in quotes",
    ),
    (read_windows, WINDOWS.replace("bundle: b", "bundle: b, window_end: x"), "window_end: is not known"),
    # inventories
    (read_nodes, "", "is not JSON"),
    (read_nodes, NO_TEXT, "is not JSON"),
    (read_nodes, DEEP, "is not JSON"),
    (read_nodes, f'{{"schema": {DIGITS}}}', "is not JSON"),
    (read_nodes, "[]", "document: must be a mapping, not a list"),
    (
        read_nodes,
        {"schema": "escalator.inventory/9"},
        "schema: is 'escalator.inventory/9', this release reads",
    ),
    (read_nodes, {"taken_at": "9999-12-31T23:59:59-14:00"}, "taken_at: must be between 1970 and 2200"),
    (read_nodes, {"nodes": [NODE, NODE]}, "nodes: more than once: n"),
    (read_nodes, {"nodes": [{**NODE, "part": 0}]}, "nodes[0].part: must be at least 1, not 0"),
    (read_nodes, {"nodes": [{**NODE, "address": 7}]}, "nodes[0].address: must be text, not 7"),
    (read_nodes, {"cloud": "\ud800"}, "half a character"),
    # VNF files
    (read_vnfs, "", "document: must be a mapping, not null"),
    (read_vnfs, NO_TEXT, "cannot be read"),
    (read_vnfs, DEEP, "nested too deeply"),
    (read_vnfs, VNF.replace("name: a", "name: 2026-01-01"), "must be text, not 2026-01-01: put it in quotes"),
    (read_vnfs, VNF.replace("load-balanced", "shared"), "must be one of"),
    (read_vnfs, VNF.replace("[{name: a}]", "a"), "members: must be a list, not 'a'"),
    # snapshots
    (read_cloud, "", "is empty"),
    (read_cloud, NO_TEXT, "it is no text in UTF-8 at byte 0"),
    (read_cloud, '{"nodes": ' + DEEP, "is no JSON"),
    (read_cloud, f'{{"schema": {DIGITS}}}', "is no JSON"),
    (read_cloud, of_vcpus(10**400), "nodes[0].inventory.VCPU.total: must be at most 10"),
    (read_cloud, of_vcpus(1.5), "nodes[0].inventory.VCPU.total: must be a whole number, not 1.5"),
    (read_cloud, {"taken_at": "9999-12-31T23:59:59-14:00"}, "taken_at: must be between 1970 and 2200"),
    # clouds.yaml
    (read_clouds, "clouds:\n  c:\n    auth:\n", "clouds.c.auth: must be a mapping, not null (line 3)"),
    (read_clouds, "clouds: [c]\n", "clouds: must be a mapping, not a list"),
    (read_clouds, "clouds:\n\tc: {}\n", "cannot be read"),
    (read_clouds, "clouds: {}".encode("utf-16"), "can't decode byte"),
    (read_clouds, f"clouds: {{c: {{cacert: /not/here, {AUTH}}}}}", "/not/here cannot be read"),
    (read_clouds, f"clouds: {{c: {{regions: [A, B], {AUTH}}}}}", "several regions: A, B"),
    (read_clouds, f"clouds: {{c: {{{AUTH.replace('//k', '//::1:5000')}}}}}", "is no address"),
)


@pytest.mark.parametrize(
    ("read", "content", "words"), ROWS, ids=[f"{number}-{row[0].__name__}" for number, row in enumerate(ROWS)]
)
def test_a_bad_input_is_refused_in_one_message(
    read: Callable[[Any, Path], object], content: Any, words: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read(content, tmp_path)
    said = caught.value.message
    assert words in said
    assert "\n" not in said
    assert len(said) < 1000


def test_a_bundle_of_twenty_thousand_components_is_refused_soon() -> None:
    document = {
        "schema": "escalator.bundle/1",
        "name": "b",
        "mechanism": {"type": "none"},
        "components": [{"name": f"c{number}", "to": "next"} for number in range(20_000)],
    }
    began = time.process_time()
    with pytest.raises(InvalidRequestError, match="components: has too many entries, more than 1000"):
        parse_bundle(document)
    assert time.process_time() - began < 2


def test_of_many_faults_the_first_are_said_and_the_others_counted() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        parse_windows({"schema": "escalator.windows/1", "windows": [{} for _ in range(100)]})
    assert caught.value.message.endswith("; and 450 more")
