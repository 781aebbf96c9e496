"""The service tree: what runs, in which order it starts, and in which it stops.

    Root
      storage      threads and the store     stops last: nothing may use a closed descriptor
      hang-up      SIGHUP
      watcher      the file of users, which may change
      janitor      forgotten uploads, and what a crash has left
      listeners    the ports                 opens last of all, stops first
      alone        tells systemd; not in a worker, whose supervisor does

Stopping is in order, one after the other: no new connections, the requests under way to their end
or to the end of their time, the sweep, the threads, the store.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.cred.checkers import AllowAnonymousAccess, ICredentialsChecker
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from s3daemon.actions import base as actions
from s3daemon.auth import checkers
from s3daemon.auth.checkers import Surroundings
from s3daemon.auth.known_users import KnownUsers
from s3daemon.auth.policy import Policy
from s3daemon.auth.portal import Authenticator, Realm
from s3daemon.auth.users import Directory
from s3daemon.config import Config
from s3daemon.http.app import Gateway
from s3daemon.http.factory import S3Factory
from s3daemon.http.limits import Limits, Timeouts
from s3daemon.http.readiness import Readiness
from s3daemon.http.respond import bad_request
from s3daemon.http.s3 import S3Service
from s3daemon.http.settings import Pools, Settings
from s3daemon.ops.alone import Alone
from s3daemon.ops.announcing import announce
from s3daemon.ops.hangup import HangUp
from s3daemon.ops.janitor import Janitor
from s3daemon.ops.listening import Listeners, Place
from s3daemon.ops.live_users import LiveUsers
from s3daemon.ops.notifying import Notify
from s3daemon.ops.readiness import RootCheck
from s3daemon.ops.root import Root
from s3daemon.ops.signals import Signals
from s3daemon.ops.watchdog import Watchdog
from s3daemon.store.health import Troubles
from s3daemon.store.interfaces import IStore
from s3daemon.store.posix import PosixStore
from s3daemon.streams.aside import Aside
from s3daemon.streams.pool import Pool
from s3daemon.wire.forwarded import Networks
from s3daemon.wire.http1 import Limits as HeadLimits
from s3daemon.wire.target import Endpoint

#: Seconds that jobs on threads are given at the end, after the requests have had theirs.
SETTLE = 10.0

#: Seconds after the start when the janitor first looks; a daemon that restarts has better to do.
FIRST_SWEEP = 60.0


@attrs.define(eq=False)
class Storage(Service):
    """The store and the threads that use it."""

    _store: IStore
    _pools: list[Pool]
    _clock: IReactorTime
    _aside: Aside | None = None

    def stopService(self) -> Deferred[None]:
        """Take no more work, wait for what is under way, close the store."""
        Service.stopService(self)
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        for pool in self._pools:
            pool.stop()
        end = self._clock.seconds() + SETTLE
        while any(pool.busy for pool in self._pools):
            if self._clock.seconds() >= end:
                # A thread hangs in the file system.  Its descriptors must stay what they are.
                Logger(namespace="s3daemon.service").warn(
                    "storage calls do not come back; leaving them behind"
                )
                return
            await deferLater(self._clock, 0.05)
        if self._aside is not None:
            self._aside.stop()
        self._store.close()


def build(
    config: Config,
    reactor: Any,
    kind: type[Root] = Root,
    environ: Mapping[str, str] = os.environ,
    inherited: Sequence[socket.socket] | None = None,
) -> Root:
    """The whole daemon in one process, or one of its workers; not started.

    Tries the store's root, which blocks.

    :param reactor: Twisted's: time, threads, and what the listeners' endpoints need.
    :param kind: what to make the root of.
    :param environ: of the process.
    :param inherited: a worker's: sockets that listen already, one for each of ``server.listen``.
    :raises s3daemon.store.posix.probe.ProbeError: the root cannot hold a store.
    :raises s3daemon.toml_file.SettingError: something is wrong in the credentials file, or there is
        none where one is needed, or with the key or certificate of a TLS listener.
    """
    places = [Place.of(listen, time.time) for listen in config.server.listen]
    alone = config.auth.mode == "sigv4" and not config.auth.checkers
    users = LiveUsers.read(config.auth.credentials, alone, environ)
    locks = config.store.locks == "auto"
    store = PosixStore(config.store.root, config.durability, locks=locks)
    patience = config.server.queue_timeout
    light = Pool(reactor, config.limits.pool_threads, "small", patience)
    heavy = Pool(reactor, config.limits.heavy_threads, "large", patience)
    sweeping = Pool(reactor, 1, "janitor")
    # A digest keeps a core busy, and so does the job that waits for it.
    aside = Aside(max(1, len(os.sched_getaffinity(0)) - 1))
    factory = build_factory(config, store, users.directory, Pools(light, heavy, aside), reactor)
    reloads = [users.reloadable, *(place.reloadable for place in places)]
    hang_up = HangUp([one for one in reloads if one is not None], light, reactor)
    watcher = users.watcher(hang_up, light, reactor)
    root = kind()
    children: list[tuple[str, Service]] = [
        ("storage", Storage(store, [light, heavy, sweeping], reactor, aside)),
        ("hang-up", hang_up),
    ]
    if watcher is not None:
        children.append(("watcher", watcher))
    janitor = Janitor(
        store.uploads.expire,
        sweeping,
        reactor,
        time.time_ns,
        config.store.multipart_expiry,
        config.store.sweep_interval,
        min(FIRST_SWEEP, config.store.sweep_interval),
        store.may_sweep,
        random.random,
    )
    children.append(("janitor", janitor))
    listeners = Listeners(
        reactor,
        factory,
        places,
        config.server.drain,
        Networks(config.server.trusted_proxies),
        config.server.head_timeout,
    )
    if inherited is None:
        announce(config, store.probe, users)
        hang_up.notify = Notify.of(environ)
        children.append(("listeners", listeners))
        children.append(("alone", Alone(hang_up.notify, reactor, Signals(reactor))))
        if (watchdog := Watchdog.of(hang_up.notify, reactor, environ)) is not None:
            children.append(("watchdog", watchdog))
    else:
        listeners.adopt(inherited)
        children.append(("listeners", listeners))
    for name, child in children:
        child.setName(name)
        child.setServiceParent(root)
    return root


def build_factory(
    config: Config, store: PosixStore, directory: Directory, pools: Pools, reactor: Any
) -> S3Factory:
    """The server factory over a store: everything between the ports and the disk."""
    portal = Portal(Realm(directory), _checkers(config, directory, reactor))
    settings = Settings(
        endpoints=[Endpoint(base, shows) for base, shows in config.server.endpoints],
        domains=config.server.domains,
        region=config.server.region,
        limits=actions.Limits(
            metadata=config.limits.metadata_bytes,
            min_part=config.limits.min_part_size,
            document=config.limits.document_bytes,
            strict_names=config.limits.strict_bucket_names,
        ),
        blanks_after=config.server.blanks_after,
        read_rate=config.limits.read_rate,
        read_rate_each=config.limits.read_rate_each,
    )
    troubles = Troubles()
    s3 = S3Service(
        store,
        Authenticator(portal, lenient=config.auth.mode == "simple"),
        Policy(config.auth.unowned == "everyone", config.server.log_level == "debug").may,
        KnownUsers(directory, anybody=config.auth.mode == "simple" or bool(config.auth.checkers)),
        settings,
        pools,
        reactor,
        time.time_ns,
        troubles,
    )
    check = RootCheck(
        config.store.root,
        config.store.min_free,
        lambda: store.disk.failed_syncs,
        lambda: troubles.met,
        store.try_sync,
        store.about(),
    )
    gateway = Gateway(s3, Readiness(check, pools.light, reactor))
    return S3Factory(
        reactor,
        pools.heavy.run,
        process=gateway.process,
        bad_request=bad_request,
        too_many=bad_request(503, "Please reduce your request rate."),
        timeouts=Timeouts(
            head=config.server.head_timeout,
            body=config.server.body_timeout,
            idle=config.server.idle_timeout,
            write=config.server.write_timeout,
        ),
        limits=Limits(
            head=HeadLimits(config.limits.head_bytes, config.limits.fields),
            connections=config.limits.connections,
            connections_per_peer=config.limits.connections_per_peer,
            min_body_rate=config.limits.min_body_rate,
        ),
        trusted=Networks(config.server.trusted_proxies),
    )


def _checkers(config: Config, directory: Directory, reactor: Any) -> list[ICredentialsChecker]:
    anonymous = [AllowAnonymousAccess()] if config.auth.anonymous else []
    return [_checker(config, directory, reactor), *anonymous]


def _checker(config: Config, directory: Directory, reactor: Any) -> ICredentialsChecker:
    around = Surroundings(directory, config.server.region, config.auth.sigv2, time.time, reactor)
    mode = checkers.find(config.auth.mode)
    first: ICredentialsChecker = mode.make(around, mode.settings())
    further = [checkers.find(name).make(around, values) for name, values in config.checkers]
    return checkers.Chain(first, further, directory) if further else first
