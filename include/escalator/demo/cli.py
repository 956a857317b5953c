"""``escalator demo``: from nothing to an upgraded cloud, with a report."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from escalator.airflow_client.client import AirflowClient
from escalator.airflow_client.errors import RequestRefusedError
from escalator.airflow_client.follow import Lines, follow, wait_for_dag
from escalator.airflow_client.records import DagRun, RunState, TaskState
from escalator.airflow_stack.settings import find_home
from escalator.airflow_stack.stack import AirflowStack
from escalator.demo.demo_world import CLOUD, DemoWorld, offer_bundles
from escalator.demo.shell import SHELL_FILE, list_ways_in, write_shell
from escalator.demo.vnfs import PAIR, start_pair
from escalator.lab.guest_watch import guest_watch
from escalator.lab.lab import Lab
from escalator.lab.machine.possible import Computer, check_rights
from escalator.lab.progress import Progress
from escalator.lab.real_guests import RealGuests
from escalator.lab.services import ServiceRunner
from escalator.lab.settings import Hypervisor, LabSettings
from escalator.model.clock import utcnow
from escalator.model.errors import InvalidRequestError
from escalator.model.naming import make_dag_id
from escalator.model.procedure import UPGRADE
from escalator.steps.campaign.conclude import make_folder_name

DOMAIN = "cell1/az1/general"
BUNDLE = "nova-34"
FOLDER = "build/demo"
DAG_WITHIN_SECONDS = 90.0
POLL_SECONDS = 2.0
RUN_WITHIN_SECONDS = 3600.0
LAST_LINES = 20
NOTHING_TO_SEE = frozenset({TaskState.SCHEDULED, TaskState.QUEUED, TaskState.UPSTREAM_FAILED})
"""States that a person who looks on learns nothing from: that of a failed task says it all."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb ``demo``."""
    parser = subparsers.add_parser("demo", help="the lab, Airflow, and one campaign from start to end")
    parser.add_argument(
        "--hypervisor",
        type=Hypervisor,
        choices=list(Hypervisor),
        default=Hypervisor.SIM,
        help="qemu: real guests, under libvirt, upgraded with Nova by apt",
    )
    parser.add_argument("--nodes", type=int, help="default: 4; 3 with real guests")
    parser.add_argument("--servers", type=int, help="beside the pair; default: 12; 2 with real guests")
    parser.add_argument(
        "--folder",
        type=Path,
        help=f"where the report goes ({FOLDER}; with ESCALATOR_LAB_INSTANCE=N {FOLDER}-N)",
    )
    parser.add_argument(
        "--keep", action="store_true", help="leave the lab and Airflow running, and say how to look at them"
    )
    parser.add_argument("--no-campaign", action="store_true", help="start both and trigger nothing")
    parser.add_argument("--down", action="store_true", help="end what was left running, nothing else")


def run(args: argparse.Namespace) -> int:
    """Run the demonstration.

    :return: 0 when every node was upgraded, 1 when not, 2 on bad input.
    """
    progress = Progress(print_line)
    settings = LabSettings.from_environment(os.environ, **_choose_shape(args))
    guests = RealGuests(settings=settings)
    folder = (args.folder or choose_folder(settings.instance)).absolute()
    world = DemoWorld(
        lab=Lab(settings, progress=progress),
        folder=folder,
        stack_home=find_home(os.environ),
        instance=settings.instance,
        checkout=Path(__file__).resolve().parents[3],
        bundle_dir=folder / "bundles" if guests.are_there else None,
    )
    stack = world.stack(progress)
    if args.down:
        bring_down(world, stack)
        progress.say("lab and Airflow have ended")
        return 0
    check_rights(Computer.this())
    guests.check_possible()
    try:
        is_lab_new = bring_up(world, stack)
        bundle = BUNDLE
        if is_lab_new:
            progress.say("starting a pair of servers that stand in for one another, and their manager")
            start_pair(world, stack.settings.url)
        if guests.are_there:
            progress.say("sending an echo every 5 ms to every guest")
            bundle = _watch_guests(world, guests)
        if args.keep:
            progress.say(f"for a shell, now and later: . {shlex.quote(str(write_shell(world, stack)))}")
        code = 0 if args.no_campaign else run_campaign(world, stack, progress, bundle)
    except BaseException:
        if not args.keep:
            bring_down(world, stack)
        raise
    if args.keep:
        progress.say("both are left running")
        print_line("\n".join(list_ways_in(world, stack)))
    else:
        bring_down(world, stack)
    return code


def choose_folder(instance: int) -> Path:
    """Return where a demonstration leaves what it makes: one beside another has a folder of its own."""
    return Path(f"{FOLDER}-{instance}" if instance else FOLDER)


def _choose_shape(args: argparse.Namespace) -> dict[str, int | str]:
    """Return what the lab shall be; real guests are few.

    :raises InvalidRequestError: the pair has no place.
    """
    if args.nodes is not None and args.nodes < len(PAIR.nodes):
        fewest = len(PAIR.nodes)
        raise InvalidRequestError(f"--nodes {args.nodes}: the pair needs {fewest}", remedy="choose more")
    nodes, servers = (3, 2) if args.hypervisor is Hypervisor.QEMU else (4, 12)
    return {
        "nodes": nodes if args.nodes is None else args.nodes,
        "servers": servers if args.servers is None else args.servers,
        "hypervisor": args.hypervisor,
        "nova": args.hypervisor.usual_nova,
    }


def _watch_guests(world: DemoWorld, guests: RealGuests) -> str:
    """Offer the bundle of the lab's real nodes, watch its guests from outside, and return its name."""
    bundle = guests.bundle_file
    offer_bundles(world.folder / "bundles", {bundle.name: bundle.read_text(encoding="utf-8")})
    addresses = {
        server["id"]: address["addr"]
        for server in world.lab.servers.fetch()
        for network in server["addresses"].values()
        for address in network
    }
    ServiceRunner(run=world.lab.settings.run).ensure_started(guest_watch(world.lab.settings, addresses))
    return bundle.stem


def bring_up(world: DemoWorld, stack: AirflowStack) -> bool:
    """Start the lab and Airflow side by side and wire them.

    :return: whether the lab is new.
    """
    world.folder.mkdir(parents=True, exist_ok=True)
    is_lab_new = not world.lab.is_running
    with ThreadPoolExecutor(2) as pool:
        airflow = pool.submit(_start_airflow, stack, is_lab_new=is_lab_new)
        pool.submit(world.lab.up).result()
        world.write_inventory()
        airflow.result()
    world.connect_airflow(stack)
    return is_lab_new


def _start_airflow(stack: AirflowStack, *, is_lab_new: bool) -> None:
    """Start Airflow; what a demonstration that was cut off left unfinished shall not go on in a new lab."""
    stack.up()
    if is_lab_new:
        with stack.client() as client:
            client.end_runs(prefix=make_dag_id(UPGRADE.name, CLOUD, ""))


def bring_down(world: DemoWorld, stack: AirflowStack) -> None:
    """End Airflow, then the lab."""
    stack.down()
    world.lab.down()
    (world.folder / SHELL_FILE).unlink(missing_ok=True)


def run_campaign(world: DemoWorld, stack: AirflowStack, progress: Progress, bundle: str = BUNDLE) -> int:
    """Trigger the upgrade, follow it, keep its report in the demo's folder, and say how it went."""
    dag_id = make_dag_id(UPGRADE.name, CLOUD, DOMAIN)
    with stack.client() as client:
        wait_for_dag(client, dag_id, timeout_seconds=DAG_WITHIN_SECONDS)
        run = _trigger(client, dag_id, bundle)
        progress.say(f"triggered {dag_id}, run {run.run_id}: {stack.settings.url}/dags/{dag_id}")
        view = Lines(print_line, clock=utcnow, leave_out=NOTHING_TO_SEE)
        ended = follow(client, run, view, timeout_seconds=RUN_WITHIN_SECONDS)
        if ended.state is not RunState.SUCCESS:
            _tell_why(client, ended)
    progress.say(f"the run has ended: {ended.state}")
    report = world.report_dir / make_folder_name(dag_id, run.run_id)
    for path in sorted(report.glob("report.*")):
        shutil.copy(path, world.folder / path.name)
    markdown = world.folder / "report.md"
    if markdown.exists():
        print_line(markdown.read_text(encoding="utf-8"))
    progress.say(f"report: {world.folder}/report.html, .md, .json")
    return 0 if ended.state is RunState.SUCCESS else 1


def _trigger(client: AirflowClient, dag_id: str, bundle: str) -> DagRun:
    """Trigger the upgrade; a DAG of an earlier demonstration does not offer it until it is read anew."""
    deadline = time.monotonic() + DAG_WITHIN_SECONDS
    while True:
        try:
            return client.trigger(dag_id, {"bundle": bundle})
        except RequestRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def _tell_why(client: AirflowClient, run: DagRun) -> None:
    """Print the end of the log of each task that failed: Airflow may be gone when somebody reads this."""
    for task in client.task_instances(run.dag_id, run.run_id):
        if task.state is TaskState.FAILED:
            log = client.task_log(run.dag_id, run.run_id, task.task_id, try_number=task.try_number)
            print_line(f"\n{task.task_id} failed; the end of its log:")
            print_line("\n".join(list_last_words(log)))


def list_last_words(log: str) -> list[str]:
    """Return the last lines of a task's log, without the marks of groups."""
    said = [line for line in log.splitlines() if "::group::" not in line and "::endgroup::" not in line]
    return [f"  {line}" for line in said[-LAST_LINES:]]


def print_line(text: str) -> None:
    """Print for the person who runs the demonstration."""
    print(text, flush=True)
