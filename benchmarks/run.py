"""The benchmarks, side by side in one run: Escalator on Airflow, and the serial loop of an operator.

``python benchmarks/run.py [--nodes N] [--servers M]`` prints a table and writes build/bench/result.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from serial_loop import SerialLoop  # noqa: E402

from escalator.airflow_stack.settings import find_home  # noqa: E402
from escalator.airflow_stack.stack import AirflowStack  # noqa: E402
from escalator.demo.cli import BUNDLE, DOMAIN, bring_down, bring_up, print_line  # noqa: E402
from escalator.demo.demo_world import CLOUD, DemoWorld  # noqa: E402
from escalator.lab.lab import Lab  # noqa: E402
from escalator.lab.progress import Progress  # noqa: E402
from escalator.lab.servers import ServerSpec  # noqa: E402
from escalator.lab.settings import LabSettings  # noqa: E402
from escalator.model.naming import make_dag_id  # noqa: E402
from escalator.model.procedure import UPGRADE  # noqa: E402
from escalator.steps.campaign.conclude import make_folder_name  # noqa: E402

INSTANCE = 7
RUN_SECONDS = 3600.0


def main() -> int:
    """Run both arms and print what they came to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--servers", type=int, default=24)
    args = parser.parse_args()
    progress = Progress(print_line)
    lab = Lab(LabSettings(nodes=args.nodes, servers=0, instance=INSTANCE), progress=progress)
    world = DemoWorld(
        lab=lab,
        folder=ROOT / "build" / "bench",
        stack_home=find_home(os.environ),
        instance=INSTANCE,
        checkout=ROOT,
    )
    stack = world.stack(progress)
    try:
        bring_up(world, stack)
        result = {
            "parse_100_nodes": parse_time(100),
            "check_seconds": check_seconds(world),
            "escalator": escalator_arm(world, stack, args.servers),
            "serial_loop": serial_arm(world, args.servers),
        }
    finally:
        bring_down(world, stack)
    (world.folder / "result.json").write_text(json.dumps(result, indent=1))
    show(result)
    return 0


def parse_time(nodes: int) -> dict[str, Any]:
    """Parse the DAG of a large domain in a fresh process."""
    command = [sys.executable, str(ROOT / "benchmarks" / "parse_time.py"), str(nodes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def check_seconds(world: DemoWorld) -> float:
    """Ask whether the conditions for the whole cloud are met, in a fresh process."""
    path = world.lab.settings.run / "clouds.yaml"
    words = ["check", "--cloud", CLOUD, "--clouds-yaml", str(path), "--bundle", BUNDLE, "--json"]
    begun = time.monotonic()
    subprocess.run([sys.executable, "-m", "escalator", *words], capture_output=True, check=True)
    return time.monotonic() - begun


def load(world: DemoWorld, servers: int) -> None:
    """Bring nodes and servers back to the beginning: all ACTIVE, evenly spread."""
    world.lab.reset()
    hosts = world.lab.settings.hosts
    specs = [ServerSpec(name=f"load-{n:03d}", host=hosts[n % len(hosts)]) for n in range(servers)]
    world.lab.restore_servers(specs)


def escalator_arm(world: DemoWorld, stack: AirflowStack, servers: int) -> dict[str, Any]:
    """One campaign through Airflow."""
    load(world, servers)
    dag_id = make_dag_id(UPGRADE.name, CLOUD, DOMAIN)
    with stack.client() as client:
        run = client.trigger(dag_id, {"bundle": BUNDLE})
        client.wait(dag_id, run.run_id, timeout_seconds=RUN_SECONDS)
    report = json.loads((world.report_dir / make_folder_name(dag_id, run.run_id) / "report.json").read_text())
    nodes = report["nodes"]
    return {
        "outcome": report["outcome"],
        "nodes": len(nodes),
        "moved": report["totals"]["moves"],
        "wall_seconds_a_node": [n["wall_seconds"] for n in nodes],
        "own_overhead_seconds_a_node": [n["own_overhead_seconds"] for n in nodes],
        "api_calls_a_moved_server": report["totals"]["api_calls_per_moved_server"],
    }


def serial_arm(world: DemoWorld, servers: int) -> dict[str, Any]:
    """Run the operator's loop, by name order."""
    load(world, servers)
    loop = SerialLoop(world, "34.0.0")
    for host in world.lab.settings.hosts:
        loop.on_node(
            host,
            "test -d /opt/nova/venv-34.0.0 || { uv venv -q /opt/nova/venv-34.0.0 && "
            "uv pip install -q -p /opt/nova/venv-34.0.0 nova==34.0.0; }",
        )
    nodes = [loop.node(host) for host in world.lab.settings.hosts]
    moved = sum(n.moved for n in nodes)
    return {
        "nodes": len(nodes),
        "moved": moved,
        "wall_seconds_a_node": [round(n.wall, 1) for n in nodes],
        "own_overhead_seconds_a_node": [round(n.wall - n.migrating - n.upgrading, 1) for n in nodes],
        "api_calls_a_moved_server": round(sum(n.calls for n in nodes) / moved, 2) if moved else None,
    }


def show(result: dict[str, Any]) -> None:
    """Print the table."""
    ours, loop, parse = result["escalator"], result["serial_loop"], result["parse_100_nodes"]
    print(f"{'':34}{'escalator':>12}{'serial loop':>12}")
    for label, key in (
        ("seconds a node, median", "wall_seconds_a_node"),
        ("own overhead a node, median (s)", "own_overhead_seconds_a_node"),
    ):
        print(f"{label:34}{statistics.median(ours[key]):12.1f}{statistics.median(loop[key]):12.1f}")
    calls = "api_calls_a_moved_server"
    print(f"{'API calls a moved server':34}{ours[calls]:12.2f}{loop[calls]:12.2f}")
    print(f"{'servers moved':34}{ours['moved']:12}{loop['moved']:12}")
    first, later = parse["first_seconds"], parse["next_seconds"]
    print(f"parse of a {parse['nodes']}-node DAG: {first} s first, {later} s next")
    print(f"escalator check of the cloud: {result['check_seconds']:.1f} s")


if __name__ == "__main__":
    sys.exit(main())
