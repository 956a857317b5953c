from escalator.model.artefact import is_archive


def test_an_archive_is_known_by_its_name() -> None:
    assert is_archive("/srv/wheels.tar.zst")
    assert is_archive("w.tgz")
    assert not is_archive("/srv/wheels")
