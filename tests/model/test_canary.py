from __future__ import annotations

from escalator.model.canary import CanaryWish


def test_a_wish_goes_over_another_one_where_it_says_something() -> None:
    cloud = CanaryWish(flavor="small", image="cirros", network="none")
    assert CanaryWish(flavor="pinned").over(cloud) == CanaryWish(
        flavor="pinned", image="cirros", network="none"
    )
    assert CanaryWish(off=True).over(cloud).off is True
    assert CanaryWish().over(CanaryWish(off=True)).off is True
    assert CanaryWish(off=False).over(CanaryWish(off=True)).off is False
