"""The checkers that need nothing but our own users: the modes of ``auth.mode``, as plug-ins."""

from __future__ import annotations

import attrs
from twisted.plugin import IPlugin
from zope.interface import implementer

from s3daemon.auth.checkers import ICheckerPlugin, Surroundings
from s3daemon.auth.signatures import SignatureChecker
from s3daemon.auth.signing_keys import LocalKeys
from s3daemon.auth.simple import SimpleChecker


@attrs.frozen
class NoSettings:
    """A checker that has none of its own."""


@implementer(IPlugin, ICheckerPlugin)
class Sigv4Plugin:
    """Mode sigv4: see :class:`SignatureChecker`."""

    name = "sigv4"
    settings = NoSettings

    def make(self, surroundings: Surroundings, settings: NoSettings) -> SignatureChecker:
        """See :class:`ICheckerPlugin`."""
        keys = LocalKeys(surroundings.directory, surroundings.now)
        secrets = keys if surroundings.sigv2 else None
        return SignatureChecker(keys, surroundings.region, surroundings.now, secrets)


@implementer(IPlugin, ICheckerPlugin)
class SimplePlugin:
    """Mode simple: see :class:`SimpleChecker`."""

    name = "simple"
    settings = NoSettings

    def make(self, surroundings: Surroundings, settings: NoSettings) -> SimpleChecker:
        """See :class:`ICheckerPlugin`."""
        return SimpleChecker(surroundings.directory, surroundings.now)
