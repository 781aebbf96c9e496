"""Certificates of TLS listeners, which may change under a running daemon.

TLS 1.2 and 1.3, keys exchanged on elliptic curves and ciphers with authentication only; no
compression, no renegotiation, no tickets.  Source: RFC 9325 (recommendations for TLS), sections 3
and 4.
"""

from __future__ import annotations

import datetime
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, IProtocolFactory
from twisted.internet.ssl import AcceptableCiphers, CertificateOptions, TLSVersion
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from s3daemon.config_listen import TlsFiles
from s3daemon.toml_file import SettingError

#: Of TLS 1.2, in OpenSSL's words; those of 1.3 are all as good.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

#: Bytes that are read of a file at most.
_LONGEST = 1 << 20

#: What clients may speak on top (RFC 7301).
PROTOCOLS = (b"http/1.1",)

_PEM_CERTIFICATE = re.compile(
    rb"-----BEGIN CERTIFICATE-----\s.+?-----END CERTIFICATE-----", re.DOTALL
)


@attrs.frozen
class Loaded:
    """A key and certificates that go together.

    :ivar context: of new connections.
    :ivar names: what the certificate is for.
    :ivar begins, ends: when it is valid.
    :ivar fingerprint: SHA-256 of the certificate.
    """

    context: SSL.Context
    names: tuple[str, ...]
    begins: datetime.datetime
    ends: datetime.datetime
    fingerprint: bytes

    def describe(self) -> str:
        """Names and end, for people."""
        names = ", ".join(self.names) or "no name"
        return f"for {names}, valid until {self.ends:%Y-%m-%d %H:%M:%S} UTC"


def load(files: TlsFiles) -> Loaded:
    """Read a key and its certificates; blocks.

    :raises SettingError: a file cannot be read, is not what it should be, others may read the key,
        or key and certificate do not belong together.
    """
    key, public = _key(files.key)
    certificates = _certificates(files.certificate)
    if files.chain is not None:
        certificates += _certificates(files.chain)
    leaf, *chain = certificates
    if _spki(leaf.to_cryptography().public_key()) != public:
        raise _wrong(
            files.key,
            f"is not the key of the first certificate in {files.certificate}: give the two that"
            " were made together, and the server's own certificate first",
        )
    try:
        options = CertificateOptions(
            privateKey=key,
            certificate=leaf,
            extraCertChain=chain,
            raiseMinimumTo=TLSVersion.TLSv1_2,
            acceptableCiphers=AcceptableCiphers.fromOpenSSLCipherString(CIPHERS),
            acceptableProtocols=list(PROTOCOLS),
        )
        # What OpenSSL does not like in the files it says here.
        context = options.getContext()
        context.set_options(SSL.OP_NO_RENEGOTIATION)
    except (SSL.Error, crypto.Error) as error:
        raise _wrong(files.certificate, f"cannot be used for TLS: {error}") from error
    return Loaded(
        context,
        _names(leaf.to_cryptography()),
        _time(leaf.get_notBefore()),
        _time(leaf.get_notAfter()),
        leaf.to_cryptography().fingerprint(hashes.SHA256()),
    )


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """What the connections of one listener get; those that are made already keep what they have.

    :ivar files: where it comes from.
    """

    def __init__(self, files: TlsFiles, now: Callable[[], float]) -> None:
        """Read the files; blocks.

        :param now: seconds since the epoch.
        :raises SettingError: they cannot be used.
        """
        self.files = files
        self._now = now
        self._log = Logger(namespace="s3daemon.tls", source=self)
        self._loaded = load(files)
        self._warn()

    def describe(self) -> str:
        """What it is for, and how long."""
        return self._loaded.describe()

    def use(self, loaded: Loaded) -> list[str]:
        """Take it for handshakes from now on; what has changed."""
        before, self._loaded = self._loaded, loaded
        self._warn()
        if before.fingerprint == loaded.fingerprint:
            return []
        return [f"new connections get the new one, {loaded.describe()}"]

    def _warn(self) -> None:
        now = datetime.datetime.fromtimestamp(self._now(), datetime.UTC)
        if not self._loaded.begins <= now < self._loaded.ends:
            self._log.warn(
                "the certificate in {file} is not valid now, and clients will refuse it: {which}",
                file=self.files.certificate,
                which=self._loaded.describe(),
            )

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """One more connection."""
        return SSL.Connection(self._loaded.context, None)


class TlsFactory(TLSMemoryBIOFactory):
    """Puts TLS beneath the protocols of another factory."""

    # Not the one that gathers small writes until the reactor's next turn: we write heads and
    # bodies together, and what is held back cannot be paused.
    protocol = TLSMemoryBIOProtocol

    def __init__(self, certificates: Certificates, wrapped: IProtocolFactory) -> None:
        TLSMemoryBIOFactory.__init__(self, certificates, False, wrapped)


# ---------------------------------------------------------------- files


def _wrong(file: Path, problem: str) -> SettingError:
    return SettingError(str(file), "server.listen", problem)


def _read(file: Path, secret: bool = False) -> bytes:
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        # The mode is asked of what was opened: the name may lead elsewhere by now.
        with open(fd, "rb") as opened:
            mode = stat.S_IMODE(os.fstat(fd).st_mode)
            data = opened.read(_LONGEST)
    except OSError as error:
        raise _wrong(file, f"cannot be read: {error.strerror}") from error
    if secret and mode & 0o007:
        raise _wrong(
            file,
            f"anybody on this machine may use this private key (mode {mode:04o}):"
            f" chmod o= {file}, and make a new key if others have been there",
        )
    return data


def _key(file: Path) -> tuple[crypto.PKey, bytes]:
    """A private key, and its public part."""
    data = _read(file, secret=True)
    try:
        found = load_pem_private_key(data, password=None)
        # By way of the text: some versions of pyOpenSSL take only some kinds of objects.
        return crypto.load_privatekey(crypto.FILETYPE_PEM, data), _spki(found.public_key())
    except TypeError:
        raise _wrong(
            file, f"is encrypted, and nobody is here to type: openssl pkey -in {file} -out PLAIN"
        ) from None
    except (ValueError, UnsupportedAlgorithm, crypto.Error):
        # The reason is left out: it may quote what is in the file.
        raise _wrong(file, "holds no private key in PEM (-----BEGIN PRIVATE KEY-----)") from None


def _certificates(file: Path) -> list[crypto.X509]:
    found = _PEM_CERTIFICATE.findall(_read(file))
    if not found:
        raise _wrong(file, "holds no certificate in PEM (-----BEGIN CERTIFICATE-----)")
    try:
        return [crypto.load_certificate(crypto.FILETYPE_PEM, one) for one in found]
    except (ValueError, crypto.Error):
        raise _wrong(file, "holds a certificate that is damaged: copy it again") from None


def _spki(public: Any) -> bytes:
    found: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return found


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return ()
    found = extension.value
    return (
        *found.get_values_for_type(x509.DNSName),
        *map(str, found.get_values_for_type(x509.IPAddress)),
    )


def _time(text: bytes | None) -> datetime.datetime:
    """ASN.1 GENERALIZEDTIME, as X.509 restricts it: YYYYMMDDhhmmssZ."""
    found = datetime.datetime.strptime((text or b"").decode("ascii"), "%Y%m%d%H%M%SZ")
    return found.replace(tzinfo=datetime.UTC)
