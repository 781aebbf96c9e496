"""The root of a tree of services."""

from __future__ import annotations

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.logger import Logger


class Root(MultiService):
    """Starts its children in order, and stops them in the opposite order, one after the other."""

    def stopService(self) -> Deferred[None]:
        """Fires when the last child has stopped."""
        Service.stopService(self)
        return ensureDeferred(self._stop())

    async def _stop(self) -> None:
        for service in reversed(list(self)):
            try:
                await maybeDeferred(service.stopService)
            except Exception:  # noqa: BLE001 - what cannot stop must not keep the others running
                Logger(namespace="s3daemon.service").failure("stopping {name}", name=service.name)
