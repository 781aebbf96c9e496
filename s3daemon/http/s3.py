"""S3 requests: bytes to operations, results to bytes.

A handler is a coroutine that starts when the head is there: read the target, ask who it is, find
the action, let it parse the head, and only then ask for the body.  Everything that can refuse
comes before ``100 Continue``.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from s3daemon.actions import ACTIONS
from s3daemon.actions.base import (
    Action,
    Answer,
    Context,
    DocumentAction,
    UploadAction,
    Users,
)
from s3daemon.auth.caller import Caller
from s3daemon.auth.decision import May
from s3daemon.auth.identity import Identity
from s3daemon.http import body as bodies
from s3daemon.http.accesslog import Entry
from s3daemon.http.origin import origin_of
from s3daemon.http.refusals import refusal
from s3daemon.http.request import BodyCutShort, ClientGone, Request
from s3daemon.http.respond import WireFields, error_answer, send
from s3daemon.http.sendfile import Pace
from s3daemon.http.settings import Pools, Settings
from s3daemon.http.waiting import answer_when_done
from s3daemon.store.health import Troubles
from s3daemon.store.interfaces import (
    IAtOnce,
    IStore,
    OutOfSpace,
    ReadOnly,
    Unavailable,
    WouldBlock,
)
from s3daemon.streams.rate import RateLimit, reserve_all
from s3daemon.streams.upload import SMALL, Held, Upload
from s3daemon.wire import awschunked, digests, errors, integrity, operations, preflight, target
from s3daemon.wire.message import UNVERIFIED, S3Request

#: Actions that may run long: they have threads of their own, so that small requests never wait.
HEAVY = frozenset(
    {
        "CompleteMultipartUpload",
        "CopyObject",
        "DeleteBucket",
        "DeleteObjects",
        "ListObjects",
        "ListObjectsV2",
        "UploadPartCopy",
    }
)

#: Actions that are tried without a thread first, where the store can tell what would wait.
AT_ONCE = frozenset({"GetObject", "HeadObject"})

#: Actions whose answer S3 allows to begin with blanks while the work goes on.
PATIENT = frozenset({"CompleteMultipartUpload", "CopyObject", "UploadPartCopy"})


#: Facts that make one ask whether the store can serve at all.
_FAILING = (OutOfSpace, ReadOnly, Unavailable)

Authenticate = Callable[[S3Request, bytes, Sequence[tuple[bytes, bytes]]], "Deferred[Caller]"]


class S3Service:
    """S3 over a store.

    :param authenticate: (request, raw target, raw fields) -> who it is, or it fails with an
        :class:`~s3daemon.wire.errors.S3Error`.
    :param may: the decision function of :class:`~s3daemon.actions.base.Context`.
    :param now_ns: the wall clock.
    :param troubles: told of requests that found the store failing.
    """

    def __init__(
        self,
        store: IStore,
        authenticate: Authenticate,
        may: May,
        users: Users,
        settings: Settings,
        pools: Pools,
        reactor: IReactorTime,
        now_ns: Callable[[], int],
        troubles: Troubles,
    ) -> None:
        self._store = store
        self._at_once = store.at_once
        self._authenticate = authenticate
        self._may = may
        self._users = users
        self._settings = settings
        self._pools = pools
        self._reactor = reactor
        self._now_ns = now_ns
        self._troubles = troubles
        self._host_id = os.urandom(24).hex()
        self._prefix = os.urandom(4).hex().upper()
        self._count = itertools.count(1)
        self._log = Logger(namespace="s3daemon.access", source=self)
        self._held = Held()
        self._rate = RateLimit(settings.read_rate) if settings.read_rate else None
        self._paced = bool(settings.read_rate or settings.read_rate_each)

    async def serve(self, request: Request) -> None:
        """Serve one S3 request to its end."""
        head = request.head
        request_id = f"{self._prefix}{next(self._count):08X}"
        assert request.channel is not None
        origin = origin_of(request.channel, head)
        entry = Entry(
            request_id=request_id,
            peer=origin.name,
            method=head.method.decode("ascii", "replace"),
            target=head.target,
            begin=self._reactor.seconds(),
        )
        common: WireFields = [
            (b"x-amz-request-id", request_id.encode()),
            (b"x-amz-id-2", self._host_id.encode()),
        ]
        s3: S3Request | None = None
        try:
            try:
                s3 = target.request_from(
                    head.method,
                    head.target,
                    head.fields,
                    self._settings.endpoints,
                    self._settings.domains,
                    secure=origin.secure,
                    length=head.length,
                )
                answer = await self._perform(request, s3, entry, common)
            except Exception as error:  # noqa: BLE001 - a client gets an answer whatever happens
                refused = self._refusal(error, entry, s3)
                answer = error_answer(
                    refused,
                    s3.resource if s3 else "",
                    request_id,
                    self._host_id,
                    head.method == b"HEAD",
                )
            if answer is not None:
                pace = self._pace() if self._paced and entry.operation == "GetObject" else None
                await send(request, answer, common, self._pools.heavy, pace)
        except BodyCutShort as error:
            self._cut_short(error, entry)
        except ClientGone:
            entry.error = "ClientGone"
        finally:
            entry.write(
                self._log,
                request.code if request.startedWriting else 0,
                request.body.received,
                request.sentLength,
                self._reactor.seconds(),
            )

    async def _perform(
        self, request: Request, s3: S3Request, entry: Entry, common: WireFields
    ) -> Answer | None:
        """The answer, or None when it has been sent already."""
        if s3.method == "OPTIONS":
            raise preflight.refusal(s3)
        caller = await self._authenticate(s3, request.head.target, request.head.fields)
        entry.user = caller.identity.name
        if caller.payload is not UNVERIFIED:
            s3 = attrs.evolve(s3, payload=caller.payload)
        name = operations.match(s3)
        entry.operation = name
        action = ACTIONS[name]
        given = action.parse(s3)
        if name in AT_ONCE and self._at_once is not None:
            with suppress(WouldBlock):
                context = self._context(self._at_once, s3, caller.identity, name)
                return cast(Action, action).run(context, given)
        context = self._context(self._store, s3, caller.identity, name)
        if isinstance(action, UploadAction):
            return await self._upload(request, s3, action, context, given)
        pool = self._pools.heavy if name in HEAVY else self._pools.light
        if isinstance(action, DocumentAction):
            checksum = integrity.announced(s3) if action.checksummed else integrity.NOTHING
            document, trailers = await self._document(request, s3)
            job = pool.ask(action.perform, context, given, document, checksum, trailers)
        else:
            job = pool.ask(action.run, context, given)
        if name in PATIENT and self._settings.blanks_after:
            return await answer_when_done(
                request,
                job,
                common,
                self._settings.blanks_after,
                self._reactor,
                lambda error: error_answer(
                    self._refusal(error, entry, s3),
                    s3.resource,
                    entry.request_id,
                    self._host_id,
                    False,
                ),
            )
        return await job

    def _context(
        self, store: IStore | IAtOnce, s3: S3Request, caller: Identity, name: str
    ) -> Context:
        return Context(
            buckets=store.buckets,
            objects=store.objects,
            uploads=self._store.uploads,
            caller=caller,
            operation=name,
            may=self._may,
            users=self._users,
            limits=self._settings.limits,
            now_ns=self._now_ns(),
            region=self._settings.region,
            expected_owner=s3.headers.get("x-amz-expected-bucket-owner"),
            aside=self._pools.aside,
        )

    async def _document(self, request: Request, s3: S3Request) -> tuple[bytes, Mapping[str, str]]:
        document: bytes = await request.body.read(self._settings.limits.document)
        if s3.payload.sha256 is not None:
            digests.check_sha256(s3.payload.sha256, hashlib.sha256(document).digest())
        if not s3.chunked_body:
            return document, {}
        decoder = awschunked.decoder_for(s3)
        assert decoder is not None
        pieces = decoder.feed(document)
        decoder.finish()
        return b"".join(pieces), decoder.trailers

    async def _upload(
        self, request: Request, s3: S3Request, action: UploadAction, context: Context, given: Any
    ) -> Answer:
        small = s3.length is not None and s3.length <= SMALL
        upload: Upload[Answer] = Upload(
            self._pools.light if small else self._pools.heavy,
            lambda: action.begin(context, given),
            self._held,
        )
        if request.head.expect_continue or not small:
            await upload.open()
        try:
            await request.body.deliver(upload)
        except bodies.BodyError:
            if not upload.failed:
                await upload.abort()
                raise
        # When the sink has failed, finish says why.
        return await upload.finish()

    def _cut_short(self, error: BodyCutShort, entry: Entry) -> None:
        """The file of an answer that has begun could not be read to its end: the client has been
        told by the end of the connection."""
        self._troubles.meet()
        entry.error = errors.ServiceUnavailable().code
        self._log.warn(
            "request_id={request_id} storage: {error!r}", request_id=entry.request_id, error=error
        )

    def _pace(self) -> Pace:
        """What bounds the rate of one answer."""
        limits = [] if self._rate is None else [self._rate]
        if self._settings.read_rate_each:
            limits.append(RateLimit(self._settings.read_rate_each))
        return lambda size: deferLater(
            self._reactor, reserve_all(limits, size, self._reactor.seconds())
        )

    def _refusal(self, error: Exception, entry: Entry, s3: S3Request | None) -> errors.S3Error:
        if isinstance(error, _FAILING):
            self._troubles.meet()
        refused = refusal(error, s3, self._log, entry.request_id)
        entry.error = refused.code
        return refused
