from __future__ import annotations

import pytest

from escalator.model.errors import InvalidRequestError
from escalator.settings.sharing import MUST_AGREE, list_private, refuse_private

SEVERAL = {"ESCALATOR_SHARED": "Airflow's executor is CeleryExecutor"}


def test_one_users_machine_may_take_folders_of_its_own() -> None:
    assert list_private({}) == list_private({"ESCALATOR_SHARED": ""}) == ()
    refuse_private(environment={})


def test_everything_that_lacks_is_named_at_once_with_the_reason() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        refuse_private(environment=SEVERAL)
    assert all(name in caught.value.message for name in MUST_AGREE)
    assert "CeleryExecutor" in caught.value.message
    assert "triggerer" in str(caught.value.remedy)


@pytest.mark.parametrize("given", MUST_AGREE)
def test_what_is_set_is_not_asked_for(given: str) -> None:
    (other,) = set(MUST_AGREE) - {given}
    environment = SEVERAL | {given: "/srv"}
    assert list_private(environment) == (other,)
    refuse_private(given, environment=environment)
    with pytest.raises(InvalidRequestError, match=f"^{other} is not set"):
        refuse_private(environment=environment)


def test_a_home_that_is_named_stands_in_for_both() -> None:
    named = SEVERAL | {"ESCALATOR_HOME": "/srv/escalator"}
    assert list_private(named) == ()
    refuse_private(environment=named)
