"""Runs as the worker puts them together: what lacks is said, and users who are not root become it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.system_support.accounts import LEAST, OPS, PASSWORD, AccountsSshd, find_lacking
from tests.system_support.mechanisms.ansible_node import need_ansible

from escalator.model.bundle import AnsibleMechanism, KollaAnsibleMechanism, PlaybookRun
from escalator.model.errors import InvalidRequestError
from escalator.system_support.playbooks import worker as module
from escalator.system_support.playbooks.ssh_files import Route
from escalator.system_support.playbooks.worker import WorkerSide, find_worker_faults, prepare_run
from escalator.system_support.playbooks.worker_run import run_ansible
from escalator.system_support.target import SshTarget

RUN = PlaybookRun(playbook="nova.yml")
MECHANISM = AnsibleMechanism(
    service="nova-compute",
    version="v",
    activate=RUN,
    extra_vars={"ansible_python_interpreter": sys.executable},
)
PLAYBOOK = """\
- name: demo
  hosts: all
  gather_facts: false
  tasks:
    - name: Be root
      ansible.builtin.command: id -u
      register: found
      failed_when: found.stdout != '0'
"""


def make_worker(folder: Path, target: SshTarget | None = None) -> WorkerSide:
    place = folder / "place"
    place.mkdir(exist_ok=True)
    (folder / "nova.yml").write_text(PLAYBOOK)
    return WorkerSide(
        find_route=lambda host: Route(target=target or SshTarget(host=host, address="192.0.2.1")),
        find_password=lambda conn_id: f"password of {conn_id}",
        playbooks=folder,
        place=place,
        name="worker-1",
    )


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccountsSshd]:
    server = AccountsSshd(home=tmp_path_factory.mktemp("accounts"))
    server.prepare()
    server.start()
    yield server
    server.stop()


@pytest.mark.skipif(bool(find_lacking()), reason=find_lacking())
@pytest.mark.parametrize(
    ("user", "password", "changes"),
    [(LEAST, None, {}), (OPS, PASSWORD, {}), (OPS, PASSWORD, {"key_file": None})],
)
def test_a_user_who_may_do_nothing_but_use_sudo_is_enough(
    machine: AccountsSshd, place: Path, user: str, password: str | None, changes: dict[str, None]
) -> None:
    need_ansible()
    target = machine.target(user=user, password=password, **changes)
    made = prepare_run(
        MECHANISM, RUN, make_worker(place, target), host="node-01", version="34.0.0", limit_seconds=120
    )
    lines: list[str] = []
    outcome = run_ansible(made, go_on=lambda: True, say=lines.append)
    assert (lines, outcome.code) == (["node-01 | demo | Be root | changed"], 0)


def test_no_secret_stands_in_the_command_line_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_program", lambda name: f"/opt/bin/{name}")
    target = SshTarget(host="node-01", address="192.0.2.1", user="ops", password="open sesame")
    mechanism = replace(MECHANISM, vault="site")
    worker = make_worker(tmp_path, replace(target, known_hosts=tmp_path / "known"))
    made = prepare_run(
        mechanism, RUN, worker, host="node-01", version="34.0.0", limit_seconds=60, artefacts="/a"
    )
    assert set(made.secrets) == {"open sesame", "password of site"}
    assert not any(secret in repr(made) for secret in made.secrets)
    assert made.files["vault"] == "password of site"
    assert json.loads(made.files["vars.json"]) == {
        "ansible_python_interpreter": sys.executable,
        "escalator_artefacts": "/a",
        "escalator_host": "node-01",
        "escalator_service": "nova-compute",
        "escalator_version": "34.0.0",
    }
    assert made.env["ANSIBLE_HOST_KEY_CHECKING"] == "True"


def test_a_folder_is_an_inventory_but_no_playbook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_program", lambda name: f"/opt/bin/{name}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    worker = make_worker(tmp_path)
    worker.playbooks.joinpath("hosts").mkdir()
    mechanism = replace(MECHANISM, inventory="hosts")
    assert list(find_worker_faults(mechanism, worker)) == []
    worker.playbooks.joinpath("nova.yml").unlink()
    worker.playbooks.joinpath("nova.yml").mkdir()
    (fault,) = find_worker_faults(mechanism, worker)
    assert fault.message.endswith("nova.yml, may not read it, or it is a folder")


def test_what_the_worker_lacks_is_said_all_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_program", lambda _name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    (worker := make_worker(tmp_path)).playbooks.joinpath("nova.yml").unlink()
    said = [str(fault) for fault in find_worker_faults(replace(MECHANISM, inventory="hosts"), worker)]
    install = "install it there: pip install ansible-core ansible-runner"
    assert said[:3] == [
        f"the worker worker-1 has no ansible-playbook -> {install}",
        "the worker worker-1 has no ssh -> install it there",
        f"the worker worker-1 has no ansible-runner -> {install}",
    ]
    assert [line.split()[5] for line in said[3:]] == [f"{tmp_path}/nova.yml,", f"{tmp_path}/hosts,"]
    with pytest.raises(InvalidRequestError, match="has no ansible-playbook"):
        prepare_run(MECHANISM, RUN, worker, host="n", version="1", limit_seconds=1)
    kolla = KollaAnsibleMechanism(service="s", version="v", inventory="hosts", config_dir="/nowhere")
    said = [fault.message.split()[5] for fault in find_worker_faults(kolla, worker)]
    assert said[:2] == ["kolla-ansible", "ssh"]
    assert said[-2:] == ["/nowhere/globals.yml,", "/nowhere/passwords.yml,"]


def test_links_that_lead_out_of_the_folder_are_a_fault_and_end_a_run_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_program", lambda name: f"/opt/bin/{name}")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    worker = make_worker(tmp_path)
    worker.playbooks.joinpath("roles").symlink_to("/srv")
    (fault,) = find_worker_faults(MECHANISM, worker)
    assert fault.message.endswith("/roles leads to /srv")
    with pytest.raises(InvalidRequestError, match="lead out of its playbook folder"):
        prepare_run(MECHANISM, RUN, worker, host="n", version="1", limit_seconds=1)
