"""Who may connect."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.logger import capturedLogs

from s3daemon.http.admission import Admission, Verdict, client_of
from s3daemon.http.limits import Limits
from s3daemon.wire.forwarded import Networks

WELCOME, TOLD, DROPPED = Verdict


@pytest.mark.parametrize(
    ("address", "client"),
    [
        (IPv4Address("TCP", "192.0.2.7", 1), "192.0.2.7"),
        (IPv6Address("TCP", "2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (IPv6Address("TCP", "2001:db8:1:2:ffff::", 9), "2001:db8:1:2::/64"),
        (IPv6Address("TCP", "2001:db8:1:3::1", 1), "2001:db8:1:3::/64"),
        (IPv6Address("TCP", "::ffff:192.0.2.7", 1), "192.0.2.7"),
        (IPv6Address("TCP", "fe80::1%eth0", 1), "fe80::/64"),
        (IPv6Address("TCP", "::1", 1), "::/64"),
        (IPv6Address("TCP", "what is this", 1), "what is this"),
        (UNIXAddress(b"/run/s3gate"), ""),
        (None, ""),
    ],
)
def test_who_is_a_client(address, client):
    assert client_of(address) == client


def test_the_bound_on_one_client():
    admission = Admission(1000, 2)
    assert [admission.enter("a") for _ in range(3)] == [WELCOME, WELCOME, TOLD]
    assert admission.enter("b") is WELCOME
    admission.leave("a")
    assert admission.enter("a") is TOLD, "the one that is being told counts too"
    admission.leave("a")
    admission.leave("a")
    assert admission.enter("a") is WELCOME


def test_who_is_one_of_very_many_is_not_even_told():
    admission = Admission(1000, 2)
    assert [admission.enter("a") for _ in range(30)] == [WELCOME] * 2 + [TOLD] * 16 + [DROPPED] * 12
    admission = Admission(800, 0)
    verdicts = [admission.enter(str(n)) for n in range(1000)]
    assert verdicts == [WELCOME] * 800 + [TOLD] * 100 + [DROPPED] * 100


def test_the_sterner_bound_counts():
    admission = Admission(1, 100)
    assert [admission.enter("a") for _ in range(18)] == [WELCOME] + [TOLD] * 16 + [DROPPED]
    admission = Admission(1, 1)
    for _ in range(17):
        admission.enter("a")
    assert admission.enter("b") is DROPPED


def test_no_bound_on_a_client():
    admission = Admission(10**6, 0)
    assert {admission.enter("a") for _ in range(5000)} == {WELCOME}
    admission = Admission(10**6, 1)
    assert {admission.enter("") for _ in range(5000)} == {WELCOME}


@given(st.lists(st.integers(0, 3)), st.integers(1, 3), st.integers(0, 3))
def test_nothing_is_left_of_who_left(clients, most, each):
    admission = Admission(most, each)
    for number in clients:
        admission.enter("" if number == 3 else str(number))
    for number in clients:
        admission.leave("" if number == 3 else str(number))
    assert (admission._all, admission._of) == (0, {})


def test_reports_are_few():
    admission = Admission(1, 0)
    assert admission.report(0) == ""
    for _ in range(3):
        admission.enter("192.0.2.7")
    assert "2 connections were turned away, the last one of 192.0.2.7" in admission.report(1)
    admission.enter("192.0.2.7")
    assert admission.report(2) == ""
    assert admission.report(11).startswith("1 ")
    assert admission.report(30) == ""


# ---------------------------------------------------------------- on the wire

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer: test\r\n\r\nok"


def ok(request: Any) -> None:
    request.answer(200, [], b"ok")


def test_a_client_with_too_many_connections_is_told_so(serve: Any) -> None:
    server = serve(ok, limits=Limits(connections_per_peer=2))
    first, second, third = server.connect(), server.connect(), server.connect()
    assert third.received().startswith(b"HTTP/1.1 503 ")
    third.send(GET)
    assert third.received() == b""
    for client in (first, second):
        client.send(GET)
        assert client.received() == OK
    first.vanish()
    third.vanish()
    fourth = server.connect()
    fourth.send(GET)
    assert fourth.received() == OK


def test_the_rest_of_a_flood_is_dropped_at_once(serve: Any) -> None:
    server = serve(ok, limits=Limits(connections_per_peer=1))
    kept = server.connect()
    flood = [server.connect() for _ in range(500)]
    assert [client.closed for client in flood] == [""] * 16 + ["aborted"] * 484
    assert server.factory.connections == 17
    with capturedLogs() as events:
        server.after(12)
    assert [event["report"].split()[0] for event in events] == ["500"]
    kept.send(GET)
    assert kept.received() == OK


def test_clients_that_a_balancer_names_count_each_for_itself(serve: Any) -> None:
    server = serve(ok, limits=Limits(connections_per_peer=1))
    clients = []
    for number in (1, 1, 2):
        clients.append(server.connect(IPv4Address("TCP", f"198.51.100.{number}", 1)))
        clients[-1].send(GET)
    one, again, two = (client.received() for client in clients)
    assert (one, two) == (OK, OK)
    assert again.startswith(b"HTTP/1.1 503 ")
    for client in clients:
        client.vanish()
    assert (server.factory._admission._all, server.factory._admission._of) == (0, {})


@pytest.mark.parametrize(("proxies", "welcome"), [(["192.0.2.0/24"], 3), (["10.0.0.0/8"], 1)])
def test_a_trusted_proxy_is_not_one_client(serve: Any, proxies: list[str], welcome: int) -> None:
    server = serve(ok, limits=Limits(connections_per_peer=1), trusted=Networks(proxies))
    clients = [server.connect() for _ in range(3)]
    for client in clients:
        client.send(GET)
    assert [client.received() for client in clients].count(OK) == welcome
    for client in clients:
        client.vanish()
    assert (server.factory._admission._all, server.factory._admission._of) == (0, {})
