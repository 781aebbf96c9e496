"""The checker "http": signing keys come from a service, which the section [checker.http] names."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
from OpenSSL.crypto import Error
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.plugin import IPlugin
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from zope.interface import implementer

from s3daemon import config_kinds as kinds
from s3daemon.auth import credentials_file
from s3daemon.auth.checkers import ICheckerPlugin, Surroundings
from s3daemon.auth.signatures import SignatureChecker
from s3daemon.config_kinds import option
from s3daemon.toml_file import SettingError

#: Connections to the service that are kept open, and for how many seconds.
_CONNECTIONS = 8
_IDLE = 60

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@attrs.frozen
class HttpSettings:
    """What the section may say; times in seconds.

    :ivar url: of the service; https, but on the loopback address.
    :ivar token_file: what is in it is sent as a bearer token; ``Path()`` for none.
    :ivar ca_file: certificates in PEM that may vouch for the service; ``Path()``: the system's.
    :ivar timeout: for a question and its answer.
    :ivar keep: for which a key is good without asking again.
    :ivar keep_unknown: for which a key that is not there is not asked for again.
    :ivar at_once: questions under way.
    """

    url: str = option(kinds.text(r"https?://[^\s@#?]+|", "an address such as https://keys/v1"), "")
    token_file: Path = option(kinds.path('a path of a file, or "" for none'), Path())
    ca_file: Path = option(kinds.path('a path of a file, or "" for those of the system'), Path())
    timeout: float = option(kinds.duration(0.1, 60), 5.0)
    keep: float = option(kinds.duration(1, 86400, zero="never"), 60.0)
    keep_unknown: float = option(kinds.duration(1, 3600, zero="never"), 10.0)
    at_once: int = option(kinds.integer(1, 1024), 32)


@implementer(IPlugin, ICheckerPlugin)
class HttpPlugin:
    """See :class:`ICheckerPlugin`."""

    name = "http"
    settings = HttpSettings

    def make(self, surroundings: Surroundings, settings: HttpSettings) -> SignatureChecker:
        """See :class:`ICheckerPlugin`."""
        _check_url(settings.url)
        try:
            from s3daemon.checkers.http_client import KeyService, client
            from s3daemon.checkers.http_keys import HttpKeys
        except ImportError as error:
            raise SettingError(
                "",
                "auth.checkers",
                f"the checker http needs treq, which cannot be imported ({error}): install it with"
                " pip install 's3gate[http-auth]', or apt-get install python3-treq",
            ) from error
        service = KeyService(
            client(_agent(surroundings.reactor, settings.ca_file)),
            settings.url,
            _token(settings.token_file),
            settings.timeout,
            surroundings.reactor,
        )
        keys = HttpKeys(
            service.ask,
            surroundings.reactor.seconds,
            settings.keep,
            settings.keep_unknown,
            settings.at_once,
        )
        return SignatureChecker(keys, surroundings.region, surroundings.now)


def _refuse(key: str, problem: str) -> SettingError:
    return SettingError("", f"checker.http.{key}", problem)


def _check_url(url: str) -> None:
    if not url:
        raise _refuse("url", "is missing: say where the key service is")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise _refuse("url", f"is no address: {error}") from None
    if not host:
        raise _refuse("url", "is no address: it names no host")
    if parts.scheme == "http" and not _is_loopback(host):
        raise _refuse(
            "url",
            "has to be https: signing keys are secrets, and http is for the loopback address alone",
        )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token(file: Path) -> str:
    if not file.is_absolute():
        return ""
    text = credentials_file.read(file).decode("latin-1").strip()
    if not re.fullmatch(r"[A-Za-z0-9._~+/-]+=*", text):
        raise SettingError(str(file), "", "is no bearer token (RFC 6750, section 2.1)")
    return text


def _agent(reactor: Any, ca_file: Path) -> Agent:
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = _CONNECTIONS
    pool.cachedConnectionTimeout = _IDLE
    policy = BrowserLikePolicyForHTTPS(_trusted(ca_file))
    return Agent(reactor, policy, pool=pool)


def _trusted(file: Path) -> Any:
    """Whom to trust, as Twisted wants it; None: whom the system trusts."""
    if not file.is_absolute():
        return None
    try:
        found = [Certificate.loadPEM(pem) for pem in _PEM.findall(file.read_bytes())]
    except OSError as error:
        raise SettingError(str(file), "", f"cannot be read: {error.strerror}") from error
    except Error as error:
        raise SettingError(str(file), "", "holds a certificate that cannot be read") from error
    if not found:
        raise SettingError(str(file), "", "holds no certificate in PEM")
    return trustRootFromCertificates(found)
