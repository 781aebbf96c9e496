"""Where to listen: Twisted's endpoint descriptions, as far as they must be understood here.

Source: Twisted core howto, "Getting Connected with Endpoints": arguments are separated by colons,
a backslash takes the meaning from the next character, ``name=value`` may stand anywhere.

A kind of endpoint that is not known here is refused: nobody could tell who reaches it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import attrs

from s3daemon import config_kinds as kinds
from s3daemon.toml_file import nearest

_EXPECTS = 'a list of Twisted endpoints, such as ["tcp:39999:interface=127.0.0.1"]'

#: In front of another description: a balancer says in a PROXY header who its client is.
PROXIED = "haproxy"

#: Kind -> names of its arguments, in the order in which they may stand without their names.
_ARGUMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "tcp": ("port", "interface", "backlog"),
        "tcp6": ("port", "backlog", "interface"),
        "ssl": (
            *("port", "privateKey", "certKey", "sslmethod", "interface", "backlog"),
            *("extraCertChain", "dhParameters"),
        ),
        "unix": ("address", "mode", "backlog", "lockfile"),
        "systemd": ("domain", "index", "name"),
    }
)

#: Arguments of Twisted's that are refused, and why.
_REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "sslmethod": "the versions are 1.2 and 1.3, always",
        "dhParameters": "keys are exchanged on elliptic curves, which need none",
    }
)

_COLON = " (a colon within an argument is written \\:)"

#: Arguments that are paths of files.
_FILES = frozenset({"privateKey", "certKey", "extraCertChain", "address"})


@attrs.frozen
class TlsFiles:
    """Files in PEM.

    :ivar key: the private key.
    :ivar certificate: the certificate, and behind it those that lead to a root, if any.
    :ivar chain: further certificates that lead to a root; None for none.
    """

    key: Path
    certificate: Path
    chain: Path | None = None


@attrs.frozen
class Listen:
    """One place to listen at.

    :ivar description: as the operator wrote it.
    :ivar kind: ``tcp``, ``tcp6``, ``ssl``, ``unix`` or ``systemd``.
    :ivar arguments: by name.
    :ivar proxied: a PROXY header comes first.
    """

    description: str
    kind: str
    arguments: Mapping[str, str]
    proxied: bool

    @property
    def tls(self) -> TlsFiles | None:
        """The files of a TLS listener; None for others."""
        if self.kind != "ssl":
            return None
        key = self.arguments["privateKey"]
        chain = self.arguments.get("extraCertChain")
        return TlsFiles(
            Path(key),
            Path(self.arguments.get("certKey", key)),
            None if chain is None else Path(chain),
        )

    def socket(self, backlog: int) -> str:
        """The description of the bare socket, without TLS and PROXY headers, for Twisted.

        :param backlog: how many connections may wait to be accepted, unless the operator has said
            so.  Twisted's own 50 makes a burst of clients wait for their kernel to try again.
        """
        kind, given = self.kind, dict(self.arguments)
        if kind == "ssl":
            kind = "tcp"
            for name in ("privateKey", "certKey", "extraCertChain"):
                given.pop(name, None)
        if "backlog" in _ARGUMENTS[kind]:
            given.setdefault("backlog", str(backlog))
        return _write(kind, given)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach it, as far as the description tells."""
        if self.kind == "unix":
            return True
        interface = self.arguments.get("interface", "")
        if interface == "localhost":
            return True
        try:
            return ipaddress.ip_address(interface.strip("[]")).is_loopback
        except ValueError:
            return False


def parse(description: str) -> Listen:
    """Understand a description.

    :raises ValueError: it is none, or of a kind that is not known; the text says what is wrong.
    """
    positional, named = arguments(description)
    proxied = positional[:1] == [PROXIED]
    if proxied:
        positional = positional[1:]
    kind = positional.pop(0) if positional else ""
    names = _ARGUMENTS.get(kind)
    if names is None:
        raise ValueError(
            f"{kind!r} is no kind of endpoint; the kinds are {', '.join(_ARGUMENTS)}, and"
            f" {PROXIED}: in front of one of them"
        )
    if len(positional) > len(names):
        raise ValueError(f"{kind}: has too many arguments{_COLON}")
    given = dict(zip(names, positional, strict=False))
    for name, value in named.items():
        if name not in names:
            raise ValueError(f"{kind}: has no argument {name!r}; {nearest(name, names)}")
        if name in given:
            raise ValueError(f"{kind}: has {name} twice{_COLON}")
        given[name] = value
    _check(kind, given)
    return Listen(description, kind, MappingProxyType(given), proxied)


def _check(kind: str, given: Mapping[str, str]) -> None:
    for name, reason in _REFUSED.items():
        if name in given:
            raise ValueError(f"take {name} out: {reason}")
    if "port" in _ARGUMENTS[kind]:
        port = given.get("port", "")
        if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 65535:
            raise ValueError(f"{kind}: needs a port from 0 to 65535, not {port!r}")
    if not re.fullmatch("[0-9]{1,9}", given.get("backlog", "0")):
        raise ValueError(f"backlog has to be a number, not {given['backlog']!r}")
    if kind == "ssl" and not given.get("privateKey"):
        raise ValueError("ssl: needs privateKey=FILE, and certKey=FILE")
    if kind == "unix":
        if not given.get("address"):
            raise ValueError("unix: needs the path of a socket")
        if not re.fullmatch("[0-7]{3,4}", given.get("mode", "660")):
            raise ValueError(f"mode has to be octal, such as 660, not {given['mode']!r}")


def absolute(description: str, directory: Path) -> str:
    """The description with its relative paths made absolute, beneath ``directory``.

    What cannot be understood stays as it is.
    """
    try:
        found = parse(description)
    except ValueError:
        return description
    given = {
        name: str(directory / value) if name in _FILES and value else value
        for name, value in found.arguments.items()
    }
    if given == dict(found.arguments):
        return description
    return (f"{PROXIED}:" if found.proxied else "") + _write(found.kind, given)


def arguments(description: str) -> tuple[list[str], dict[str, str]]:
    """(arguments by position, the kind first; arguments by name)."""
    positional: list[str] = []
    named: dict[str, str] = {}
    name: str | None = None
    current = ""
    characters = iter(description)
    for character in characters:
        if character == "\\":
            current += next(characters, "")
        elif character == "=" and name is None:
            name, current = current, ""
        elif character == ":":
            _take(positional, named, name, current)
            name, current = None, ""
        else:
            current += character
    _take(positional, named, name, current)
    return positional, named


def _take(positional: list[str], named: dict[str, str], name: str | None, value: str) -> None:
    if name is None:
        positional.append(value)
    else:
        named[name] = value


def _write(kind: str, given: Mapping[str, str]) -> str:
    """A description that :func:`arguments` and Twisted read the same."""
    return ":".join([kind, *(f"{name}={_escaped(value)}" for name, value in given.items())])


def _escaped(value: str) -> str:
    return re.sub(r"([\\:=])", r"\\\1", value)


def _one(description: str) -> str:
    try:
        parse(description)
    except ValueError as error:
        raise ValueError(f"{_EXPECTS}; in {description!r}, {error}") from None
    return description


_TEXT = kinds.text(r"[^\0\r\n]+", _EXPECTS)

LISTEN = kinds.texts(kinds.Kind(lambda value: _one(_TEXT.read(value)), _TEXT.show), 1, _EXPECTS)
