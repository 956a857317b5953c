"""The bundle mechanism ``venv``: a version is a virtual environment, a link says which one is used."""

from __future__ import annotations

from collections.abc import Sequence

from escalator.model.bundle import COMPUTE, Artefact, VenvMechanism
from escalator.model.errors import NodeFaultError
from escalator.model.verdict import Code, Subject, Verdict
from escalator.model.way_back import WayBack
from escalator.system_support import remote_job
from escalator.system_support.mechanisms.artefact_scripts import FOLDER
from escalator.system_support.mechanisms.node_job import Effect, NodeJob
from escalator.system_support.mechanisms.protocol import InstalledVersion, UnitState
from escalator.system_support.mechanisms.questions import ask_service_state, find_lacking
from escalator.system_support.mechanisms.venv_back_scripts import (
    write_roll_back_script,
    write_way_back_script,
)
from escalator.system_support.mechanisms.venv_scripts import (
    write_activate_script,
    write_check_script,
    write_read_script,
    write_source_script,
    write_stage_script,
)
from escalator.system_support.shell import Shell, parse_pairs

SOURCE_SECONDS = 120.0
"""How long an installer may look for a version."""


class VenvOnNode:
    """Makes environments beside a link, and switches the link.

    :param artefacts: of the bundle: constraints and wheels may be among them.
    :param base: folder of the remote jobs on the nodes; :param folder: that of the artefacts.
    """

    def __init__(
        self,
        mechanism: VenvMechanism,
        artefacts: Sequence[Artefact] = (),
        *,
        base: str = remote_job.DEFAULT_BASE,
        folder: str = FOLDER,
    ) -> None:
        self._mechanism = mechanism
        self._artefacts = tuple(artefacts)
        self._base = base
        self._folder = folder

    @property
    def brings_software(self) -> bool:
        """Return True."""
        return True

    def check(self, shell: Shell) -> tuple[Verdict, ...]:
        """Find missing privileges, paths that cannot be written and missing programs."""
        return find_lacking(shell, write_check_script(self._mechanism, self._base))

    def check_source(self, shell: Shell, version: str) -> tuple[Verdict, ...]:
        """Ask the installer for a version that is not staged, without installing it."""
        script = write_source_script(self._mechanism, version, self._artefacts, self._folder)
        result = shell.run_as_root(script, SOURCE_SECONDS)
        if result.ok:
            return ()
        package = self._mechanism.package
        verdict = Verdict(
            code=Code.STAGE_FAILED,
            message=f"{package} {version} is not staged, and no source of it answers: {result.last_words}",
            subject=Subject.of_node(shell.host),
            remedy="put that version where the installer of the node looks, or name one in the bundle that "
            "is there",
        )
        return (verdict,)

    def installed(self, shell: Shell) -> InstalledVersion:
        """Read what the link points to, what the metadata there says and what the service runs."""
        result = shell.run_as_root(write_read_script(self._mechanism))
        if not result.ok:
            raise NodeFaultError(
                f"node {shell.host}: cannot read what is installed: {result.last_words}",
                remedy=f"see that the folder of {self._mechanism.venv} exists",
            )
        found = parse_pairs(result.stdout)
        return InstalledVersion(
            package=self._mechanism.package,
            place=self._mechanism.venv,
            target=found.get("link") or None,
            version=found.get("version") or None,
            running=found.get("running") or None,
            previous=found.get("previous") or None,
            main_pid=int(found["pid"]) if found.get("pid") else None,
            active=found.get("active") == "active",
        )

    def service_state(self, shell: Shell) -> UnitState | None:
        """Read what systemd prints of the service: ``inactive`` also when it knows no such service."""
        return ask_service_state(shell, self._mechanism.service)

    def stage(self, job: NodeJob) -> Effect:
        """Make the version's environment; a second run only verifies it."""
        script = write_stage_script(self._mechanism, job.version, self._artefacts, self._folder)
        trouble = f"{self._mechanism.package} {job.version} cannot be staged"
        return job.run(script, trouble=trouble, base=self._base)

    def activate(self, job: NodeJob) -> Effect:
        """Point the link to the environment and restart the service."""
        script = write_activate_script(self._mechanism, job.version, self._artefacts)
        trouble = f"{self._mechanism.service} cannot be brought to {job.version}"
        return job.run(script, trouble=trouble, base=self._base)

    def way_back(self, shell: Shell, version: str) -> WayBack:
        """Look at the environment that the link points to, or pointed to before that version."""
        result = shell.run_as_root(write_way_back_script(self._mechanism, version, self._artefacts))
        if not result.ok:
            raise NodeFaultError(
                f"node {shell.host}: cannot read what it would go back to: {result.last_words}",
                remedy=f"see that the folder of {self._mechanism.venv} exists",
            )
        found = parse_pairs(result.stdout)
        if found.get("why"):
            return WayBack.one_way(found["why"])
        return WayBack.to_previous({COMPUTE: found["version"]})

    def roll_back(self, job: NodeJob) -> Effect:
        """Point the link to where it pointed before, and restart the service."""
        script = write_roll_back_script(self._mechanism, job.version, self._artefacts)
        trouble = f"{self._mechanism.service} cannot be brought back from {job.version}"
        return job.run(script, trouble=trouble, base=self._base)
