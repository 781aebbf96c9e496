"""Where to listen: what is understood, what is refused, and who can reach it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.config_listen import LISTEN, TlsFiles, absolute, arguments, parse


def test_a_backslash_takes_the_meaning_from_the_next_character() -> None:
    assert arguments(r"a:b\:c:d\=e:f=g=h") == (["a", "b:c", "d=e"], {"f": "g=h"})


@pytest.mark.parametrize(
    ("description", "local"),
    [
        ("tcp:39999:interface=127.0.0.1", True),
        ("tcp:interface=127.0.0.1:port=39999", True),
        ("tcp:39999:127.0.0.1", True),
        ("tcp:39999:interface=127.9.9.9", True),
        ("tcp:39999:interface=localhost", True),
        (r"tcp6:39999:interface=\:\:1", True),
        (r"tcp6:39999:50:\:\:1", True),
        (r"tcp:39999:interface=\:\:1", True),
        ("ssl:443:privateKey=k:interface=127.0.0.1", True),
        (r"ssl:443:privateKey=k:interface=\:\:1", True),
        ("unix:/run/s3gate.sock", True),
        ("haproxy:tcp:39999:interface=127.0.0.1", True),
        ("haproxy:ssl:443:k:interface=127.0.0.1", True),
        ("haproxy:unix:/run/s3gate.sock", True),
        ("tcp:39999", False),
        ("tcp6:39999", False),
        ("tcp:39999:interface=0.0.0.0", False),
        ("tcp:39999:interface=10.0.0.1", False),
        ("tcp:39999:interface=", False),
        ("tcp:39999:interface=example.com", False),
        (r"tcp6:39999:interface=\:\:", False),
        ("ssl:443:privateKey=k", False),
        ("ssl:443:privateKey=k:interface=10.1.1.1", False),
        ("systemd:domain=INET:index=0", False),
        ("haproxy:tcp:39999", False),
        ("haproxy:tcp:39999:interface=10.1.1.1", False),
        ("haproxy:ssl:443:privateKey=k", False),
    ],
)
def test_who_can_reach_it(description: str, local: bool) -> None:
    assert parse(description).is_local is local


@pytest.mark.parametrize(
    ("description", "says"),
    [
        ("blah:1", "'blah' is no kind of endpoint; the kinds are tcp, tcp6, ssl, unix, systemd"),
        ("8080", "'8080' is no kind of endpoint"),
        ("", ""),
        ("haproxy", "'' is no kind of endpoint"),
        ("haproxy:haproxy:tcp:1", "'haproxy' is no kind of endpoint"),
        ("stdio:", "'stdio' is no kind of endpoint"),
        ("tcp", "tcp: needs a port from 0 to 65535, not ''"),
        ("tcp:http-alt", "tcp: needs a port from 0 to 65535, not 'http-alt'"),
        ("tcp:65536", "tcp: needs a port from 0 to 65535, not '65536'"),
        ("tcp:-1", "tcp: needs a port"),
        ("tcp:1:interfaec=127.0.0.1", "has no argument 'interfaec'; did you mean 'interface'?"),
        ("tcp:1:127.0.0.1:interface=127.0.0.1", "tcp: has interface twice"),
        ("tcp6:1:interface=::1", r"tcp6: has interface twice (a colon within an argument is"),
        ("tcp:1:::1:::1", r"tcp: has too many arguments (a colon within an argument is"),
        ("tcp:1:backlog=many", "backlog has to be a number, not 'many'"),
        ("ssl:443", "ssl: needs privateKey=FILE"),
        ("ssl:443:privateKey=", "ssl: needs privateKey=FILE"),
        ("ssl:443:k:c:SSLv23_METHOD:127.0.0.1", "take sslmethod out"),
        ("ssl:443:k:dhParameters=f", "take dhParameters out"),
        ("unix:", "unix: needs the path"),
        ("unix:/run/s:mode=rw", "mode has to be octal, such as 660, not 'rw'"),
    ],
)
def test_what_is_refused(description: str, says: str) -> None:
    with pytest.raises(ValueError) as caught:
        LISTEN.read([description])
    assert says in str(caught.value)
    assert str(caught.value).startswith("a list of Twisted endpoints, such as")


@pytest.mark.parametrize("value", ["tcp:1", [], [1], ["tcp:1\n"], ["tcp:1", "tcp:1"]])
def test_what_is_no_list_of_endpoints(value: object) -> None:
    with pytest.raises(ValueError, match="a list of Twisted endpoints"):
        LISTEN.read(value)


@pytest.mark.parametrize(
    ("description", "socket"),
    [
        ("tcp:1", "tcp:port=1:backlog=7"),
        ("tcp:1:interface=127.0.0.1", "tcp:port=1:interface=127.0.0.1:backlog=7"),
        (r"tcp6:1:interface=\:\:1", r"tcp6:port=1:interface=\:\:1:backlog=7"),
        ("tcp:1:127.0.0.1:10", "tcp:port=1:interface=127.0.0.1:backlog=10"),
        ("tcp:1:backlog=10", "tcp:port=1:backlog=10"),
        ("ssl:1:privateKey=k:certKey=c:extraCertChain=e", "tcp:port=1:backlog=7"),
        ("haproxy:ssl:1:k:interface=127.0.0.1", "tcp:port=1:interface=127.0.0.1:backlog=7"),
        ("haproxy:tcp:1", "tcp:port=1:backlog=7"),
        ("unix:/run/s:mode=660", "unix:address=/run/s:mode=660:backlog=7"),
        ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0"),
    ],
)
def test_the_bare_socket(description: str, socket: str) -> None:
    assert parse(description).socket(7) == socket


@pytest.mark.parametrize(
    ("description", "files"),
    [
        ("tcp:1", None),
        ("ssl:1:k", TlsFiles(Path("k"), Path("k"))),
        ("ssl:1:k:c", TlsFiles(Path("k"), Path("c"))),
        (
            "haproxy:ssl:1:privateKey=/k:certKey=/c:extraCertChain=/e",
            TlsFiles(Path("/k"), Path("/c"), Path("/e")),
        ),
    ],
)
def test_the_files_of_tls(description: str, files: TlsFiles | None) -> None:
    assert parse(description).tls == files


@pytest.mark.parametrize(
    ("description", "rewritten"),
    [
        ("tcp:1", "tcp:1"),
        ("unix:/run/s", "unix:/run/s"),
        ("ssl:1:/k", "ssl:1:/k"),
        ("nonsense:x", "nonsense:x"),
        ("unix:s:mode=660", r"unix:address=/a\:b/s:mode=660"),
        ("haproxy:ssl:1:k:/c", r"haproxy:ssl:port=1:privateKey=/a\:b/k:certKey=/c"),
    ],
)
def test_relative_paths(description: str, rewritten: str) -> None:
    assert absolute(description, Path("/a:b")) == rewritten
    assert absolute(rewritten, Path("/other")) == rewritten


@given(st.text(st.sampled_from(r"ab:=\ ."), min_size=1))
def test_a_path_survives_the_rewriting(path: str) -> None:
    escaped = path.replace("\\", r"\\").replace(":", r"\:").replace("=", r"\=")
    rewritten = absolute(f"unix:address={escaped}", Path("/d"))
    assert parse(rewritten).arguments["address"] == str(Path("/d") / path)


@given(st.text())
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        found = parse(text)
    except ValueError:
        return
    again = parse(found.socket(1))
    assert again.is_local == found.is_local
