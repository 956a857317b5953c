"""The worker that Ansible runs on: its programs, playbooks and ways to nodes, and a run made of these."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from escalator.model.bundle import AnsibleMechanism, KollaAnsibleMechanism, KollaRun, PlaybookRun
from escalator.model.errors import EscalatorError, InvalidRequestError
from escalator.system_support.playbooks.command_lines import (
    PLAYBOOK_PROGRAM,
    PREVIOUS,
    make_vars,
    name_host,
    write_kolla_line,
    write_playbook_line,
)
from escalator.system_support.playbooks.keeper import FOLDER, find_place
from escalator.system_support.playbooks.links import refuse_links_out
from escalator.system_support.playbooks.node_lock import REMOTE_TMP
from escalator.system_support.playbooks.ssh_files import INVENTORY, Route, write_ssh_files
from escalator.system_support.playbooks.worker_run import AnsibleRun

WorkersMechanism = AnsibleMechanism | KollaAnsibleMechanism
Part = PlaybookRun | KollaRun
INSTALL = "install it there: pip install ansible-core ansible-runner"
"""Remedy where the worker has no Ansible."""
_VARS, _VAULT = "vars.json", "vault"
_OWN_PROGRAMS = Path(sys.executable).parent


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSide:
    """What a mechanism has on the worker.

    :ivar find_route: says how a node is reached, by its nova-compute host.
    :ivar find_password: reads the password of a connection by its id; raises InvalidRequestError.
    :ivar playbooks: the playbook folder.
    :ivar name: of the worker, for those who wait for it.
    :ivar place: where runs have their folders.
    """

    find_route: Callable[[str], Route]
    find_password: Callable[[str], str]
    playbooks: Path
    name: str = socket.gethostname()
    place: Path = field(default_factory=find_place)


def find_program(name: str) -> str | None:
    """Return the path of a program: beside this process's Python, else on the PATH; None: it is not there."""
    if "/" in name:
        return name if os.access(name, os.X_OK) else None
    return shutil.which(name, path=f"{_OWN_PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}")


def find_worker_faults(mechanism: WorkersMechanism, worker: WorkerSide) -> Iterator[InvalidRequestError]:
    """Find everything on the worker that would keep the mechanism from working, each with its remedy."""
    for program in dict.fromkeys((_find_program_name(mechanism), PLAYBOOK_PROGRAM, "ssh")):
        if program == PLAYBOOK_PROGRAM and isinstance(mechanism, KollaAnsibleMechanism):
            continue  # kolla-ansible brings the one that fits
        if find_program(program) is None:
            remedy = INSTALL if program == PLAYBOOK_PROGRAM else "install it there"
            yield InvalidRequestError(f"the worker {worker.name} has no {program}", remedy=remedy)
    if importlib.util.find_spec("ansible_runner") is None:
        yield InvalidRequestError(f"the worker {worker.name} has no ansible-runner", remedy=INSTALL)
    for path in _list_paths(mechanism, worker):
        may_be_folder = mechanism.inventory is not None and path == worker.playbooks / mechanism.inventory
        if not os.access(path, os.R_OK) or (path.is_dir() and not may_be_folder):
            yield InvalidRequestError(
                f"the worker {worker.name} has no {path}, may not read it, or it is a folder",
                remedy="put it there, or correct the bundle; ESCALATOR_PLAYBOOK_DIR is the playbook folder",
            )
    try:
        refuse_links_out(worker.playbooks, worker.name)
    except InvalidRequestError as exc:
        yield exc
    if mechanism.vault is not None:
        try:
            worker.find_password(mechanism.vault)
        except EscalatorError as exc:
            yield InvalidRequestError(exc.message, remedy=exc.remedy)


def prepare_run(
    mechanism: WorkersMechanism,
    part: Part,
    worker: WorkerSide,
    *,
    host: str,
    version: str,
    limit_seconds: float,
    artefacts: str = "",
    previous: str = "",
    check: bool = False,
) -> AnsibleRun:
    """Put a run together, with all that it needs to reach the node; nothing is written or started.

    :param previous: what the service ran before the bundle, where the part is to bring that back.
    :param part: what of the mechanism is run; :param check: in Ansible's check mode.
    :raises InvalidRequestError: the worker lacks something, or the node cannot be reached so.
    """
    refuse_links_out(worker.playbooks, worker.name)
    name = name_host(mechanism, host)
    route = worker.find_route(host)
    files: dict[str, str] = {}
    inventory = f"{FOLDER}/{INVENTORY}"
    if mechanism.inventory is None:
        files |= write_ssh_files(route, name)
    else:
        inventory = str(worker.playbooks / mechanism.inventory)
    variables = make_vars(
        mechanism.extra_vars, host=host, service=mechanism.service, version=version, artefacts=artefacts
    )
    if previous:
        variables[PREVIOUS] = previous
    files[_VARS] = json.dumps(variables)
    secrets = [route.target.password, route.target.private_key_passphrase]
    if mechanism.vault is not None:
        files[_VAULT] = worker.find_password(mechanism.vault)
        secrets.append(files[_VAULT])
    program = find_program(_find_program_name(mechanism))
    if program is None:
        raise next(find_worker_faults(mechanism, worker))
    return AnsibleRun(
        argv=_write_line(mechanism, part, worker, (program, inventory, name), check=check),
        cwd=worker.playbooks if worker.playbooks.is_dir() else Path("/"),
        limit_seconds=limit_seconds,
        files=files,
        env=_make_environment(program, check=check),
        place=worker.place,
        secrets=tuple(secret for secret in secrets if secret),
    )


def _write_line(
    mechanism: WorkersMechanism,
    part: Part,
    worker: WorkerSide,
    found: tuple[str, str, str],
    *,
    check: bool,
) -> tuple[str, ...]:
    program, inventory, name = found
    vault = None if mechanism.vault is None else f"{FOLDER}/{_VAULT}"
    vars_file = f"{FOLDER}/{_VARS}"
    if isinstance(part, PlaybookRun):
        return write_playbook_line(
            part,
            program=program,
            playbooks=worker.playbooks,
            inventory=inventory,
            limit=name,
            vars_file=vars_file,
            vault_file=vault,
            check=check,
        )
    config_dir = mechanism.config_dir if isinstance(mechanism, KollaAnsibleMechanism) else ""
    return write_kolla_line(
        part,
        program=program,
        config_dir=config_dir,
        inventory=inventory,
        limit=name,
        vars_file=vars_file,
        vault_file=vault,
        check=check,
    )


def _make_environment(program: str, *, check: bool) -> dict[str, str]:
    """Return what Ansible is told by its environment, which is stronger than any ansible.cfg.

    Without pipelining each module is a file of ours on the node: what still runs there can be found. A check
    leaves nothing, not even an empty folder.
    """
    path = (
        f"{Path(program).parent}{os.pathsep}{_OWN_PROGRAMS}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    )
    return {
        "PATH": path,
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_HOST_KEY_CHECKING": "True",  # ansible-runner would switch it off
        "ANSIBLE_LOCAL_TEMP": f"{FOLDER}/tmp",  # noqa: S108  not that one
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_PIPELINING": "False",
        "ANSIBLE_REMOTE_TMP": "/tmp" if check else REMOTE_TMP,  # noqa: S108  a folder of its own is made in it
        "ANSIBLE_SSH_CONTROL_PATH_DIR": f"{FOLDER}/cp",
        "ANSIBLE_SSH_RETRIES": "3",
    }


def _find_program_name(mechanism: WorkersMechanism) -> str:
    return mechanism.program if isinstance(mechanism, KollaAnsibleMechanism) else PLAYBOOK_PROGRAM


def _list_paths(mechanism: WorkersMechanism, worker: WorkerSide) -> Iterator[Path]:
    for part in (mechanism.stage, mechanism.activate, mechanism.rollback, mechanism.restore):
        if isinstance(part, PlaybookRun):
            yield worker.playbooks / part.playbook
    if mechanism.inventory is not None:
        yield worker.playbooks / mechanism.inventory
    if isinstance(mechanism, KollaAnsibleMechanism):
        yield from (Path(mechanism.config_dir) / name for name in ("globals.yml", "passwords.yml"))
