"""Switches over by a program on the machine that runs the task, without a shell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from escalator.model.cloud import Server
from escalator.model.errors import InvalidRequestError, NodeFaultError, TransientError
from escalator.model.switch import SwitchMethod, SwitchRecord
from escalator.model.vnf_means import CommandMeans
from escalator.system_support.programs import Ended, run_program
from escalator.vim_interface.registry.placeholders import fill_placeholders
from escalator.vim_interface.switching.switcher import Health, RoleView, SwitchGroup

Run = Callable[[Sequence[str], float], Ended]


class CommandSwitcher:
    """One group that a program switches over.

    :param run: runs a program for so many seconds at most.
    """

    method = SwitchMethod.COMMAND
    repeatable = False

    def __init__(self, means: CommandMeans, group: SwitchGroup, run: Run | None = None) -> None:
        self._means = means
        self._group = group
        self._run = run or run_program

    def find_role(self) -> RoleView:
        """Run the program that prints who has the service; without one it cannot be seen."""
        everybody = frozenset(self._group.ids)
        if not self._means.role_argv:
            words = "no command tells who has the service"
            return RoleView(unknown=everybody, words=words, blind=True)
        argv = [fill_placeholders(word, {"group": self._group.id}) for word in self._means.role_argv]
        try:
            ended = self._run(argv, self._means.timeout_seconds)
        except (TransientError, InvalidRequestError) as exc:
            return RoleView(unknown=everybody, words=exc.message)
        word = ended.said.strip()
        named = [s for s in self._group.members if word in {s.id, s.name}]
        if ended.code != 0 or len(named) != 1:
            return RoleView(
                unknown=everybody, words=f"{argv[0]}: exit code {ended.code}, {word[-80:]!r} is no member"
            )
        return RoleView(holders=frozenset({named[0].id}), words=f"{argv[0]} says {named[0].name}")

    def is_healthy(self, server: Server) -> Health:  # noqa: ARG002
        """Tell nothing: what Nova says of the server has to do."""
        return Health(ok=True)

    def find_state(self, from_server: str, to_server: str | None) -> Mapping[str, Any]:
        """Return nothing; that the command can be put together is seen before."""
        self._make_argv(from_server, to_server)
        return {}

    def switch(self, record: SwitchRecord) -> None:
        """Run the program.

        :raises NodeFaultError: it fails.
        :raises TransientError: its time is over: what it did is not known.
        """
        argv = self._make_argv(record.from_server, record.to_server)
        ended = self._run(argv, self._means.timeout_seconds)
        if ended.code != 0:
            last = (ended.said.strip().splitlines() or ["it said nothing"])[-1]
            raise NodeFaultError(f"{argv[0]}: exit code {ended.code}: {last}", remedy="see the command")

    def finish(self, record: SwitchRecord) -> None:
        """Wait for nothing: the program has ended."""

    def restore(self, record: SwitchRecord) -> tuple[str, ...]:  # noqa: ARG002
        """Restore nothing: the service stays where it is."""
        return ()

    def _make_argv(self, from_server: str, to_server: str | None) -> list[str]:
        """Put ids and names in; names are the tenant's words and must not be taken for options."""
        values = {
            "group": self._group.id,
            "from_id": from_server,
            "from_name": self._group.name_of(from_server),
        }
        if to_server is not None:
            values |= {"to_id": to_server, "to_name": self._group.name_of(to_server)}
        argv = [fill_placeholders(word, values) for word in self._means.argv]
        for word, filled in zip(self._means.argv, argv, strict=True):
            if word != filled and (
                (word.startswith("{") and filled.startswith("-")) or not filled.isprintable()
            ):
                raise InvalidRequestError(
                    f"the command would get {filled[:60]!r} for {word!r}, which is no plain word",
                    remedy="use the id in place of the name in the VNF file",
                )
        return argv
