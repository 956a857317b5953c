"""Page of the parameters of DAGs, made from the forms that Airflow shows."""

from __future__ import annotations

from collections.abc import Mapping

from airflow.sdk import Param
from docs.tools.reference.json_schemas import describe_default, describe_limits, describe_type
from docs.tools.reference.tables import list_words, make_code, make_table

from escalator_airflow.generate import build_inventory_dag
from escalator_airflow.params import (
    make_campaign_params,
    make_check_params,
    make_restore_params,
    make_rollback_params,
)

OF_THE_CLOUD = {
    "bundle": (
        "string",
        "a bundle of the bundle folder",
        "what to bring to the nodes; the form says of each what it brings",
    ),
    "max_parallel": ("integer", "1 to one less than the nodes of the domain, or of the cloud", ""),
}
"""Parameter -> type, limits and meaning that each DAG has of its own."""
HEAD = """# Parameters of the DAGs

What the forms ask for, and what a run takes in `conf` over REST. A value of another type, or beyond its
limits, is refused with HTTP 400; a key that is not here is refused by the first task.
[Operations](../operations/campaign.md#start-a-campaign) says more of each.
"""


def make_parameters() -> str:
    """Return the page."""
    upgrade = _list_rows(make_campaign_params((), {}))
    others = {"rollback": make_rollback_params(()), "restore": make_restore_params(())}
    parts = [HEAD, "## upgrade__CLOUD__DOMAIN\n", _make_table(upgrade)]
    for procedure, params in others.items():
        rows = _list_rows(params)
        own = {name: row for name, row in rows.items() if upgrade.get(name) != row}
        same = list_words(name for name in rows if name not in own)
        parts += [f"## {procedure}__CLOUD__DOMAIN\n", _make_table(own), f"As of an upgrade: {same}.\n"]
    parts += ["## check__CLOUD\n", _make_table(_list_rows(make_check_params((), {})))]
    parts += ["## inventory\n", _make_table(_list_rows(build_inventory_dag().params))]
    return "\n".join([*parts, "The DAG `reconcile__CLOUD` has none.\n"])


def _list_rows(params: Mapping[str, object]) -> dict[str, list[str]]:
    forms: Mapping[str, Param] = getattr(params, "_ParamsDict__dict", params)
    return {name: _make_row(name, param) for name, param in forms.items() if isinstance(param, Param)}


def _make_row(name: str, param: Param) -> list[str]:
    schema = {**param.schema, "default": param.value}
    kind, limits, meaning = OF_THE_CLOUD.get(
        name, (describe_type(schema, {}, str), describe_limits(schema), "")
    )
    title, said = param.schema.get("title", ""), meaning or param.description or ""
    default = describe_default(schema, required=False) or "none"
    return [make_code(name), kind, limits, default, f"*{title}*: {said}" if said else f"*{title}*"]


def _make_table(rows: Mapping[str, list[str]]) -> str:
    return make_table(["parameter", "type", "limits", "default", "meaning"], rows.values())
