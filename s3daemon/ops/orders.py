"""What the supervisor and a worker say to each other, on two pipes: lines.

The supervisor begins with what a worker needs to start, as a line of JSON, and goes on with orders.
When its end of the pipe is closed it is gone, and the worker stops.
"""

from __future__ import annotations

import json

import attrs

#: Descriptors of a worker: where orders come from, where it reports, and the first of the sockets
#: that it accepts from.
ORDERS, REPORTS, SOCKETS = 0, 3, 4

#: Read again what may change.
RELOAD = b"reload"

#: Another worker takes over: accept no more, finish what is under way, end.
RETIRE = b"retire"

#: Seconds in which a connection may ask for one thing more then, and is told that it ends.
LINGER = 5.0

#: The daemon ends.
STOP = b"stop"

#: Say that the event loop turns.
PING = b"ping"

#: Reports: it accepts; it has read again what may change; it cannot start, and why;
#: its event loop turns.
READY = b"ready"
RELOADED = b"reloaded"
FAILED = b"failed "
PONG = b"pong"


@attrs.frozen
class Start:
    """What a worker needs.

    :ivar number: which one it is, from 1.
    :ivar settings: in TOML.
    :ivar sockets: how many it has; one for each of ``server.listen``.
    :ivar root: device and inode of the store's root when the daemon started.
    """

    number: int
    settings: str
    sockets: int
    root: tuple[int, int]

    def line(self) -> bytes:
        """For the pipe, without the end of the line."""
        return json.dumps(attrs.asdict(self)).encode()

    @classmethod
    def read(cls, line: bytes) -> Start:
        """The same, at the other end.

        :raises ValueError, TypeError, KeyError: it is something else.
        """
        found = json.loads(line)
        device, inode = found.pop("root")
        return cls(**found, root=(int(device), int(inode)))


def failed(why: object) -> bytes:
    """The report of a worker that cannot start."""
    return FAILED + " ".join(str(why).split()).encode()
