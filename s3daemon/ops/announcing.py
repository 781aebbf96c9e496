"""What a daemon says of itself when it starts."""

from __future__ import annotations

from twisted.logger import Logger

import s3daemon
from s3daemon.config import Config
from s3daemon.ops.descriptors import raise_limit
from s3daemon.ops.live_users import LiveUsers
from s3daemon.store.interfaces import StorageError
from s3daemon.store.posix.concerns import concerns
from s3daemon.store.posix.probed import Probe
from s3daemon.store.posix.store import PosixStore

#: What a level that is not strict means for those who were answered.
_MAY_LOSE = {
    "data": "a power cut may lose the newest changes that were acknowledged",
    "relaxed": "a power cut may lose or damage objects that were acknowledged",
}
#: Buckets that are named in one line of the log.
_NAMED = 10


def announce(config: Config, found: Probe, users: LiveUsers, workers: int = 1) -> None:
    """Say what this daemon is, before it listens, and raise its limit of descriptors.

    :param config: of each of its processes.
    :param workers: how many of them serve.
    """
    log = Logger(namespace="s3daemon.service")
    log.info(
        "s3gate {version}: root {root}, durability {durability}, auth {mode}, credentials {file}"
        "{further}",
        version=s3daemon.__version__,
        root=config.store.root,
        durability=config.store.durability,
        mode=config.auth.mode,
        file=users.shown,
        further="".join(f", checker {name}" for name in config.auth.checkers),
    )
    if workers > 1:
        log.info("{workers} workers serve", workers=workers)
    log.info("the file system: {found}", found=found.describe())
    try:
        for concern in concerns(config.store.root, found):
            log.warn("{concern}", concern=concern)
    except OSError as error:
        log.warn("the file system cannot be looked at: {error}", error=error)
    for base, shows in config.server.endpoints:
        log.info("{base} shows {shows}", base=base, shows=shows.value)
    _announce_levels(config, found, log)
    if config.auth.mode == "sigv4" and not users.directory.size and not config.auth.checkers:
        log.warn(
            "there are no users in {file}, so every request is refused; add one: s3gate user add"
            " NAME",
            file=users.shown,
        )
    if config.auth.sigv2:
        log.warn("signatures of version 2 are taken, which do not cover the body of a request")
    if config.auth.anonymous:
        log.warn("requests without credentials reach what a list grants to everybody")
    if config.auth.mode == "simple" and config.auth.allow_remote_simple:
        log.warn("auth is simple on any address: whoever reaches a port may be anybody")
    now, least = raise_limit(config.limits.connections)
    if now < least:
        log.warn(
            "{now} file descriptors are allowed, {least} are needed for limits.connections ="
            " {connections}: raise the hard limit (LimitNOFILE=, ulimit -Hn)",
            now=now,
            least=least,
            connections=config.limits.connections,
        )


def _announce_levels(config: Config, found: Probe, log: Logger) -> None:
    """Say aloud what is not strict."""
    level = config.store.durability
    if level != "strict":
        log.warn("durability is {durability}: {what}", durability=level, what=_MAY_LOSE[level])
    try:
        store = PosixStore(config.store.root, known=found)
        try:
            buckets = store.buckets.list()
        finally:
            store.close()
    except (OSError, StorageError) as error:
        log.warn("which buckets are not strict cannot be read: {error}", error=error)
        return
    for level, what in _MAY_LOSE.items():
        names = [info.name for info in buckets if info.durability == level]
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            log.warn(
                "durability is {durability} in {names}{more}: {what}",
                durability=level,
                names=", ".join(names[:_NAMED]),
                more=more,
                what=what,
            )
