"""How long Airflow takes to parse the DAG of a drain domain, in a process of its own.

Prints one JSON document: seconds of the parse as the DAG processor sees it, and of a second one.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main(nodes: int) -> None:
    """Write an inventory of that many nodes and parse the DAG file that is made from it."""
    from escalator.inventory.inventory_file import write_inventory
    from escalator.model.inventory import Inventory, InventoryNode

    folder = Path(tempfile.mkdtemp(prefix="escalator-parse-"))
    hosts = (f"compute-{number:04d}" for number in range(nodes))
    entries = tuple(InventoryNode(host=h, domain="cell1/az1/general", address="192.0.2.1") for h in hosts)
    inventory = Inventory(cloud="bench", taken_at=datetime.now(UTC), nodes=entries)
    write_inventory(folder / "inventory" / "bench.json", inventory)
    os.environ.update(
        AIRFLOW_HOME=str(folder),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__DAGS_FOLDER=str(ROOT / "dags"),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(ROOT / "plugins"),
        AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",
        ESCALATOR_INVENTORY_DIR=str(folder / "inventory"),
    )
    sys.path.insert(0, str(ROOT / "plugins"))
    from airflow.dag_processing.dagbag import DagBag

    seconds = []
    tasks = 0
    for _ in range(2):
        begun = time.perf_counter()
        bag = DagBag(dag_folder=str(ROOT / "dags" / "upgrade.py"), collect_dags=True)
        seconds.append(round(time.perf_counter() - begun, 3))
        if bag.import_errors or len(bag.dags) != 1:
            raise SystemExit(f"not parsed: {bag.import_errors} {list(bag.dags)}")
        tasks = sum(len(dag.tasks) for dag in bag.dags.values())
    print(
        json.dumps({"nodes": nodes, "tasks": tasks, "first_seconds": seconds[0], "next_seconds": seconds[1]})
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
