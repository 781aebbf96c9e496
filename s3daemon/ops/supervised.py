"""A daemon of several processes, put together: what is wrong is found before there are any."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from s3daemon import config as configuration
from s3daemon.config import Config
from s3daemon.ops import crew, orders
from s3daemon.ops.announcing import announce
from s3daemon.ops.crew import Worker
from s3daemon.ops.descriptors import raise_limit
from s3daemon.ops.listening import Place
from s3daemon.ops.live_users import LiveUsers
from s3daemon.ops.notifying import Notify
from s3daemon.ops.root import Root
from s3daemon.ops.sharing import for_one_of, workers_of
from s3daemon.ops.signals import Signals
from s3daemon.ops.slots import CannotChange, Plan
from s3daemon.ops.supervisor import Supervisor
from s3daemon.ops.watchdog import Watchdog
from s3daemon.store.posix.known import known
from s3daemon.toml_file import SettingError


def build(
    config: Config,
    reactor: Any,
    kind: type[Root],
    reload: Callable[[], Config],
    own_log: bool,
    fail: Callable[[], None],
    environ: Mapping[str, str] = os.environ,
) -> Root:
    """The supervisor, not started.

    Reads what workers will read, and tries the store's root, which blocks.

    :param kind: what to make the root of.
    :param reload: reads the settings again; raises SettingError.
    :param own_log: workers write their log to standard output, in lines of our own format.
    :param fail: see :class:`Supervisor`.
    :raises s3daemon.store.posix.probe.ProbeError: the root cannot hold a store.
    :raises s3daemon.toml_file.SettingError: see :func:`s3daemon.service.build`.
    """
    places = [Place.of(listen, time.time) for listen in config.server.listen]
    alone = config.auth.mode == "sigv4" and not config.auth.checkers
    users = LiveUsers.read(config.auth.credentials, alone, environ)
    found = known(config.store.root)
    workers = workers_of(config)
    announce(for_one_of(config, workers), found, users, workers)

    def renew() -> Plan:
        return _plan(_changed(config, reload), own_log, reactor)

    root = kind()
    notify = Notify.of(environ)
    supervisor = Supervisor(
        reactor,
        places,
        _plan(config, own_log, reactor),
        renew,
        fail,
        notify,
        Signals(reactor),
    )
    supervisor.setName("supervisor")
    supervisor.setServiceParent(root)
    if (watchdog := Watchdog.of(notify, reactor, environ)) is not None:
        watchdog.setName("watchdog")
        watchdog.setServiceParent(root)
    return root


def _plan(config: Config, own_log: bool, reactor: Any) -> Plan:
    workers = workers_of(config)
    one = for_one_of(config, workers)
    settings = configuration.describe(one)
    try:
        root = os.stat(config.store.root)
    except OSError as error:
        raise CannotChange(f"{config.store.root}: {error.strerror}") from error
    # Workers inherit the limit.
    raise_limit(one.limits.connections)

    def spawn(worker: Worker, sockets: Sequence[int]) -> None:
        start = orders.Start(worker.number, settings, len(sockets), (root.st_dev, root.st_ino))
        crew.spawn(worker, start, sockets, own_log, reactor)

    return Plan(workers, spawn, config.server.drain)


def _changed(before: Config, reload: Callable[[], Config]) -> Config:
    """The settings as they are now.

    :raises CannotChange: they cannot be used, or only by a daemon that is started anew.
    """
    try:
        now = reload()
    except SettingError as error:
        raise CannotChange(str(error)) from error
    for name, old, new in (
        ("server.listen", before.server.listen, now.server.listen),
        ("store.root", before.store.root, now.store.root),
    ):
        if old != new:
            raise CannotChange(f"{name} has changed, which takes a restart")
    return now
