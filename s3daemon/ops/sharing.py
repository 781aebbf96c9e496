"""What one of several workers may take of what all may take together."""

from __future__ import annotations

import math
import os

import attrs

from s3daemon.config import Config


def workers_of(config: Config) -> int:
    """How many processes serve: as the settings say, or one for each processor we may use."""
    return config.server.workers or len(os.sched_getaffinity(0))


def share(limit: int, workers: int) -> int:
    """One worker's share of a number of connections; 0 stays 0, which is no bound.

    Connections fall to workers by chance.  Three standard deviations on top of the mean keep a
    client that stays below the limit from being refused by a worker that got more than the others.
    """
    if workers == 1 or not limit:
        return limit
    mean = limit / workers
    return min(limit, math.ceil(mean + 3 * math.sqrt(mean)))


def for_one_of(config: Config, workers: int) -> Config:
    """The settings of one worker."""
    limits = config.limits
    return attrs.evolve(
        config,
        limits=attrs.evolve(
            limits,
            connections=share(limits.connections, workers),
            connections_per_peer=share(limits.connections_per_peer, workers),
            read_rate=math.ceil(limits.read_rate / workers),
        ),
    )
