from __future__ import annotations

from typing import Any

import pytest
from tests.plugins.board.conftest import DAG, EDITS, OTHER_DAG, READS, bearer

pytestmark = pytest.mark.airflow
CHANGE = f"/escalator/v1/test/{DAG}"
BOARD = f"/escalator/v1/campaigns/{DAG}/r"


def cookie(name: str, **headers: str) -> dict[str, str]:
    return {"Cookie": f"_token={name}", **{key.replace("_", "-"): value for key, value in headers.items()}}


@pytest.mark.parametrize("path", ["/escalator/v1/campaigns", BOARD])
@pytest.mark.parametrize("headers", [{}, bearer("stranger"), cookie("stranger")])
def test_nobody_looks_without_a_log_in(client: Any, path: str, headers: dict[str, str]) -> None:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 401
    assert set(answer.json()["error"]) == {"code", "title", "message", "where", "remedy"}
    assert answer.json()["error"]["remedy"]


def test_who_may_not_read_the_dag_sees_nothing_of_its_campaigns(client: Any) -> None:
    answer = client.get(BOARD.replace(DAG, OTHER_DAG), headers=bearer(READS))
    assert (answer.status_code, answer.json()["error"]["where"]) == (403, OTHER_DAG)


def test_who_may_only_read_changes_nothing(client: Any) -> None:
    assert client.post(CHANGE, headers=bearer(READS)).status_code == 403
    assert client.post(CHANGE, headers=bearer(EDITS)).json() == {"dag": DAG, "by": EDITS}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "none"}, 403),
        ({"Sec_Fetch_Site": "cross-site", "Origin": "http://testserver"}, 403),
        ({"Origin": "http://testserver"}, 200),
        ({"Origin": "http://testserver:81"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example", "Authorization": f"Basic {EDITS}"}, 403),
    ],
)
def test_a_cookie_counts_only_when_our_own_page_sent_it(
    client: Any, headers: dict[str, str], status: int
) -> None:
    assert client.post(CHANGE, headers=cookie(EDITS, **headers)).status_code == status


def test_a_token_is_proof_enough_wherever_it_comes_from(client: Any) -> None:
    assert client.post(CHANGE, headers=bearer(EDITS) | {"Origin": "http://desk.example"}).status_code == 200
