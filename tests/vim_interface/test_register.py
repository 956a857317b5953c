from __future__ import annotations

import pytest

from escalator.model.errors import InvalidRequestError
from escalator.vim_interface.register import make_endpoint_url


@pytest.mark.parametrize(
    ("url", "made"),
    [
        ("http://a:8080", "http://a:8080/vim/lab/v1"),
        ("http://a:8080/", "http://a:8080/vim/lab/v1"),
        ("https://a/base/vim", "https://a/base/vim/lab/v1"),
    ],
)
def test_the_address_ends_in_the_cloud_and_v1(url: str, made: str) -> None:
    assert make_endpoint_url(url, "lab") == made


@pytest.mark.parametrize("url", ["a:8080", "ftp://a", "http://", "http://a?b=c", "http://[::1", "http://a:x"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="is no address"):
        make_endpoint_url(url, "lab")
