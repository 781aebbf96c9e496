"""What the operator chose for the tree, and the threads that it works on: values only."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from s3daemon.actions.base import Limits
from s3daemon.actions.digesting import Aside
from s3daemon.streams.pool import IAskedPool
from s3daemon.wire import target


@attrs.frozen
class Settings:
    """What the operator chose for the tree.

    :ivar endpoints: base paths and their personalities.
    :ivar domains: for virtual-host style; empty for path style only.
    :ivar read_rate: bytes a second that all GetObject answers of this process send together;
        0 for no bound.
    :ivar read_rate_each: bytes a second that one GetObject answer sends; 0 for no bound.
    :ivar blanks_after: seconds after which a long Complete or Copy sends blanks to keep clients
        and balancers from giving up; 0 for never.
    """

    endpoints: Sequence[target.Endpoint]
    domains: Sequence[str] = ()
    region: str = "us-east-1"
    limits: Limits = Limits()
    blanks_after: float = 10.0
    read_rate: int = 0
    read_rate_each: int = 0


@attrs.frozen
class Pools:
    """Threads for small requests, for those that may run long, and for digests of large bodies."""

    light: IAskedPool
    heavy: IAskedPool
    aside: Aside | None = None
