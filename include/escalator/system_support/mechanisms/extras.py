"""A mechanism whose bundle has files and hooks of its own, or reboots the nodes.

The files are brought in stage, and proved again before activate. What hooks and a reboot need is looked for
with the rest: also where the mechanism brings nothing, and asks the node nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from escalator.model.bundle import Artefact
from escalator.model.verdict import Code, Subject, Verdict
from escalator.model.way_back import WayBack
from escalator.system_support import remote_job
from escalator.system_support.mechanisms.artefact_scripts import (
    FOLDER,
    write_check_script,
    write_fetch,
    write_look,
    write_source_script,
)
from escalator.system_support.mechanisms.command_scripts import write_hook_check_script
from escalator.system_support.mechanisms.node_job import Effect, NodeJob
from escalator.system_support.mechanisms.protocol import InstalledVersion, NodeMechanism, UnitState
from escalator.system_support.mechanisms.questions import find_lacking
from escalator.system_support.mechanisms.shared_scripts import (
    CHECK_ROOT,
    write_check_boot,
    write_check_tools,
)
from escalator.system_support.shell import Shell

_SOURCE_SECONDS = 300.0


class WithExtras:
    """Another mechanism, in whose jobs the artefacts come first: what is not proved lets nothing run.

    :param mechanism: brings the software, or nothing.
    :param runs_hooks: the bundle has commands of its own; :mod:`escalator.system_support.mechanisms.hooks`.
    :param reboots: the bundle may reboot nodes; :mod:`escalator.system_support.boots`.
    :param units: names of nova-compute's unit: of those that a node has, a reboot must start each.
    :param base: folder of the remote jobs; :param folder: that of the artefacts.
    """

    def __init__(
        self,
        mechanism: NodeMechanism,
        artefacts: Sequence[Artefact],
        *,
        runs_hooks: bool = False,
        reboots: bool = False,
        units: Sequence[str] = (),
        base: str = remote_job.DEFAULT_BASE,
        folder: str = FOLDER,
    ) -> None:
        self._mechanism = mechanism
        self._artefacts = tuple(artefacts)
        self._runs_hooks = runs_hooks
        self._reboots = reboots
        self._units = tuple(units)
        self._base = base
        self._folder = folder

    @property
    def brings_software(self) -> bool:
        """Tell what the mechanism tells: files alone change nothing that runs."""
        return self._mechanism.brings_software

    def check(self, shell: Shell) -> tuple[Verdict, ...]:
        """Find what the mechanism lacks, and what artefacts, hooks and a reboot need."""
        script = write_hook_check_script(self._base) if self._runs_hooks else ""
        if self._reboots:
            script += CHECK_ROOT + write_check_tools("systemctl") + write_check_boot(self._units)
        if self._artefacts:
            script += write_check_script(self._artefacts, self._folder)
        return tuple(dict.fromkeys((*self._mechanism.check(shell), *find_lacking(shell, script))))

    def check_source(self, shell: Shell, version: str) -> tuple[Verdict, ...]:
        """Ask the mechanism for its version, and the places of the artefacts that are not there for them."""
        if not self._artefacts:
            return self._mechanism.check_source(shell, version)
        script = write_source_script(self._artefacts, self._folder)
        said = shell.run_as_root(script, _SOURCE_SECONDS).stdout.splitlines()
        lacking = (
            Verdict(
                code=Code.STAGE_FAILED,
                message=line,
                subject=Subject.of_node(shell.host),
                remedy="put it there, or correct its url or path in the bundle",
            )
            for line in said
        )
        return (*self._mechanism.check_source(shell, version), *lacking)

    def installed(self, shell: Shell) -> InstalledVersion | None:
        """Read what the mechanism reads."""
        return self._mechanism.installed(shell)

    def service_state(self, shell: Shell) -> UnitState | None:
        """Read what the mechanism reads."""
        return self._mechanism.service_state(shell)

    def stage(self, job: NodeJob) -> Effect:
        """Bring the artefacts, then what the mechanism brings; a second run proves both."""
        if not self._artefacts:
            return self._mechanism.stage(job)
        with_files = replace(job, before=write_fetch(self._artefacts, self._folder))
        if self.brings_software:
            return self._mechanism.stage(with_files)
        said = f"echo 'escalator: {Effect.ALREADY_STAGED}'\n"
        return with_files.run(said, trouble="its artefacts cannot be staged", base=self._base)

    def activate(self, job: NodeJob) -> Effect:
        """Prove the artefacts again, then activate what the mechanism brings."""
        if not (self.brings_software and self._artefacts):
            return self._mechanism.activate(job)
        return self._mechanism.activate(replace(job, before=write_look(self._artefacts, self._folder)))

    def way_back(self, shell: Shell, version: str) -> WayBack:
        """Ask the mechanism: files are beside what runs, and what hooks did is not known."""
        return self._mechanism.way_back(shell, version)

    def roll_back(self, job: NodeJob) -> Effect:
        """Have the mechanism undo what it brought; the artefacts stay."""
        return self._mechanism.roll_back(job)
