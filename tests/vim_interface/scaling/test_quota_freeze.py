from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vim_interface.scaling.fakes import LIMITS, USED, FakeQuotas

from escalator.ledger.ledger import Ledger
from escalator.ledger.quota_book import QuotaBook
from escalator.model.quota import COUNTED, UNLIMITED, ProjectQuota
from escalator.model.run_life import RunLife
from escalator.vim_interface.scaling import freeze_quotas, plan_freeze, plan_restore, restore_quotas

RUN, OTHER = ("lab", "c", "r"), ("lab", "c-2", "r-2")


class KilledError(BaseException):
    """The process ends here."""


@pytest.fixture
def book(tmp_path: Path) -> QuotaBook:
    return Ledger.create_or_upgrade(f"sqlite:///{tmp_path}/ledger.db").quotas()


@pytest.fixture
def nova() -> FakeQuotas:
    return FakeQuotas()


def test_limits_become_what_is_used_and_come_back_value_for_value(nova: FakeQuotas, book: QuotaBook) -> None:
    frozen = freeze_quotas(nova, book, *RUN, {"p"})
    assert nova.limits["p"] == USED
    assert [quota.name for quota in frozen.quotas] == ["cores", "instances"], "ram was used up already"
    freeze_quotas(nova, book, *RUN, {"p"})
    assert nova.writes == 1
    restored = restore_quotas(nova, book, *RUN)
    assert nova.limits["p"] == LIMITS
    assert (len(restored.quotas), restored.findings) == (2, ())
    assert restore_quotas(nova, book, *RUN).quotas == ()
    assert nova.writes == 2


def test_what_a_person_changed_meanwhile_stays_and_is_reported(nova: FakeQuotas, book: QuotaBook) -> None:
    freeze_quotas(nova, book, *RUN, {"p"})
    nova.limits["p"]["instances"] = 7
    freeze_quotas(nova, book, *RUN, {"p"})
    assert nova.limits["p"]["instances"] == 7, "a second run does not take it back"
    (words,) = restore_quotas(nova, book, *RUN).findings
    assert "quota instances was set to 7 meanwhile, it was 10 before and frozen at 2" in words
    assert nova.limits["p"] == LIMITS | {"instances": 7}


@pytest.mark.parametrize("then", ["freeze", "restore"])
def test_killed_between_the_record_and_the_write(nova: FakeQuotas, book: QuotaBook, then: str) -> None:
    def kill() -> None:
        raise KilledError

    nova.before_write = kill
    with pytest.raises(KilledError):
        freeze_quotas(nova, book, *RUN, {"p"})
    nova.before_write = lambda: None
    if then == "freeze":
        nova.used["p"]["instances"] = 3  # it came before the freeze: nothing more may come
        freeze_quotas(nova, book, *RUN, {"p"})
        assert nova.limits["p"]["instances"] == 2
    assert restore_quotas(nova, book, *RUN).findings == ()
    assert nova.limits["p"] == LIMITS


def test_killed_while_it_restores_the_second_run_goes_on(nova: FakeQuotas, book: QuotaBook) -> None:
    def kill() -> None:
        raise KilledError

    freeze_quotas(nova, book, *RUN, {"p"})
    nova.before_write = kill
    with pytest.raises(KilledError):
        restore_quotas(nova, book, *RUN)
    nova.before_write = lambda: None
    restore_quotas(nova, book, *RUN)
    assert nova.limits["p"] == LIMITS


def test_of_two_campaigns_that_freeze_one_project_the_last_restores(
    nova: FakeQuotas, book: QuotaBook
) -> None:
    freeze_quotas(nova, book, *RUN, {"p"})
    freeze_quotas(nova, book, *OTHER, {"p"})
    restore_quotas(nova, book, *RUN)
    assert nova.limits["p"] == USED
    restore_quotas(nova, book, *OTHER)
    assert nova.limits["p"] == LIMITS


def test_run_that_comes_while_the_last_one_restores_is_frozen(nova: FakeQuotas, book: QuotaBook) -> None:
    freeze_quotas(nova, book, *RUN, {"p"})

    def other_comes() -> None:
        nova.before_write = lambda: None
        freeze_quotas(nova, book, *OTHER, {"p"})

    nova.before_write = other_comes
    restore_quotas(nova, book, *RUN)
    assert nova.limits["p"] == USED
    restore_quotas(nova, book, *OTHER)
    assert nova.limits["p"] == LIMITS


def test_project_whose_quotas_cannot_be_frozen_is_reported_and_the_others_are(
    nova: FakeQuotas, book: QuotaBook
) -> None:
    frozen = freeze_quotas(nova, book, *RUN, {"a-gone", "p"})
    assert "the quotas of project a-gone cannot be frozen" in frozen.findings[0]
    assert nova.limits["p"] == USED
    nova.limits["q"], nova.used["q"], nova.unified = dict(LIMITS), dict(USED), True
    (words,) = freeze_quotas(nova, book, *RUN, {"q"}).findings
    assert "did not take" in words


def test_project_that_is_gone_at_the_end_is_reported_in_full(nova: FakeQuotas, book: QuotaBook) -> None:
    freeze_quotas(nova, book, *RUN, {"p"})
    del nova.limits["p"]
    (words,) = restore_quotas(nova, book, *RUN).findings
    assert "cannot be restored (cores -1, instances 10)" in words


@pytest.mark.parametrize("life", list(RunLife))
def test_run_that_could_not_restore_does_not_keep_quotas_frozen_for_ever(
    nova: FakeQuotas, book: QuotaBook, life: RunLife
) -> None:
    freeze_quotas(nova, book, *RUN, {"p"})
    nova.unified = True
    assert restore_quotas(nova, book, *RUN).findings
    nova.unified = False  # a month later, another campaign
    freeze_quotas(nova, book, *OTHER, {"p"})
    done = restore_quotas(
        nova, book, *OTHER, find_life=lambda *run: life if run == RUN[1:] else RunLife.RUNNING
    )
    if life.is_over:
        assert (nova.limits["p"], done.findings) == (LIMITS, ())
        assert book.find_others("lab", "p", "c-3", "r-3") == ()
    elif life is RunLife.NOT_ASKED:
        (words,) = done.findings
        assert "stay frozen (cores -1, instances 10 before): run r of c keeps them so" in words
    else:
        assert (nova.limits["p"], done.findings) == (USED, ()), "that run restores them"
    restore_quotas(nova, book, *RUN)
    assert nova.limits["p"] == LIMITS


def test_freeze_beside_the_restore_of_another_run_keeps_the_first_limits(
    nova: FakeQuotas, book: QuotaBook
) -> None:
    freeze_quotas(nova, book, *RUN, {"p"})
    nova.used["p"] = {**USED, "instances": 1}  # scaled in

    def other_restores() -> None:
        nova.before_answer = lambda: None
        restore_quotas(nova, book, *RUN)

    nova.before_answer = other_restores
    freeze_quotas(nova, book, *OTHER, {"p"})
    restore_quotas(nova, book, *OTHER)
    assert nova.limits["p"] == LIMITS


def test_our_own_project_is_not_frozen(nova: FakeQuotas, book: QuotaBook) -> None:
    nova.own = "p"
    (words,) = freeze_quotas(nova, book, *RUN, {"p"}).findings
    assert "its canaries need them" in words
    assert nova.limits["p"] == LIMITS
    assert book.held_by(*RUN) == ()


def test_project_that_could_not_be_read_is_let_go_at_the_end(nova: FakeQuotas, book: QuotaBook) -> None:
    freeze_quotas(nova, book, *RUN, {"gone"})
    assert restore_quotas(nova, book, *RUN).findings == ()
    assert book.held_by(*RUN) == ()


amounts = st.fixed_dictionaries({name: st.integers(0, 20) for name in COUNTED})
limits = st.fixed_dictionaries({name: st.integers(-1, 20) for name in COUNTED})


@given(limits, amounts, st.dictionaries(st.sampled_from(COUNTED), st.integers(-1, 20)))
def test_nothing_can_be_added_and_all_comes_back(
    found: dict[str, int], used: dict[str, int], by_a_person: dict[str, int]
) -> None:
    frozen = plan_freeze("lab", ProjectQuota(project_id="p", limits=found, used=used))
    now = found | {quota.name: quota.set_to for quota in frozen}
    assert all(limit != UNLIMITED and limit <= used[name] for name, limit in now.items())
    assert all(found[name] == UNLIMITED or limit <= found[name] for name, limit in now.items())
    assert plan_restore(frozen, ProjectQuota(project_id="p", limits=now, used=used)) == (
        {quota.name: quota.found for quota in frozen},
        (),
    )
    changed = now | by_a_person
    back, findings = plan_restore(frozen, ProjectQuota(project_id="p", limits=changed, used=used))
    for quota in frozen:
        touched = changed[quota.name] not in {quota.set_to, quota.found}
        assert (quota.name in back) is (changed[quota.name] == quota.set_to)
        assert any(f"quota {quota.name} " in words for words in findings) is touched
