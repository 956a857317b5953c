from __future__ import annotations

import struct

import pytest

from escalator.lab.ping_meter import Echoes, checksum, decode, encode, find_longest_silence

TOKEN, OTHER = b"12345678", b"12345679"
IPV4 = bytes([0x45]) + bytes(19)


def answer_to(request: bytes) -> bytes:
    """Return the packet by which a guest answers."""
    return IPV4 + b"\0" + request[1:]


def test_an_answer_tells_which_request_it_is_for() -> None:
    assert decode(answer_to(encode(TOKEN, 70_000)), TOKEN) == 70_000


def test_answers_of_another_meter_and_requests_are_not_taken_for_answers() -> None:
    assert decode(answer_to(encode(OTHER, 1)), TOKEN) is None
    assert decode(IPV4 + encode(TOKEN, 1), TOKEN) is None
    assert decode(IPV4 + bytes(8), TOKEN) is None


def test_a_request_has_the_checksum_that_makes_the_whole_zero() -> None:
    assert checksum(encode(TOKEN, 7)) == 0
    assert checksum(struct.pack("!BBHHH", 8, 0, 0, 1, 1)) == 0xF7FD


@pytest.mark.parametrize(
    ("answered", "silence"),
    [
        ([0.1, 0.2, 0.9, 1.0], 0.7),
        ([0.5, 0.6, 0.7, 0.9], 0.5),
        ([0.1, 0.2, 0.3], 0.7),
        ([0.2, 0.1, 1.4], 0.8),
        ([], 1.0),
    ],
    ids=[
        "between",
        "at the beginning",
        "to the end",
        "what comes after the end does not count",
        "all the time",
    ],
)
def test_silence_is_counted_from_the_first_request_to_the_last(answered: list[float], silence: float) -> None:
    assert find_longest_silence(0.0, answered, 1.0) == pytest.approx(silence)


def test_lost_is_what_was_sent_and_not_answered() -> None:
    assert Echoes(sent=10, answered=8, longest_silence_seconds=0.01).lost == 2
