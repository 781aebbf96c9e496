"""How long a client may take, and how much of anything it may send: values only."""

from __future__ import annotations

import attrs

from s3daemon.wire import framing, http1


@attrs.frozen
class Timeouts:
    """Seconds.  A limit is noticed up to a second late.

    :ivar head: from the first byte of a head to its last; also from the connection to that byte.
    :ivar body: without a byte of a body that somebody waits for.
    :ivar idle: between an answer and the next request.
    :ivar write: for a client to take what is in the output buffer (at most a few hundred KiB).
    :ivar linger: for a client to take the last answer and close.
    """

    head: float = 30.0
    body: float = 60.0
    idle: float = 75.0
    write: float = 60.0
    linger: float = 10.0


@attrs.frozen
class Limits:
    """Bytes, unless said otherwise.

    :ivar head: of request heads.
    :ivar chunks: of chunked bodies.
    :ivar hold: of a body that arrives before anybody takes it; then the client is paused.
    :ivar ahead: of requests that arrive before the one under way is answered; then the client is
        paused.
    :ivar drain: of a body that nobody took; a longer rest ends the connection.
    :ivar linger: thrown away, after an answer that ends the connection, so that the client still
        reads it.
    :ivar connections: how many at a time; one more is told to come back later.
    :ivar connections_per_peer: how many of one client at a time; 0 for no bound.
    :ivar min_body_rate: bytes a second, at which bodies have to come and answers have to be taken,
        over the time that a client may stand still (:class:`~s3daemon.http.progress.Watch`); 0 for
        none.
    """

    head: http1.Limits = attrs.field(factory=http1.Limits)
    chunks: framing.ChunkLimits = attrs.field(factory=framing.ChunkLimits)
    hold: int = 256 * 1024
    ahead: int = 64 * 1024
    drain: int = 256 * 1024
    linger: int = 64 * 1024 * 1024
    connections: int = 10000
    connections_per_peer: int = 1000
    min_body_rate: int = 256
