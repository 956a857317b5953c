from escalator.model.window import Window, Windows

NIGHT = Window(cloud="lab", domain="a", cron="0 1 * * *", minutes=60, run={"bundle": "nova-34"})


def test_the_window_of_a_domain_is_that_of_its_cloud() -> None:
    other = Window(cloud="prod", domain="a", cron="0 2 * * *", minutes=30, run={"bundle": "nova-34"})
    windows = Windows(windows=(other, NIGHT))
    assert windows.of("lab", "a") is NIGHT
    assert windows.of("prod", "a") is other
    assert windows.of("lab", "b") is None
    assert Windows().of("lab", "a") is None


def test_a_window_that_names_no_zone_is_in_utc() -> None:
    assert NIGHT.timezone == "UTC"
