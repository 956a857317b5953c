from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.vim_interface.switching.fakes import (
    PAIR,
    FakeBook,
    FakeClock,
    make_member,
    make_network,
    make_port,
)
from tests.vim_interface.switching.test_act import ORDER

from escalator.model.vnf_means import HttpMeans, SwitchSide
from escalator.vim_interface.switching import Seen, SwitchGroup, SwitchOutcome, switch_over
from escalator.vim_interface.switching.http_role import HttpSwitcher, read_role


class Vnf:
    """Two members that answer under their names; ``posts`` are what they were told."""

    def __init__(self) -> None:
        self.roles = {"vnf-a": "active", "vnf-b": "standby"}
        self.posts: list[tuple[str, Any]] = []
        self.status = 200
        self.down: set[str] = set()
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        name = request.url.host
        if name in self.down:
            raise httpx.ConnectError("refused", request=request)
        if request.method == "GET":
            return httpx.Response(200, json={"role": self.roles[name]})
        self.posts.append((name, json.loads(request.content)))
        if self.status == 200:
            to = PAIR.name_of(json.loads(request.content)["to"])
            self.roles = {one: "active" if one == to else "standby" for one in self.roles}
        return httpx.Response(self.status, text="no")


def switcher_of(
    answer: Callable[[httpx.Request], httpx.Response], group: SwitchGroup = PAIR, **fields: Any
) -> HttpSwitcher:
    means = HttpMeans(**({"url": "http://{name}:8080/ha/"} | fields))
    return HttpSwitcher(means, group, make_network(), httpx.Client(transport=httpx.MockTransport(answer)))


def run(switcher: HttpSwitcher, book: FakeBook) -> Any:
    clock = FakeClock()
    return switch_over(switcher, book, ORDER, clock=clock, sleep=clock.sleep)


def test_the_standby_is_told_once_and_the_roles_are_asked_for() -> None:
    vnf, book = Vnf(), FakeBook()
    result = run(switcher_of(vnf), book)
    assert (result.outcome, result.words) == (
        SwitchOutcome.SWITCHED,
        "vnf-a says 'standby', vnf-b says 'active'",
    )
    assert vnf.posts == [("vnf-b", {"group": "pair", "from": "a", "to": "b"})]
    assert {"http://vnf-b:8080/ha/switchover", "http://vnf-a:8080/ha/role"} <= set(vnf.asked)
    run(switcher_of(vnf), book)
    assert len(vnf.posts) == 1


def test_the_active_member_is_told_where_the_file_says_so() -> None:
    vnf = Vnf()
    run(switcher_of(vnf, switch_at=SwitchSide.ACTIVE, switch_path="/resign"), FakeBook())
    assert vnf.posts[0][0] == "vnf-a"
    assert "http://vnf-a:8080/ha/resign" in vnf.asked


def test_liar_is_found_out() -> None:
    vnf = Vnf()
    vnf.status = 202
    result = run(switcher_of(vnf), FakeBook())
    assert (result.outcome, len(vnf.posts)) == (SwitchOutcome.FAILED, 1)


def test_refusal_is_told_with_its_words() -> None:
    vnf = Vnf()
    vnf.status = 409
    result = run(switcher_of(vnf), FakeBook())
    assert result.outcome is SwitchOutcome.FAILED
    assert "HTTP 409: 'no'" in result.words


def test_member_that_does_not_answer_has_no_known_role_and_no_health() -> None:
    vnf = Vnf()
    vnf.down = {"vnf-a"}
    vnf.roles["vnf-b"] = "active"
    role = switcher_of(vnf).find_role()
    assert (role.see("a"), role.see("b")) == (Seen.UNSEEN, Seen.THERE)
    assert "vnf-a cannot be asked" in role.words
    assert not switcher_of(vnf).is_healthy(PAIR.members[0]).ok
    assert switcher_of(vnf).is_healthy(PAIR.members[1]).ok


def test_two_standbys_are_no_switchover_yet() -> None:
    vnf = Vnf()
    vnf.roles["vnf-a"] = "standby"
    assert switcher_of(vnf).find_role().see("a") is Seen.UNSEEN


def test_redirects_are_not_followed() -> None:
    def redirect(request: httpx.Request) -> httpx.Response:
        assert request.url.host != "elsewhere"
        return httpx.Response(302, headers={"Location": "http://elsewhere/role"})

    health = switcher_of(redirect).is_healthy(PAIR.members[0])
    assert "HTTP 302" in health.words


def test_urls_of_members_come_first_and_addresses_are_neutrons() -> None:
    vnf = Vnf()
    switcher_of(vnf, urls={"a": "http://vnf-a/x", "vnf-b": "http://vnf-b/y/"}).find_role()
    assert vnf.asked == ["http://vnf-a/x/role", "http://vnf-b/y/role"]
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, text="active\n")

    switcher = switcher_of(answer, url="http://{address}:80")
    switcher._network.add(make_port("b", "node-02", "2001:db8::2"))  # type: ignore[attr-defined]
    assert switcher.find_role().holders == {"a", "b"}
    assert asked == ["http://10.0.0.1/role", "http://[2001:db8::2]/role"]


@pytest.mark.parametrize("name", ["evil@elsewhere", "elsewhere/x?", "a b", "x#"])
def test_name_of_a_server_cannot_lead_elsewhere(name: str) -> None:
    hosts: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return httpx.Response(200, text="standby")

    group = SwitchGroup(id="pair", members=(make_member("a", "node-01", name=name),))
    switcher_of(answer, group, url="http://ha.example/{name}").find_role()
    switcher_of(answer, group, url="http://{name}.ha.example").find_role()
    assert all(host.endswith("ha.example") for host in hosts)


def test_member_without_a_url_is_named() -> None:
    role = switcher_of(Vnf(), url=None, urls={"a": "http://vnf-a"}).find_role()
    assert "vnf-b has no URL in the VNF file" in role.words


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("active", "active"),
        ('"active"\n', "active"),
        ('{"role": " MASTER "}', "MASTER"),
        ("{}", ""),
        ("[" * 4000, "[" * 40),
        ("", ""),
        ("null", "None"),
    ],
)
def test_roles_are_read_as_text_and_as_json(text: str, role: str) -> None:
    assert read_role(text) == role


def test_endless_answer_is_cut() -> None:
    def stream() -> Any:
        while True:
            yield b"x" * 1000

    switcher = switcher_of(lambda _: httpx.Response(200, content=stream()))
    assert "'xxxx" in switcher.find_role().words
