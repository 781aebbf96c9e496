"""Whether a client goes on fast enough, judged now and then.

A time limit without a byte alone lets a client drip one byte at a time and keep its connection for
ever.  Apache's mod_reqtimeout gives a request more time with every byte it brings; so does this,
but no more than a window of it can be saved up.
"""

from __future__ import annotations

import socket
import sys
from typing import Any


class Watch:
    """Looks at a count of bytes that should grow by ``rate`` a second.

    Waiting uses up a window of time, bytes win it back, and more than the window is never kept.
    So a client may stand still for the whole window, once, and in the long run has to keep to the
    rate.

    :param rate: bytes a second, at least 1.
    :param window: seconds.
    """

    def __init__(self, rate: int, window: float) -> None:
        self._rate = rate
        self._window = self._left = window
        self._at: float | None = None
        self._count = 0

    def keeps_up(self, count: int, now: float) -> bool:
        """Whether the window is not used up, with ``count`` bytes in all by ``now``.

        The first look after the beginning, or after :meth:`rest`, only takes note.
        """
        if self._at is not None:
            gained = (count - self._count) / self._rate
            self._left = min(self._window, self._left - (now - self._at) + gained)
        self._at, self._count = now, count
        return self._left > 0

    def rest(self) -> None:
        """Nobody waits for the client now; the time until the next look is not its fault."""
        self._at = None


# struct tcp_info (linux/tcp.h): eight single bytes, 24 words, two rates, then tcpi_bytes_acked.
_BYTES_ACKED = 120


def acknowledged(transport: Any) -> int | None:
    """Bytes that the other side of a TCP connection has confirmed; None where nobody can tell.

    What only lies in buffers of this machine does not count (tcp(7), TCP_INFO).

    :param transport: TCP's, or one around it such as that of TLS.
    """
    fileno = getattr(transport, "fileno", None)
    descriptor = -1 if fileno is None else fileno()
    if descriptor < 0:
        return None
    borrowed = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=descriptor)
    try:
        info = borrowed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED + 8)
    except OSError:
        return None  # a UNIX socket, or a kernel that does not count
    finally:
        borrowed.detach()
    if len(info) < _BYTES_ACKED + 8:
        return None
    return int.from_bytes(info[_BYTES_ACKED:], sys.byteorder)
