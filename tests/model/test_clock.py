from datetime import timedelta

from escalator.model.clock import utcnow


def test_the_time_is_aware_and_in_utc_and_goes_on() -> None:
    earlier, later = utcnow(), utcnow()
    assert earlier.utcoffset() == timedelta(0)
    assert earlier <= later
