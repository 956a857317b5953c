from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import make_cloud, make_node, make_server
from tests.checks.files import BUNDLE, arguments, bundle_file, snapshot_file

from escalator.checks.sources import read_bundle, read_source
from escalator.model.errors import InvalidRequestError

NODES = [make_node("a"), make_node("b", upgraded=True), make_node("c")]


def test_without_targets_all_nodes_that_are_not_upgraded_are_meant(tmp_path: Path) -> None:
    path = snapshot_file(tmp_path, make_cloud(NODES, [make_server("s", "a")]))
    snapshot, bundle, hosts = read_source(arguments("--snapshot", path))
    assert hosts == ("a", "c")
    assert bundle is None
    assert [n.target for n in snapshot.nodes] == [True, False, True]
    assert [s.name for s in snapshot.servers] == ["s"]


def test_targets_of_the_snapshot_are_kept(tmp_path: Path) -> None:
    path = snapshot_file(tmp_path, make_cloud([make_node("a", target=True), make_node("b"), make_node("c")]))
    assert read_source(arguments("--snapshot", path)).hosts == ("a",)


def test_named_hosts_are_the_targets_however_they_are_written(tmp_path: Path) -> None:
    path = snapshot_file(tmp_path, make_cloud([*NODES, make_node("d", target=True)]))
    source = read_source(arguments("--snapshot", path, "--hosts", "c, a", "--hosts", "b"))
    assert source.hosts == ("a", "b", "c")


def test_nodes_that_run_what_the_bundle_brings_are_upgraded(tmp_path: Path) -> None:
    versions = {"a": "34.0.0", "b": "33.0.2", "c": "no version"}
    nodes = [make_node(host, versions={"nova-compute": version}) for host, version in versions.items()]
    path = snapshot_file(tmp_path, make_cloud(nodes))
    source = read_source(arguments("--snapshot", path, "--bundle", bundle_file(tmp_path)))
    assert source.bundle is not None
    assert source.bundle.name == "test-34"
    assert [n.upgraded for n in source.snapshot.nodes] == [True, False, False]
    assert source.hosts == ("b", "c")


def test_a_bundle_is_found_by_name_in_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ESCALATOR_BUNDLE_DIR", raising=False)
    assert read_bundle("nova-34").target_version() == "34.0.0"
    bundle_file(tmp_path)
    monkeypatch.setenv("ESCALATOR_BUNDLE_DIR", str(tmp_path))
    assert read_bundle("test-34").name == "test-34"
    with pytest.raises(InvalidRequestError, match="no bundle 'nova-34'") as error:
        read_bundle("nova-34")
    assert error.value.remedy == "choose one of: test-34"


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["--hosts", "a,x"], "no compute node 'x'"),
        (["--hosts", "node"], "no compute node 'node'"),
        (["--hosts", ","], "names no host"),
        (["--hosts", ""], "names no host"),
        (["--max-parallel", "0"], "--max-parallel 0 is impossible"),
        (["--max-parallel", "-1"], "--max-parallel -1 is impossible"),
        (["--max-parallel", "3"], "the cloud has 3 nodes"),
        (["--bundle", "none/there.yaml"], "cannot be read"),
        (["--bundle", "no-such"], "no bundle 'no-such'"),
    ],
)
def test_bad_input_is_refused(tmp_path: Path, words: list[str], fault: str) -> None:
    path = snapshot_file(tmp_path, make_cloud(NODES))
    with pytest.raises(InvalidRequestError, match=fault) as error:
        read_source(arguments("--snapshot", path, *words))
    assert error.value.remedy


@pytest.mark.parametrize("text", [None, "", "{", "[]", "[" * 100_000, '{"schema": "x"}', "\xff\xfe"])
def test_a_file_that_is_no_snapshot_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "snapshot.json"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InvalidRequestError, match="snapshot") as error:
        read_source(arguments("--snapshot", path))
    assert error.value.remedy


def test_a_cloud_without_nodes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="has no compute node"):
        read_source(arguments("--snapshot", snapshot_file(tmp_path, make_cloud([]))))


def test_a_bundle_that_is_no_yaml_is_refused_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="cannot be read") as error:
        read_bundle(str(bundle_file(tmp_path, BUNDLE + "{")))
    assert "\n" not in error.value.message


def test_cloud_and_snapshot_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        arguments("--cloud", "x", "--snapshot", "y")
    assert exit_.value.code == 2
    assert "not allowed with" in capsys.readouterr().err
