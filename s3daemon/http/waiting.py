"""Answers that take long: blanks go out while the work goes on.

S3 does this for CompleteMultipartUpload and CopyObject: the status is 200 at once, blanks keep
clients and balancers from giving up, and an error, if there is one, comes as a document under that
200 (S3 API reference, CompleteMultipartUpload).
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from s3daemon.actions.base import Answer
from s3daemon.http.request import Request
from s3daemon.http.respond import WireFields

_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'


class _Blanks:
    """Begins the answer when the first blank is due, and goes on until stopped."""

    def __init__(
        self, request: Request, fields: WireFields, seconds: float, reactor: IReactorTime
    ) -> None:
        self.begun = False
        self._request = request
        self._fields = fields
        self._seconds = seconds
        self._reactor = reactor
        self._timer: IDelayedCall = reactor.callLater(seconds, self._due)

    def _due(self) -> None:
        if not self.begun:
            self.begun = True
            self._request.begin_stream(200, [*self._fields, (b"Content-Type", b"application/xml")])
            # The declaration must be the very first thing in a document, before any blank.
            self._request.stream(_DECLARATION)
        self._request.stream(b" ")
        self._timer = self._reactor.callLater(self._seconds, self._due)

    def stop(self) -> None:
        if self._timer.active():
            self._timer.cancel()


async def answer_when_done(
    request: Request,
    job: Deferred[Answer],
    fields: WireFields,
    seconds: float,
    reactor: IReactorTime,
    refusal: Callable[[Exception], Answer],
) -> Answer | None:
    """The job's answer when it is quick; else it is sent behind blanks, and None comes back.

    A client that goes away stops the blanks; the work itself is finished all the same.
    """
    blanks = _Blanks(request, fields, seconds, reactor)
    gone = request.notifyFinish()
    gone.addBoth(lambda _: blanks.stop())
    try:
        answer = await job
    except Exception as error:
        if not blanks.begun:
            raise
        answer = refusal(error)
    finally:
        blanks.stop()
    if not blanks.begun:
        return answer
    assert isinstance(answer.body, bytes)
    request.end_stream(answer.body.removeprefix(_DECLARATION))
    return None
