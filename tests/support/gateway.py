"""A gateway over a folder, put together as the daemon does it, with threads and time faked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.task import Clock

from s3daemon.actions.base import Limits
from s3daemon.auth.known_users import KnownUsers
from s3daemon.auth.policy import Policy
from s3daemon.auth.portal import Authenticator, Realm
from s3daemon.auth.signatures import SignatureChecker
from s3daemon.auth.signing_keys import LocalKeys
from s3daemon.auth.simple import SimpleChecker
from s3daemon.auth.users import Directory, User
from s3daemon.http.app import Gateway
from s3daemon.http.factory import S3Factory
from s3daemon.http.readiness import Readiness
from s3daemon.http.respond import bad_request
from s3daemon.http.s3 import S3Service
from s3daemon.http.settings import Pools, Settings
from s3daemon.store.health import Health, Troubles
from s3daemon.store.interfaces import IStore
from s3daemon.store.posix import PosixStore
from s3daemon.streams.pool import IPool, SynchronousPool
from s3daemon.wire.forwarded import Networks
from s3daemon.wire.message import Personality
from s3daemon.wire.target import Endpoint
from tests.support.inmemory import Wire
from tests.support.signing import NOW

ENDPOINTS = (Endpoint("/api/v1/s3", Personality.ALLUXIO), Endpoint("", Personality.AWS))


def make_factory(
    store: IStore,
    limits: Limits,
    clock: Clock,
    *,
    light: IPool | None = None,
    heavy: IPool | None = None,
    ready: Callable[[], Health] = Health,
    troubles: Troubles | None = None,
    users: Sequence[User] = (),
    sigv2: bool = False,
    trusted: Networks | None = None,
    **settings: Any,
) -> S3Factory:
    """The server factory over a store; further settings are those of S3Service.

    :param users: who may come in, in mode sigv4, with clocks that go by
        :attr:`tests.support.signing.Signer.now`; none: mode simple.
    :param sigv2: signatures of version 2 are taken as well.
    """
    directory = Directory(users)
    checker: SimpleChecker | SignatureChecker
    if users:
        keys = LocalKeys(directory, lambda: NOW + clock.seconds())
        checker = SignatureChecker(
            keys, "us-east-1", lambda: NOW + clock.seconds(), keys if sigv2 else None
        )
    else:
        checker = SimpleChecker(directory, clock.seconds)
    portal = Portal(Realm(directory), [checker])
    pools = Pools(light or SynchronousPool(), heavy or SynchronousPool())
    ticks = itertools.count(1_764_000_000_000_000_000, 1_000_000_000)
    s3 = S3Service(
        store,
        Authenticator(portal, lenient=not users),
        Policy().may,
        KnownUsers(directory, anybody=True),
        Settings(endpoints=ENDPOINTS, limits=limits, **settings),
        pools,
        clock,
        lambda: next(ticks),
        troubles or Troubles(),
    )
    gateway = Gateway(s3, Readiness(ready, pools.light, clock))
    return S3Factory(
        clock,
        SynchronousPool().run,
        process=gateway.process,
        bad_request=bad_request,
        trusted=trusted or Networks(),
    )


def make_wire(root: Path, min_part: int = 5 * 1024 * 1024) -> Wire:
    """A client of a gateway over ``root``.  Names of one letter are fine for buckets."""
    clock = Clock()
    limits = Limits(min_part=min_part, strict_names=False)
    return Wire(make_factory(PosixStore(root), limits, clock), clock)
