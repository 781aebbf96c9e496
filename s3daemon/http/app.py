"""The tree above the channel: S3, and the daemon's own paths.

Klein is the tree.  Its S3 branch is called without matching again: Werkzeug would merge slashes and
redirect keys that begin with one, and the target was read from the raw bytes already.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.iweb import IRequest

from s3daemon.http.request import Request
from s3daemon.http.s3 import S3Service
from s3daemon.store.interfaces import StorageError
from s3daemon.streams.pool import IPool, PoolStopped

#: Paths that are the daemon's own when nobody signs for them (docs/adr, "health paths").
OWN_PATHS = frozenset({b"/healthz", b"/readyz"})

#: Seconds in which the store has to say that it can serve.
READY_WITHIN = 5.0


class Gateway:
    """S3, and what a balancer asks.

    :param ready: blocking; raises a :class:`StorageError` when the store cannot serve.
    """

    app = Klein()

    def __init__(
        self,
        s3: S3Service,
        pool: IPool,
        ready: Callable[[], None],
        reactor: IReactorTime,
    ) -> None:
        self._s3 = s3
        self._pool = pool
        self._ready = ready
        self._reactor = reactor
        self._log = Logger(namespace="s3daemon.http", source=self)
        self._klein = self.app
        self._tree = self._klein.resource()

    def process(self, request: Request) -> None:
        """What the channel calls when a head is complete."""
        if _is_own(request):
            request.render(self._tree)
        else:
            # A coroutine behind a route comes back as a Deferred.
            served = cast("Deferred[None]", self._klein.execute_endpoint("s3", request))
            served.addErrback(self._bug, request)

    @app.route("/", branch=True)
    async def s3(self, request: Request) -> None:
        """Everything that is not the daemon's own."""
        await self._s3.serve(request)

    @app.route("/healthz")
    def healthz(self, request: IRequest) -> bytes:
        """The process answers."""
        return _plain(request, 200, "ok")

    @app.route("/readyz")
    async def readyz(self, request: IRequest) -> bytes:
        """The store answers too, in time; else 503 with the reason."""
        try:
            asked = self._pool.run(self._ready)
            asked.addTimeout(READY_WITHIN, self._reactor)
            await asked
        except (StorageError, PoolStopped, DeferredTimeout) as error:
            late = isinstance(error, DeferredTimeout)
            reason = "the file system did not answer in time" if late else str(error)
            self._log.warn("not ready: {reason}", reason=reason)
            return _plain(request, 503, "not ready: " + reason)
        return _plain(request, 200, "ready")

    def _bug(self, failure: Any, request: Request) -> None:
        self._log.failure("while answering", failure)
        request.loseConnection()


def _is_own(request: Request) -> bool:
    head = request.head
    if head.target not in OWN_PATHS or head.method not in (b"GET", b"HEAD"):
        return False
    return not any(name == b"authorization" for name, _ in head.fields)


def _plain(request: IRequest, status: int, text: str) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return text.encode("utf-8", "replace") + b"\n"
