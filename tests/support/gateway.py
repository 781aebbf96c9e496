"""A gateway over a folder, put together as the daemon does it, with threads and time faked."""

from __future__ import annotations

import itertools
from pathlib import Path

from twisted.cred.portal import Portal
from twisted.internet.task import Clock

from s3daemon.actions.base import Limits
from s3daemon.auth.policy import Policy
from s3daemon.auth.portal import Authenticator, Realm
from s3daemon.auth.simple import SimpleChecker
from s3daemon.auth.users import Directory
from s3daemon.http.app import Gateway
from s3daemon.http.factory import S3Factory
from s3daemon.http.s3 import Pools, S3Service, Settings
from s3daemon.store.interfaces import IStore
from s3daemon.store.posix import PosixStore
from s3daemon.streams.pool import SynchronousPool
from s3daemon.wire.message import Personality
from s3daemon.wire.target import Endpoint
from tests.support.inmemory import Wire

ENDPOINTS = (Endpoint("/api/v1/s3", Personality.ALLUXIO), Endpoint("", Personality.AWS))


def make_factory(store: IStore, limits: Limits, clock: Clock) -> S3Factory:
    """The server factory over a store, in mode simple."""
    directory = Directory()
    portal = Portal(Realm(directory), [SimpleChecker(directory)])
    pool = SynchronousPool()
    ticks = itertools.count(1_764_000_000_000_000_000, 1_000_000_000)
    s3 = S3Service(
        store,
        Authenticator(portal, lenient=True),
        Policy().may,
        directory.display_name,
        Settings(endpoints=ENDPOINTS, limits=limits),
        Pools(pool, pool),
        clock,
        lambda: next(ticks),
    )
    gateway = Gateway(s3, pool, lambda: None, clock)
    return S3Factory(clock, pool.run, process=gateway.process)


def make_wire(root: Path, min_part: int = 5 * 1024 * 1024) -> Wire:
    """A client of a gateway over ``root``.  Names of one letter are fine for buckets."""
    clock = Clock()
    limits = Limits(min_part=min_part, strict_names=False)
    return Wire(make_factory(PosixStore(root), limits, clock), clock)
