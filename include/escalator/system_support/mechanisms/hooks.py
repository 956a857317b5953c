"""Hooks: a bundle's own commands around the upgrade of a node, one detached job for each time."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace

from escalator.model.bundle import Artefact, HookTime
from escalator.system_support import remote_job
from escalator.system_support.mechanisms.artefact_scripts import FOLDER, write_fetch, write_look
from escalator.system_support.mechanisms.command_scripts import RUN
from escalator.system_support.mechanisms.node_job import NodeJob


@dataclass(frozen=True, slots=True, kw_only=True)
class HookCommands:
    """What is run on a node at one time.

    :ivar commands: for ``sh -e``, in their order; the first that fails ends it.
    :ivar limit_seconds: of each command.
    :ivar artefacts: files that have to be there, and proved, before the first one.
    :ivar fetches: those that are not there are brought: of what takes a run back nothing is staged.
    """

    host: str
    when: HookTime
    commands: tuple[str, ...]
    limit_seconds: float
    artefacts: tuple[Artefact, ...] = ()
    fetches: bool = False


RunHook = Callable[[NodeJob, HookCommands], str]
"""Runs hooks, and returns what they printed; raises as :func:`run_hook` does."""


def run_hook(
    job: NodeJob, hook: HookCommands, *, base: str = remote_job.DEFAULT_BASE, folder: str = FOLDER
) -> str:
    """Run the commands of a hook to their end; a second run joins one that still runs, or runs them again.

    :return: the end of what they printed.
    :raises JobFailedError: a command failed or took longer than its limit, or an artefact is not as it was.
    :raises NodeFaultError: the node is unreachable, or still at it at the deadline.
    """
    bring = write_fetch if hook.fetches and hook.artefacts else write_look
    proved = replace(job, before=bring(hook.artefacts, folder))
    trouble = f"the {hook.when} hooks fail"
    return proved.run_to_status(_write_script(job, hook), trouble=trouble, base=base).output


def _write_script(job: NodeJob, hook: HookCommands) -> str:
    given = {
        "ESCALATOR_VERSION": job.version,
        "ESCALATOR_HOST": hook.host,
        "ESCALATOR_HOOK": str(hook.when),
    }
    exported = "".join(f"export {name}={shlex.quote(text)}\n" for name, text in given.items())
    calls = "".join(
        f"run hooks.{hook.when}[{index}] {hook.limit_seconds:g} {shlex.quote(command)}\n"
        for index, command in enumerate(hook.commands)
    )
    return f"set -eu\numask 022\n{RUN}{exported}{calls}"
