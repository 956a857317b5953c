import re

import pytest

from escalator.model.naming import make_dag_id, make_tag


@pytest.mark.parametrize(
    ("names", "part", "dag_id"),
    [
        (("upgrade", "lab", "cell1/az1/general"), None, "upgrade__lab__cell1-az1-general"),
        (("upgrade", "lab", "cell1/az1/general"), 2, "upgrade__lab__cell1-az1-general__part2"),
        (("check", "my lab"), None, "check__my-lab"),
        (("check", "lab_1.eu-west"), None, "check__lab_1.eu-west"),
        (("check", "köln"), None, "check__k-ln-72903358"),
    ],
)
def test_a_dag_id_has_only_what_airflow_takes(names: tuple[str, ...], part: int | None, dag_id: str) -> None:
    assert make_dag_id(*names, part=part) == dag_id


def test_names_that_differ_keep_ids_that_differ_and_that_airflow_takes() -> None:
    domains = [
        "cell1/az1/сервер",
        "cell1/az1/сервис",
        "セル/東京/一般",
        "セル/大阪/一般",
        f"cell1/az1/{'+'.join(f'aggregate-{n}' for n in range(30))}",
        f"cell1/az1/{'+'.join(f'aggregate-{n}' for n in range(31))}",
        "cell1/az1/d__part2",
        "cell1/az1/d",
    ]
    ids = [make_dag_id("upgrade", "lab", domain, part) for domain in domains for part in (None, 2)]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]{1,250}", dag_id) for dag_id in ids)
    assert make_dag_id("check", "a__b").count("__") == 1


def test_a_tag_is_the_name_as_long_as_airflow_takes_it() -> None:
    assert make_tag("東京") == "東京"
    tags = {make_tag("x" * 200 + end) for end in "ab"}
    assert {len(tag) for tag in tags} == {100}
    assert len(tags) == 2
