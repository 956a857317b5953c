import pytest

from escalator.model.naming import make_dag_id


@pytest.mark.parametrize(
    ("names", "part", "dag_id"),
    [
        (("upgrade", "lab", "cell1/az1/general"), None, "upgrade__lab__cell1-az1-general"),
        (("upgrade", "lab", "cell1/az1/general"), 2, "upgrade__lab__cell1-az1-general__part2"),
        (("check", "my lab"), None, "check__my-lab"),
        (("check", "lab_1.eu-west"), None, "check__lab_1.eu-west"),
        (("check", "köln"), None, "check__k-ln"),
    ],
)
def test_a_dag_id_has_only_what_airflow_takes(names: tuple[str, ...], part: int | None, dag_id: str) -> None:
    assert make_dag_id(*names, part=part) == dag_id
