from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders import NOW

from escalator.ledger.constraint_book import ConstraintBook
from escalator.ledger.ledger import Ledger
from escalator.model.constraints import GroupConstraints, InstanceConstraints

INSTANCE = InstanceConstraints(
    project_id="p",
    instance_id="s1",
    group_id="g1",
    name="sbc-é",
    max_interruption_seconds=0.5,
    migration_types=("LIVE_MIGRATE", "OWN_ACTION"),
    mitigation=True,
    lead_seconds=40,
)
GROUP = GroupConstraints(
    project_id="p",
    group_id="g1",
    name="sbc",
    anti_affinity=True,
    max_per_host=1,
    max_impacted={0: 1, 4: 2},
    min_preserved={0: 1},
    recovery_seconds=4,
)


@pytest.fixture
def book(ledger: Ledger) -> ConstraintBook:
    return ledger.constraints()


def test_constraints_come_back_exactly(book: ConstraintBook) -> None:
    book.put_instance("lab", INSTANCE, NOW)
    book.put_group("lab", GROUP, NOW)
    assert book.instance("lab", "s1") == INSTANCE
    assert book.group("lab", "g1") == GROUP
    assert (book.instances("lab"), book.groups("lab")) == ((INSTANCE,), (GROUP,))


def test_each_cloud_has_its_own(book: ConstraintBook) -> None:
    book.put_instance("lab", INSTANCE, NOW)
    book.put_group("lab", GROUP, NOW)
    assert book.instance("other", "s1") is None
    assert book.group("other", "g1") is None
    assert (book.instances("other"), book.groups("other")) == ((), ())


def test_the_last_word_counts(book: ConstraintBook) -> None:
    alone, smaller = replace(INSTANCE, group_id=None), replace(GROUP, max_impacted={})
    for instance, group, now in ((INSTANCE, GROUP, NOW), (alone, smaller, NOW + timedelta(seconds=1))):
        book.put_instance("lab", instance, now)
        book.put_group("lab", group, now)
    assert book.instances("lab") == (alone,)
    assert book.groups("lab") == (smaller,)


def test_what_is_deleted_is_gone_and_the_rest_stays(book: ConstraintBook) -> None:
    other = replace(INSTANCE, instance_id="s2")
    book.put_instance("lab", other, NOW)
    book.put_instance("lab", INSTANCE, NOW)
    book.put_group("lab", GROUP, NOW)
    assert book.instances("lab") == (INSTANCE, other)
    assert [book.delete_instance("lab", "s1"), book.delete_instance("lab", "s1")] == [True, False]
    assert book.instances("lab") == (other,)
    assert [book.delete_group("lab", "g1"), book.delete_group("lab", "g1")] == [True, False]
    assert book.groups("lab") == ()


def test_ids_of_any_form_are_asked_for_without_an_error(book: ConstraintBook) -> None:
    assert book.instance("lab\0", "\0\udfff") is None
    assert not book.delete_group("lab", "\0")
