"""Where to listen: Twisted's endpoint descriptions, as far as they must be understood here.

Source: Twisted core howto, "Getting Connected with Endpoints": arguments are separated by colons,
a backslash takes the meaning from the next character, ``name=value`` may stand anywhere.
"""

from __future__ import annotations

import ipaddress

from s3daemon import config_kinds as kinds

_EXPECTS = 'a list of Twisted endpoints, such as ["tcp:39999:interface=127.0.0.1"]'

#: Where the interface stands when it is not named.
_POSITION = {"tcp": 2, "tcp4": 2, "tcp6": 2, "ssl": 5}

#: Where the backlog stands when it is not named.
_BACKLOG = {"tcp": 3, "tcp4": 3, "tcp6": 3, "ssl": 6}


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


def is_local(description: str) -> bool:
    """Whether only this machine can reach it, as far as the description tells."""
    positional, named = arguments(description)
    kind = positional[0] if positional else ""
    if kind == "unix":
        return True
    if kind not in _POSITION:
        return False
    place = _POSITION[kind]
    interface = named.get("interface", positional[place] if len(positional) > place else "")
    if interface == "localhost":
        return True
    try:
        return ipaddress.ip_address(interface.strip("[]")).is_loopback
    except ValueError:
        return False


def with_backlog(description: str, backlog: int) -> str:
    """The description with a queue of this length for connections that wait to be accepted.

    Twisted's own is 50, so that a burst of clients has to wait for the kernel to try again.  What
    says so itself, and kinds of endpoints that have none, stay as they are.
    """
    positional, named = arguments(description)
    place = _BACKLOG.get(positional[0])
    if place is None or "backlog" in named or len(positional) > place:
        return description
    return f"{description}:backlog={backlog}"


LISTEN = kinds.texts(kinds.text(r"[a-z0-9]+:[^\0\r\n]+", _EXPECTS), 1, _EXPECTS)
