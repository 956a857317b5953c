"""``escalator lab``: the commands of the embedded OpenStack."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, TypeAlias

from escalator.lab.errors import LabError
from escalator.lab.lab import Lab
from escalator.lab.machine.store import MachineStore
from escalator.lab.prepare import prepare
from escalator.lab.progress import Progress
from escalator.lab.settings import Hypervisor, LabSettings, NovaForm
from escalator.lab.virt.faults import MigrationFault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001
OK, NOT_UP, BAD = 0, 1, 2


def add_parser(subparsers: Subparsers) -> None:
    """Add the command ``lab`` and its own commands."""
    lab = subparsers.add_parser("lab", help="the embedded OpenStack: real services and nodes on loopback")
    add_commands(lab)


def add_commands(lab: argparse.ArgumentParser) -> None:
    """Add install, up, down, status, node and reset to a parser."""
    commands = lab.add_subparsers(dest="lab_command", required=True, metavar="COMMAND")
    install = commands.add_parser("install", help="install what the lab is made of")
    up = commands.add_parser("up", help="bring the lab up; what runs already is left alone")
    for parser in (install, up):
        parser.add_argument(
            "--from-release", default="33.0.2", metavar="V", help="Nova of the nodes (33.0.2)"
        )
        parser.add_argument("--to-release", default="34.0.0", metavar="V", help="Nova to upgrade to (34.0.0)")
        parser.add_argument(
            "--nova",
            choices=list(NovaForm),
            help="nova-compute on the nodes: by a link to a virtual environment (venv, usual with sim), "
            "or as a Debian package (package, with qemu)",
        )
        parser.add_argument(
            "--hypervisor",
            choices=list(Hypervisor),
            default=Hypervisor.SIM,
            help="what guests run on: the lab's own (sim), or libvirt and QEMU with real guests (qemu)",
        )
    up.add_argument("--nodes", type=int, default=4, metavar="N", help="compute nodes (4)")
    up.add_argument("--servers", type=int, default=12, metavar="M", help="servers to boot (12)")
    up.add_argument("--zones", type=int, default=1, metavar="Z", help="availability zones (1)")
    up.add_argument("--masakari", action="store_true", help="Masakari's API too, every node in a segment")
    commands.add_parser("down", help="end everything that up started")
    status = commands.add_parser("status", help="show services, nodes and servers")
    status.add_argument("--json", action="store_true", help="print one JSON document")
    commands.add_parser("reset", help="bring every node back to its first release, enabled, without faults")
    _add_node_parser(commands)


def _add_node_parser(commands: Subparsers) -> None:
    node = commands.add_parser("node", help="switch nodes on and off, order faults")
    node.add_argument("verb", choices=("start", "stop", "restart", "reset", "fault"))
    node.add_argument("names", nargs="+", metavar="NAME")
    kinds = [str(kind) for kind in MigrationFault if kind]
    node.add_argument("--migrate", choices=kinds, help="fault: how migrations from the node go wrong")
    node.add_argument("--seconds", type=float, help="fault: how long each migration takes")
    node.add_argument("--hypervisor-version", type=int, help="fault: report this version (8002000 for 8.2.0)")
    node.add_argument(
        "--refuse-start", metavar="V", help="fault: nova-compute of this release exits at its start"
    )
    node.add_argument("--once", action="store_true", help="fault: strike once, then be gone")
    node.add_argument("--clear", action="store_true", help="fault: remove all faults first")


def run(args: argparse.Namespace) -> int:
    """Carry out one command; return 0 (done), 1 (status: the lab is not up) or 2 (it cannot be done)."""
    try:
        return _COMMANDS[args.lab_command](args)
    except LabError as error:
        print(error.said, file=sys.stderr)
        return BAD


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the lab's commands alone, as ``python -m escalator.lab``."""
    parser = argparse.ArgumentParser(prog="escalator lab", description="The embedded OpenStack of Escalator.")
    add_commands(parser)
    return run(parser.parse_args(arguments))


def _install(args: argparse.Namespace) -> int:
    settings = _choose_settings(args, "from_release", "to_release")
    progress = Progress()
    prepare(settings, progress)
    MachineStore(settings=settings, progress=progress).prune()
    progress.say("everything is installed")
    return OK


def _up(args: argparse.Namespace) -> int:
    names = ("nodes", "servers", "zones", "from_release", "to_release", "masakari")
    settings = _choose_settings(args, *names)
    Lab(settings, progress=Progress()).up()
    return OK


def _choose_settings(args: argparse.Namespace, *names: str) -> LabSettings:
    chosen = {name: getattr(args, name) for name in names}
    hypervisor = Hypervisor(args.hypervisor)
    nova = NovaForm(args.nova or hypervisor.usual_nova)
    return LabSettings.from_environment(**chosen, nova=nova, hypervisor=hypervisor)


def _down(args: argparse.Namespace) -> int:  # noqa: ARG001
    progress = Progress()
    ended = Lab(LabSettings.from_environment(), progress=progress).down()
    progress.say("the lab is down" if ended else "nothing was running")
    return OK


def _status(args: argparse.Namespace) -> int:
    status = Lab(LabSettings.from_environment()).status()
    print(json.dumps(status.as_json()) if args.json else status.as_text())
    return OK if status.is_up else NOT_UP


def _reset(args: argparse.Namespace) -> int:  # noqa: ARG001
    progress = Progress()
    Lab(LabSettings.from_environment(), progress=progress).reset()
    progress.say("all nodes are as they were")
    return OK


def _node(args: argparse.Namespace) -> int:
    lab = Lab(LabSettings.from_environment())
    for node in [lab.node(name) for name in args.names]:
        match args.verb:
            case "fault":
                if args.clear:
                    node.clear_faults()
                node.fault(
                    migrate=args.migrate,
                    seconds=args.seconds,
                    hypervisor_version=args.hypervisor_version,
                    refuse_start_release=args.refuse_start,
                    once=args.once,
                )
            case verb:
                getattr(node, verb)()
    return OK


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "install": _install,
    "up": _up,
    "down": _down,
    "status": _status,
    "reset": _reset,
    "node": _node,
}
