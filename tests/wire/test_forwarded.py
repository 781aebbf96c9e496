"""Whom a trusted proxy speaks for, and what is made up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import forwarded
from s3daemon.wire.forwarded import Hop, Networks, Node, node_of, origin

OURS = Networks(["10.0.0.0/8", "127.0.0.1", "fd00::/8"])


def told(*lines: str) -> Hop:
    fields = []
    for line in lines:
        name, _, value = line.partition(": ")
        fields.append((name.lower().encode(), value.encode("latin-1")))
    return origin(fields, OURS)


# ---------------------------------------------------------------- networks


@pytest.mark.parametrize(
    ("networks", "host", "known"),
    [
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "11.1.2.3", False),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["127.0.0.1"], "127.0.0.1", True),
        (["127.0.0.1"], "127.0.0.2", False),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["::/0"], "10.0.0.1", False),
        (["0.0.0.0/0"], "2001:db8::1", False),
        (["unix"], "unix", True),
        (["10.0.0.0/8"], "unix", False),
        (["unix"], "10.0.0.1", False),
        ([], "10.0.0.1", False),
        (["0.0.0.0/0", "unix"], "", False),
    ],
)
def test_who_is_trusted(networks: list[str], host: str, known: bool) -> None:
    found = Networks(networks)
    assert found.has(host) is known
    assert bool(found) is bool(networks)


@pytest.mark.parametrize("text", ["", "localhost", "10.0.0.1/8", "10.0.0.0/33", "unix:", "*"])
def test_what_is_no_network(text: str) -> None:
    with pytest.raises(ValueError, match="is no address and no network"):
        Networks([text])


# ---------------------------------------------------------------- nodes


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("192.0.2.43", "192.0.2.43", None, "192.0.2.43"),
        ("192.0.2.43:47011", "192.0.2.43", 47011, "192.0.2.43:47011"),
        ("192.0.2.43:_gazonk", "192.0.2.43", None, "192.0.2.43"),
        ("[2001:db8:cafe::17]", "2001:db8:cafe::17", None, "[2001:db8:cafe::17]"),
        ("[2001:db8:cafe::17]:4711", "2001:db8:cafe::17", 4711, "[2001:db8:cafe::17]:4711"),
        ("2001:db8:cafe::17", "2001:db8:cafe::17", None, "[2001:db8:cafe::17]"),
        ("2001:DB8::1", "2001:db8::1", None, "[2001:db8::1]"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1", 80, "192.0.2.1:80"),
    ],
)
def test_nodes(text: str, host: str, port: int | None, shown: str) -> None:
    assert node_of(text) == Node(host, port)
    assert str(node_of(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("", "unknown", "_hidden", "_SEVKISEK", "example.com", "127.1", "1", "192.0.2.300"),
        *("192.0.2.43:", "192.0.2.43:123456", "192.0.2.43:65536", "192.0.2.43 :1"),
        *("[192.0.2.43]", "[2001:db8::1", "[2001:db8::1]x", "[2001:db8::1]:", "::1:"),
        *("fe80::1%a b=c", "[fe80::1%eth0]"),
    ],
)
def test_what_is_no_node(text: str) -> None:
    assert node_of(text) is None


# ---------------------------------------------------------------- headers


@pytest.mark.parametrize(
    ("lines", "host", "secure"),
    [
        # Nothing is said.
        ([], None, None),
        (["Host: x"], None, None),
        # One proxy.
        (["X-Forwarded-For: 192.0.2.1"], "192.0.2.1", None),
        (["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https"], "192.0.2.1", True),
        (["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: http"], "192.0.2.1", False),
        (["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: gopher"], "192.0.2.1", None),
        (["X-Forwarded-Proto: HTTPS"], None, True),
        (["Forwarded: for=192.0.2.1;proto=https"], "192.0.2.1", True),
        (["Forwarded: For=192.0.2.1;Proto=HTTP;by=203.0.113.43"], "192.0.2.1", False),
        (['Forwarded: for="[2001:db8::17]:4711"'], "2001:db8::17", None),
        (['Forwarded: proto="ht\\tps" ; for="192.0.2.1:80" ;host=x'], "192.0.2.1", True),
        (["Forwarded: proto=https"], None, True),
        # Several of ours: the last that is not one of us is the client.
        (["X-Forwarded-For: 192.0.2.1, 10.0.0.1"], "192.0.2.1", None),
        (["X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 10.0.0.1"], "192.0.2.1", None),
        (["Forwarded: for=192.0.2.1;proto=https, for=10.0.0.1;proto=http"], "192.0.2.1", True),
        (["Forwarded: for=192.0.2.1", "Forwarded: for=10.0.0.1"], "192.0.2.1", None),
        (
            ["X-Forwarded-For: 192.0.2.1, 10.0.0.1", "X-Forwarded-Proto: https, http"],
            "192.0.2.1",
            True,
        ),
        (
            ["X-Forwarded-For: 192.0.2.1, 10.0.0.1", "X-Forwarded-Proto: https"],
            "192.0.2.1",
            True,
        ),
        # Only ours: whoever is furthest.
        (["X-Forwarded-For: 10.0.0.2, 10.0.0.1"], "10.0.0.2", None),
        # What a client makes up stands left of what a proxy says.
        (["X-Forwarded-For: 203.0.113.9, 192.0.2.1"], "192.0.2.1", None),
        (["X-Forwarded-For: 10.0.0.9, 192.0.2.1, 10.0.0.1"], "192.0.2.1", None),
        (["Forwarded: for=203.0.113.9", "Forwarded: for=192.0.2.1"], "192.0.2.1", None),
        (["Forwarded: for=203.0.113.9, for=192.0.2.1"], "192.0.2.1", None),
        (["Forwarded: for=1.1.1.1;proto=https, for=192.0.2.1;proto=http"], "192.0.2.1", False),
        (
            ["X-Forwarded-For: 9.9.9.9, 192.0.2.1", "X-Forwarded-Proto: https, http"],
            "192.0.2.1",
            False,
        ),
        # A chain ends at what is hidden or no address.
        (["X-Forwarded-For: 192.0.2.1, unknown"], None, None),
        (["X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.1"], "10.0.0.1", None),
        (["Forwarded: for=192.0.2.1, for=_hidden;proto=https"], None, True),
        (["Forwarded: for=192.0.2.1, for=_hidden, for=10.0.0.1"], "10.0.0.1", None),
        (["X-Forwarded-For: "], None, None),
        # The standard field and the older ones.
        (["Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.1"], "192.0.2.1", None),
        (["Forwarded: for=192.0.2.1", "X-Forwarded-Proto: https"], "192.0.2.1", True),
        (["Forwarded: for=192.0.2.1", "X-Forwarded-For: 192.0.2.2"], None, None),
        (["Forwarded: for=10.0.0.9, for=192.0.2.9", "X-Forwarded-For: 192.0.2.2"], None, None),
        (["Forwarded: proto=https", "X-Forwarded-Proto: http"], None, None),
        # What is no Forwarded says nothing, and hides what stands in front of it.
        (['Forwarded: for="192.0.2.1'], None, None),
        (["Forwarded: for=192.0.2.1;for=192.0.2.2"], None, None),
        (["Forwarded: for=192.0.2.1", "Forwarded: for"], None, None),
        (['Forwarded: "', "Forwarded: for=192.0.2.1"], "192.0.2.1", None),
        (['Forwarded: ", for=192.0.2.1'], None, None),
        (["Forwarded: for =192.0.2.1"], None, None),
        (["Forwarded: for=192.0.2.1 proto=https"], None, None),
        (["Forwarded: , for=192.0.2.1 ,,"], "192.0.2.1", None),
        (["Forwarded: ;for=192.0.2.1;"], "192.0.2.1", None),
        # Others' fields.
        (["X-Real-IP: 192.0.2.1", "X-Forwarded-Host: evil", "Via: 1.1 x"], None, None),
    ],
)
def test_who_asked(lines: list[str], host: str | None, secure: bool | None) -> None:
    hop = told(*lines)
    assert (hop.node and hop.node.host, hop.secure) == (host, secure)


_hosts = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).filter(
    lambda address: not OURS.has(str(address)) and not (getattr(address, "ipv4_mapped", None))
)


@given(st.lists(st.text(st.characters(max_codepoint=255), max_size=60)), _hosts, st.booleans())
def test_nothing_a_client_sends_can_stand_for_it(junk: list[str], host: Any, older: bool) -> None:
    """Whatever was there before: the proxy's own line is at the end, and is believed or nothing."""
    name = "X-Forwarded-For" if older else "Forwarded"
    shown = f'for="[{host}]"' if host.version == 6 else f"for={host}"
    last = f"{name}: {host if older else shown}"
    hop = told(*(f"{name}: {value}" for value in junk), last)
    assert hop.node == Node(str(host))
    mixed = told(*(f"Forwarded: {value}" for value in junk), f"X-Forwarded-For: {host}")
    assert mixed.node in (None, Node(str(host)))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_read(one: bytes, other: bytes) -> None:
    hop = origin([(b"forwarded", one), (b"x-forwarded-for", other)], OURS)
    assert hop.node is None or str(hop.node).isascii()
    assert hop.node is None or " " not in str(hop.node)


@given(st.lists(st.sampled_from(['for="', "a", "\\", '"', ";", ",", " ", "=", "for=1.1.1.1"])))
def test_the_grammar_is_read_in_a_straight_line(pieces: list[str]) -> None:
    told("Forwarded: " + "".join(pieces) * 50)


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For"])
def test_what_is_far_from_us_is_not_looked_at(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks a proxy may send it thousands of addresses, and each costs time."""
    looked_at: list[str] = []

    def counted(text: str) -> Node | None:
        looked_at.append(text)
        return node_of(text)

    monkeypatch.setattr(forwarded, "node_of", counted)
    mark = "for=" if name == "Forwarded" else ""
    junk = f"{mark}a," * 5000
    assert told(f"{name}: {junk}{mark}192.0.2.7").node == Node("192.0.2.7")
    assert told(f"{name}: {f'{mark}10.0.0.1,' * 5000}{mark}10.0.0.2").node == Node("10.0.0.1")
    assert len(looked_at) <= 2 * forwarded.MOST_HOPS
