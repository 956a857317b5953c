"""The command lines of ``ansible-playbook`` and ``kolla-ansible`` for one node: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from escalator.model.bundle import AnsibleMechanism, KollaAnsibleMechanism, KollaRun, PlaybookRun
from escalator.model.errors import InvalidRequestError

PLAYBOOK_PROGRAM = "ansible-playbook"
PREVIOUS = "escalator_previous"
"""The extra variable of a run that goes back: what the service ran before the bundle."""
_PLAIN_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""What ``--limit`` takes for one host, and not for a pattern."""
_GROUPS = {"all", "ungrouped", "localhost"}
"""What every inventory has: more than a node, or the worker itself."""


def write_playbook_line(
    run: PlaybookRun,
    *,
    program: str = PLAYBOOK_PROGRAM,
    playbooks: PurePath,
    inventory: str,
    limit: str,
    vars_file: str,
    vault_file: str | None = None,
    check: bool = False,
) -> tuple[str, ...]:
    """Write the line of ``ansible-playbook``.

    :param playbooks: the playbook folder; :param vars_file: extra variables, as JSON.
    :param limit: what the inventory calls the node.
    :param vault_file: a file with the password of the vault.
    :param check: change nothing. Differences are not shown: they may be secrets.
    """
    return (
        program,
        *_write_options(run, inventory, limit, vars_file, vault_file, check=check),
        str(playbooks / run.playbook),
    )


def write_kolla_line(
    run: KollaRun,
    *,
    program: str,
    config_dir: str,
    inventory: str,
    limit: str,
    vars_file: str,
    vault_file: str | None = None,
    check: bool = False,
) -> tuple[str, ...]:
    """Write the line of ``kolla-ansible``: the command comes first, which all of its releases take.

    :param config_dir: folder of ``globals.yml`` and ``passwords.yml``; others as in the line of a playbook.
    """
    options = _write_options(run, inventory, limit, vars_file, vault_file, check=check)
    return (program, run.action, "--configdir", config_dir, *options)


def name_host(mechanism: AnsibleMechanism | KollaAnsibleMechanism, host: str) -> str:
    """Return what the mechanism's inventory calls a node.

    :param host: its nova-compute service host.
    :raises InvalidRequestError: it is a pattern for Ansible, which may mean more than this node.
    """
    name = mechanism.inventory_host.replace("{host}", host)
    if not _PLAIN_HOST.fullmatch(name) or name in _GROUPS:
        raise InvalidRequestError(
            f"{name!r} cannot be the one host that Ansible is limited to",
            remedy="correct inventory_host of the bundle, or leave the node out",
        )
    return name


def make_vars(
    extra: Mapping[str, object], *, host: str, service: str, version: str, artefacts: str
) -> dict[str, object]:
    """Return the extra variables of a run.

    :param artefacts: folder of the bundle's artefacts on the node; empty: it has none.
    """
    return {
        **extra,
        "escalator_host": host,
        "escalator_service": service,
        "escalator_version": version,
        "escalator_artefacts": artefacts,
    }


def _write_options(
    run: PlaybookRun | KollaRun,
    inventory: str,
    limit: str,
    vars_file: str,
    vault_file: str | None,
    *,
    check: bool,
) -> Sequence[str]:
    options = ["--inventory", inventory, "--limit", limit, "--extra-vars", f"@{vars_file}"]
    if run.tags:
        options += ["--tags", ",".join(run.tags)]
    if run.skip_tags:
        options += ["--skip-tags", ",".join(run.skip_tags)]
    if vault_file is not None:
        options += ["--vault-password-file", vault_file]
    if check:
        options.append("--check")
    return options
