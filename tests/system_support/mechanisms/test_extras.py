"""Files of a bundle: fetched in stage, proved again before activate; what is not proved touches nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.system_support.conftest import LocalShell
from tests.system_support.mechanisms.command_node import CommandNode
from tests.system_support.mechanisms.jobs import make_job

from escalator.model.bundle import Artefact, CommandMechanism
from escalator.model.verdict import Code
from escalator.system_support.mechanisms import Effect, JobFailedError
from escalator.system_support.mechanisms.artefact_scripts import name_folder, write_look
from escalator.system_support.mechanisms.command import CommandOnNode
from escalator.system_support.mechanisms.extras import WithExtras
from escalator.system_support.mechanisms.none import NothingOnNode

PROGRAMS = (
    "sh sha256sum cut flock mkdir rm mv cp sync cat wget timeout grep tail head mktemp sed setsid systemctl "
    "systemd-run chmod wc"
)
"""All that a node needs, and no curl."""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        return None


@dataclass(kw_only=True)
class Files:
    """A web server of files, and a node without a connection whose commands only note that they were run."""

    local: LocalShell
    web: Path
    url: str
    node: Path

    def put(self, name: str, text: str) -> str:
        (self.web / name).write_text(text)
        return hashlib.sha256(text.encode()).hexdigest()

    def artefact(self, name: str = "tool", text: str = "first\n", **changes: object) -> Artefact:
        made = Artefact(name=name, source=f"{self.url}/{name}", sha256=self.put(name, text))
        return replace(made, **changes)  # type: ignore[arg-type]

    def with_files(self, *artefacts: Artefact) -> WithExtras:
        mechanism = CommandMechanism(
            version="true",
            stage=f'cat "$ESCALATOR_ARTEFACTS/tool"; echo staged >>"{self.node}/calls"',
            activate=f'echo activated >>"{self.node}/calls"; false',
            service="demo",
        )
        jobs, state = str(self.node / "jobs"), str(self.node / "state")
        command = CommandOnNode(mechanism, base=jobs, state=state)
        return WithExtras(command, artefacts, base=jobs, folder=str(self.node / "artefacts"))

    def stage(self, *artefacts: Artefact) -> Effect:
        return self.with_files(*artefacts).stage(make_job(lambda: self.local, "stage", "1.0.0"))

    def activate(self, *artefacts: Artefact) -> Effect:
        return self.with_files(*artefacts).activate(make_job(lambda: self.local, "activate", "1.0.0"))

    def folder(self, *artefacts: Artefact) -> Path:
        return Path(name_folder(artefacts, str(self.node / "artefacts")))

    def calls(self) -> list[str]:
        log = self.node / "calls"
        return log.read_text().split() if log.exists() else []


@pytest.fixture
def files(local: LocalShell, tmp_path: Path) -> Iterator[Files]:
    web, node = tmp_path / "web", tmp_path / "a node"
    web.mkdir()
    node.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(web))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Files(local=local, web=web, url=f"http://127.0.0.1:{server.server_port}", node=node)
        server.shutdown()
        thread.join()


def test_files_are_there_before_the_stage_command_and_fetched_once(files: Files) -> None:
    artefact = files.artefact()
    assert files.stage(artefact) is Effect.STAGED
    (files.web / "tool").unlink()
    assert files.stage(artefact) is Effect.ALREADY_STAGED
    assert files.calls() == ["staged", "staged"]
    assert sorted(path.name for path in files.folder(artefact).iterdir()) == [".lock", "tool"]


def test_a_path_on_the_node_is_a_source_too(files: Files) -> None:
    at = files.node / "it's here"
    at.write_text("first\n")
    assert files.stage(files.artefact(source=str(at))) is Effect.STAGED


def test_a_wrong_checksum_touches_nothing(files: Files) -> None:
    wrong = files.artefact(sha256="0" * 64)
    with pytest.raises(JobFailedError) as caught:
        files.stage(wrong)
    assert "cannot be staged: exit code 1: artefact tool has the checksum" in caught.value.message
    assert f", not {'0' * 64}: it is not used -> mend http" in caught.value.message
    assert files.calls() == []
    assert [path.name for path in files.folder(wrong).iterdir()] == [".lock"]


def test_of_two_files_one_that_is_wrong_is_enough(files: Files) -> None:
    with pytest.raises(JobFailedError, match="artefact other has the checksum"):
        files.stage(files.artefact(), files.artefact("other", sha256="0" * 64))
    assert files.calls() == []


def test_a_file_that_is_not_there_is_named_with_its_place(files: Files) -> None:
    gone = files.artefact(source=f"{files.url}/gone")
    with pytest.raises(JobFailedError, match=f"artefact tool cannot be fetched from {files.url}/gone"):
        files.stage(gone)
    (verdict,) = files.with_files(gone).check_source(files.local, "1.0.0")
    assert (verdict.code, verdict.blocks) == (Code.STAGE_FAILED, True)
    assert files.with_files(files.artefact()).check_source(files.local, "1.0.0") == ()


def test_what_came_in_part_does_not_stay_on_a_disk_that_is_full(files: Files) -> None:
    gone = files.artefact(source=f"{files.url}/gone")
    unsigned = files.artefact("other", signature=f"{files.url}/gone.sig")
    for artefact in (gone, unsigned):
        with pytest.raises(JobFailedError, match="cannot be fetched from"):
            files.stage(artefact)
        assert [path.name for path in files.folder(artefact).iterdir()] == [".lock"]


def test_what_was_changed_since_is_not_activated_and_is_fetched_again(files: Files) -> None:
    artefact = files.artefact()
    files.stage(artefact)
    (files.folder(artefact) / "tool").write_text("tampered with\n")
    with pytest.raises(JobFailedError, match="artefact tool is not there as it was staged"):
        files.activate(artefact)
    assert files.calls() == ["staged"]
    files.stage(artefact)
    assert (files.folder(artefact) / "tool").read_text() == "first\n"
    with pytest.raises(JobFailedError, match="the activate command ended with exit code 1"):
        files.activate(artefact)
    assert files.calls() == ["staged", "staged", "activated"]


def test_without_curl_wget_brings_them(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = files.node / "bin"
    programs.mkdir()
    for name in PROGRAMS.split():
        if found := shutil.which(name):
            (programs / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(programs))
    assert files.stage(files.artefact()) is Effect.STAGED
    gone = files.artefact(source=f"{files.url}/gone")
    assert len(files.with_files(gone).check_source(files.local, "1.0.0")) == 1


def test_files_without_software_are_brought_and_proved_all_the_same(files: Files) -> None:
    artefact = files.artefact()
    jobs, folder = str(files.node / "jobs"), str(files.node / "artefacts")
    alone = WithExtras(NothingOnNode(), (artefact,), base=jobs, folder=folder)
    alone.stage(make_job(lambda: files.local, "stage", "1.0.0"))
    script = write_look((artefact,), folder) + 'cat "$ESCALATOR_ARTEFACTS/tool"'
    assert files.local.run_as_root(script).stdout == "first\n"
    wrong = WithExtras(NothingOnNode(), (files.artefact(sha256="0" * 64),), base=jobs, folder=folder)
    with pytest.raises(
        JobFailedError, match="its artefacts cannot be staged: exit code 1: artefact tool has"
    ):
        wrong.stage(make_job(lambda: files.local, "stage", "1.0.0"))


def test_what_hooks_need_is_looked_for_also_where_nothing_is_brought(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = WithExtras(NothingOnNode(), (), runs_hooks=True, base=str(files.node / "jobs"))
    assert alone.check(files.local) == ()
    assert alone.check_source(files.local, "1.0.0") == ()
    assert alone.stage(make_job(lambda: files.local, "stage", "1.0.0")) is Effect.ALREADY_STAGED
    assert alone.activate(make_job(lambda: files.local, "activate", "1.0.0")) is Effect.ALREADY_ACTIVE
    programs = files.node / "bin"
    programs.mkdir()
    for name in ("sh", "mkdir", "id", "flock", "setsid"):
        (programs / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(programs))
    (lacking,) = alone.check(files.local)
    assert (lacking.code, lacking.blocks) == (Code.NODE_TOOL_MISSING, True)
    assert "the command timeout is not on the PATH" in lacking.message


def test_without_artefacts_a_script_begins_with_nothing() -> None:
    assert write_look(()) == ""


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of gpg: ``ring.gpg`` has the public key of ``ops``, ``other.gpg`` that of another."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed; a node needs gpgv only")
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    for user, ring in (("ops", "ring.gpg"), ("other", "other.gpg")):
        gpg(home, "--passphrase", "", "--quick-generate-key", user, "ed25519", "sign", "never")
        gpg(home, "--output", str(home / ring), "--export", user)
    yield home
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=False)


def gpg(home: Path, *words: str) -> None:
    command = [
        "gpg",
        "--homedir",
        str(home),
        "--batch",
        "--quiet",
        "--yes",
        "--pinentry-mode",
        "loopback",
        *words,
    ]
    subprocess.run(command, check=True, capture_output=True)


def test_a_signature_is_checked_with_the_keyring_of_the_node(files: Files, keys: Path) -> None:
    artefact = files.artefact(signature=f"{files.url}/tool.sig", keyring=str(keys / "ring.gpg"))
    gpg(keys, "--local-user", "ops", "--output", str(files.web / "tool.sig"), "-b", str(files.web / "tool"))
    assert files.stage(artefact) is Effect.STAGED
    assert files.stage(artefact) is Effect.ALREADY_STAGED
    with pytest.raises(JobFailedError, match="the activate command ended"):
        files.activate(artefact)
    (files.folder(artefact) / ".tool.signature").write_text("no signature")
    with pytest.raises(JobFailedError, match=r"artefact tool is not signed by a key of .*ring\.gpg"):
        files.activate(artefact)
    by_another = replace(artefact, keyring=str(keys / "other.gpg"))
    with pytest.raises(JobFailedError, match=r"is not signed by a key of .*other\.gpg: it is not used"):
        files.stage(by_another)
    with pytest.raises(JobFailedError, match="the signature of artefact tool cannot be fetched from"):
        files.stage(replace(artefact, signature=f"{files.url}/none.sig"))
    assert files.calls() == ["staged", "staged", "activated"]


def test_what_artefacts_need_on_the_node_is_found_before(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    artefact = files.artefact(signature="/x.sig", keyring="/none/ring.gpg")
    assert [v.message for v in files.with_files(artefact).check(files.local)] == [
        "the keyring /none/ring.gpg cannot be read"
    ]
    programs = files.node / "bin"
    programs.mkdir()
    for name in ("sh", "mkdir", "id"):
        (programs / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(programs))
    said = {v.message for v in files.with_files(artefact).check(files.local)}
    assert "the command gpgv is not on the PATH of the user" in said
    assert "neither curl nor wget is on the PATH of the user" in said


def test_over_a_connection_the_contract_holds_with_files(command_node: CommandNode) -> None:
    file = command_node.folder / "file"
    file.write_text("x")
    artefact = Artefact(name="file", source=str(file), sha256=hashlib.sha256(b"x").hexdigest())
    base, folder = str(command_node.folder / "jobs"), str(command_node.folder / "artefacts")
    with_files = WithExtras(command_node.on_node(), (artefact,), base=base, folder=folder)
    assert with_files.stage(make_job(command_node.sshd.shell, "stage", "1.0.0")) is Effect.STAGED
    for effect in (Effect.ACTIVATED, Effect.ALREADY_ACTIVE):
        assert with_files.activate(make_job(command_node.sshd.shell, "activate", "1.0.0")) is effect
    with command_node.sshd.shell() as shell:
        assert with_files.check(shell) == ()
        found = with_files.installed(shell)
    assert found is not None
    assert found.running == "1.0.0"


SYSTEMCTL = """\
#!/bin/sh
case $* in
  "is-enabled -- nova-compute") echo {state} ;;
  "show "*" nova-compute") printf 'WantedBy={wanted_by}\\nRequiredBy=\\n' ;;
  *) exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("state", "wanted_by", "starts"),
    [
        ("enabled", "multi-user.target", True),
        ("static", "multi-user.target", True),
        ("disabled", "openstack.target", True),
        ("disabled", "", False),
        ("static", "", False),
        ("masked", "multi-user.target", False),
        ("enabled-runtime", "multi-user.target", False),
    ],
)
def test_a_node_whose_unit_a_reboot_would_leave_stopped_is_not_begun_with(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, wanted_by: str, *, starts: bool
) -> None:
    program = tmp_path / "systemctl"
    program.write_text(SYSTEMCTL.format(state=state, wanted_by=wanted_by))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    units = ("nova-compute", "openstack-nova-compute")
    found = WithExtras(NothingOnNode(), (), reboots=True, units=units).check(files.local)
    assert WithExtras(NothingOnNode(), (), units=units).check(files.local) == ()
    if starts:
        assert found == ()
        return
    (verdict,) = found
    assert (verdict.code, verdict.blocks) == (Code.NODE_UNIT_NOT_ENABLED, True)
    assert verdict.message == (
        f"nova-compute is {state} for systemd: nothing would start it after the reboot"
    )
    assert "systemctl enable" in str(verdict.remedy)
