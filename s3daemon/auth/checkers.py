"""Checkers: ways to find out who sends a request, found as plug-ins of Twisted.

A plug-in is an object in a module of the package ``twisted.plugins`` that provides
:class:`ICheckerPlugin` and Twisted's ``IPlugin``.  What comes with s3gate comes through the same
door.  Source: Twisted core howto, "The Twisted Plugin System".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.plugin import getPlugins
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface, implementer

from s3daemon.auth.credentials import ISignedRequest
from s3daemon.auth.users import Directory
from s3daemon.toml_file import SettingError, nearest
from s3daemon.wire.errors import InvalidAccessKeyId


@attrs.frozen
class Surroundings:
    """What a checker may need of the daemon.

    :ivar directory: the users of ``auth.credentials``; other ones at any time.
    :ivar region: the one that credential scopes have to name.
    :ivar sigv2: signatures of version 2 are wanted.
    :ivar now: the wall clock, in seconds.
    :ivar reactor: Twisted's, for the time and the network.
    """

    directory: Directory
    region: str
    sigv2: bool
    now: Callable[[], float]
    reactor: Any


class ICheckerPlugin(Interface):
    """Makes a checker.  Provide ``twisted.plugin.IPlugin`` as well."""

    name: str = Attribute("str: by which the settings name it: letters, digits, - and _.")
    settings: type[Any] = Attribute(
        "type: an attrs class whose fields are made by s3daemon.config_kinds.option; what the"
        " section [checker.NAME] may say, with defaults.  Paths among them are absolute."
    )

    def make(surroundings: Surroundings, settings: Any) -> ICredentialsChecker:
        """A checker for :class:`~s3daemon.auth.credentials.ISignedRequest`.

        Its ``requestAvatarId`` is called on the reactor's thread for every request and must not
        block.  It returns a :class:`~s3daemon.auth.caller.Caller`, an
        :class:`~s3daemon.auth.identity.Identity` or a canonical id, or a Deferred of one; or fails
        with an error of :mod:`s3daemon.wire.errors`, or with ``twisted.cred``'s LoginFailed.
        InvalidAccessKeyId means that it does not know the key, so that the next one is asked; every
        other failure is final.

        :raises s3daemon.toml_file.SettingError: the settings cannot be used.
        """


def find(name: str) -> Any:
    """The plug-in of this name.

    :raises SettingError: there is none, or more than one.
    """
    plugins = list(getPlugins(ICheckerPlugin))
    found = [plugin for plugin in plugins if plugin.name == name]
    if not found:
        known = nearest(name, [plugin.name for plugin in plugins])
        raise SettingError("", "", f"there is no checker {name!r} installed; {known}")
    if len(found) > 1:
        modules = ", ".join(sorted(type(plugin).__module__ for plugin in found))
        raise SettingError("", "", f"there is more than one checker {name!r}: in {modules}")
    return found[0]


@implementer(ICredentialsChecker)
class Chain:
    """Asks one checker after the other, until one knows the access key.

    Keys of our own users are for the first one alone: what is disabled here is disabled.

    :param first: checks our own users.
    :param further: are asked for keys that no user of ours has.
    """

    credentialInterfaces = (ISignedRequest,)

    def __init__(
        self,
        first: ICredentialsChecker,
        further: Sequence[ICredentialsChecker],
        directory: Directory,
    ) -> None:
        self._first = first
        self._further = further
        self._directory = directory

    def requestAvatarId(self, credentials: ISignedRequest) -> Any:
        """See :class:`ICredentialsChecker`.

        :raises InvalidAccessKeyId: nobody knows the key.
        """
        if self._directory.find(credentials.claim.access_key) is not None:
            return self._first.requestAvatarId(credentials)
        return self._ask(credentials, 0)

    def _ask(self, credentials: ISignedRequest, number: int) -> Deferred[Any]:
        checker = self._further[number]
        asked: Deferred[Any] = maybeDeferred(checker.requestAvatarId, credentials)
        if number + 1 == len(self._further):
            return asked
        return asked.addErrback(self._next, credentials, number + 1)

    def _next(self, failure: Failure, credentials: ISignedRequest, number: int) -> Deferred[Any]:
        failure.trap(InvalidAccessKeyId)
        return self._ask(credentials, number)
