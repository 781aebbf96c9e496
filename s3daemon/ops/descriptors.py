"""Enough file descriptors for the connections that are allowed.

Source: getrlimit(2).  A process may raise its soft limit up to the hard one.  The low soft limit of
1,024 protects programs that use select(2); Twisted uses epoll(7).
"""

from __future__ import annotations

import resource

#: Logs, listeners, the reactor, and directories that listings walk.
BESIDES = 256


def raise_limit(connections: int) -> tuple[int, int]:
    """Raise the soft limit as far as it helps; (limit now, the least that is needed).

    Every connection has a descriptor, and may have an open object too.
    """
    least, wanted = connections + BESIDES, 2 * connections + BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted, least
    reachable = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
    return reachable, least
