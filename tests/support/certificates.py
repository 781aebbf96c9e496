"""Keys and certificates for tests: small, quick, and trusted by nobody else."""

from __future__ import annotations

import datetime
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

#: Time at which they are made; they are valid for 30 days from a day before it.
NOW = 1_900_000_000.0

_DAY = datetime.timedelta(days=1)


@attrs.frozen
class Pair:
    """A key and a certificate, in PEM."""

    key: bytes
    certificate: bytes

    def write(self, directory: Path, name: str = "tls") -> tuple[Path, Path]:
        """(file of the key, file of the certificate), as they should be."""
        key, certificate = directory / f"{name}.key", directory / f"{name}.pem"
        key.touch(mode=0o600)
        key.write_bytes(self.key)
        certificate.write_bytes(self.certificate)
        return key, certificate


def _private(
    kind: str,
) -> ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey:
    if kind == "rsa":
        return rsa.generate_private_key(65537, 2048)
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1())


@attrs.define
class Authority:
    """Signs certificates."""

    key: ec.EllipticCurvePrivateKey = attrs.field(
        factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    now: float = NOW

    @classmethod
    def today(cls) -> Authority:
        """One whose certificates are valid for clients that look at the clock."""
        return cls(now=datetime.datetime.now(datetime.UTC).timestamp())

    def _name(self) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])

    def _builder(self, name: x509.Name) -> x509.CertificateBuilder:
        now = datetime.datetime.fromtimestamp(self.now, datetime.UTC).replace(tzinfo=None)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _DAY)
            .not_valid_after(now + 30 * _DAY)
        )

    @property
    def certificate(self) -> bytes:
        """The authority's own, in PEM."""
        own = (
            self._builder(self._name())
            .public_key(self.key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        return own.public_bytes(serialization.Encoding.PEM)

    def issue(self, name: str = "localhost", kind: str = "ec", password: str = "") -> Pair:
        """A new key and its certificate."""
        key = _private(kind)
        certificate = (
            self._builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .public_key(key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if password:
            encryption = serialization.BestAvailableEncryption(password.encode())
        return Pair(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
            ),
            certificate.public_bytes(serialization.Encoding.PEM),
        )
