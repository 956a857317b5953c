"""The bundle mechanism ``command``: the operator's own commands, with our time limits, locks and proofs."""

from __future__ import annotations

from escalator.model.bundle import CommandMechanism
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code, Subject, Verdict
from escalator.model.way_back import WayBack
from escalator.system_support import remote_job
from escalator.system_support.mechanisms.command_scripts import (
    STATE,
    ask_service,
    write_activate_script,
    write_check_script,
    write_restore_script,
    write_roll_back_script,
    write_source_script,
    write_stage_script,
    write_way_back_script,
)
from escalator.system_support.mechanisms.node_job import Effect, NodeJob
from escalator.system_support.mechanisms.proof_scripts import MARGIN_SECONDS
from escalator.system_support.mechanisms.protocol import InstalledVersion, UnitState
from escalator.system_support.mechanisms.questions import ask_service_state, ask_way_back, find_lacking
from escalator.system_support.shell import Shell

SOURCE_SECONDS = 120.0
"""How long the source command may look for a version."""
_NO_COMMAND = "the bundle names no rollback command"


class CommandOnNode:
    """Runs the commands of a bundle on a node.

    :param base: folder of the remote jobs on the nodes.
    :param state: folder of the records of what was staged and activated.
    """

    def __init__(
        self, mechanism: CommandMechanism, *, base: str = remote_job.DEFAULT_BASE, state: str = STATE
    ) -> None:
        self._mechanism = mechanism
        self._base = base
        self._state = state

    @property
    def brings_software(self) -> bool:
        """Return True."""
        return True

    def check(self, shell: Shell) -> tuple[Verdict, ...]:
        """Find missing privileges, folders that cannot be written and missing programs."""
        return find_lacking(shell, write_check_script(self._mechanism, self._base, self._state))

    def check_source(self, shell: Shell, version: str) -> tuple[Verdict, ...]:
        """Ask the source command for a version that is not staged; without that command nobody can say."""
        source = self._mechanism.source
        if source is None:
            return ()
        script = write_source_script(self._mechanism, version, source, SOURCE_SECONDS, self._state)
        result = shell.run_as_root(script, SOURCE_SECONDS + MARGIN_SECONDS)
        if result.ok:
            return ()
        verdict = Verdict(
            code=Code.STAGE_FAILED,
            message=f"{version} is not staged, and the source command does not find it: {result.last_words}",
            subject=Subject.of_node(shell.host),
            remedy="put that version where the stage command gets it, or correct the source command",
        )
        return (verdict,)

    def installed(self, shell: Shell) -> InstalledVersion:
        """Ask the version command what the service runs; of a service that is not active, what is installed.

        :raises NodeFaultError: the command fails, takes too long, or prints what is no version.
        """
        return ask_service(self._mechanism, self._state).read(shell)

    def service_state(self, shell: Shell) -> UnitState | None:
        """Read what systemd prints of the service."""
        return ask_service_state(shell, self._mechanism.service)

    def stage(self, job: NodeJob) -> Effect:
        """Run the stage command; a second run runs it again: that it then only verifies is its author's."""
        script = write_stage_script(self._mechanism, job.version, self._state)
        return job.run(script, trouble=f"{job.version} cannot be staged", base=self._base)

    def activate(self, job: NodeJob) -> Effect:
        """Run the activate command, unless these commands have brought that version and it runs."""
        script = write_activate_script(self._mechanism, job.version, self._state)
        trouble = f"{self._mechanism.service} cannot be brought to {job.version}"
        return job.run(script, trouble=trouble, base=self._base)

    def way_back(self, shell: Shell, version: str) -> WayBack:
        """Read what these commands replaced, or else what the service runs; without a command there is none.

        :raises NodeFaultError: the version command fails.
        """
        if self._mechanism.rollback is None:
            return WayBack.one_way(_NO_COMMAND)
        script = write_way_back_script(self._mechanism, version, self._state)
        return ask_way_back(shell, script, version, self._mechanism.version_seconds)

    def roll_back(self, job: NodeJob) -> Effect:
        """Run the rollback command, unless nothing of these commands is left; then have it proved.

        :raises NodeFaultError: the bundle names none.
        """
        rollback = self._mechanism.rollback
        trouble = f"{self._mechanism.service} cannot be brought back from {job.version}"
        if rollback is None:
            raise NodeFaultError(f"{trouble}: {_NO_COMMAND}", remedy="go back by hand, or from a backup")
        script = write_roll_back_script(self._mechanism, job.version, rollback, self._state)
        return job.run(script, trouble=trouble, base=self._base)

    def put_back(self, job: NodeJob, token: str) -> None:
        """Run the restore command, after the files of the backup are back; then have it proved.

        :param job: its version is what the node had as the backup was taken.
        :param token: of the run that puts the node back.
        :raises NodeFaultError: the bundle names none, or it failed.
        """
        restore = self._mechanism.restore
        trouble = f"{self._mechanism.service} cannot be put back to {job.version}"
        if restore is None:
            raise NodeFaultError(f"{trouble}: the bundle names no restore command", remedy="go back by hand")
        script = write_restore_script(self._mechanism, job.version, restore, token, self._state)
        job.run(script, trouble=trouble, base=self._base)
