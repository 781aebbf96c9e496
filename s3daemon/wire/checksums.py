"""The checksums of S3: their algorithms, names and values.

Source: S3 user guide, "Checking object integrity for data uploads"; S3 API reference, data type
``Checksum``.

A value is the digest in base64, of the CRCs and XXHASHes big-endian.  An object that was uploaded
in parts has a checksum of one of two kinds: ``FULL_OBJECT``, that of all its bytes, which only CRCs
can be joined to; or ``COMPOSITE``, that of the digests of its parts, with ``-N`` behind it.

=========  ======================================================================================
zlib       CRC32
hashlib    SHA1, SHA256, SHA512, MD5
awscrt     CRC32C, CRC64NVME (older releases have not the latter)
crcmod     CRC32C, CRC64NVME where awscrt is missing or too old; only with its C extension
xxhash     XXHASH64, XXHASH3, XXHASH128
=========  ======================================================================================

The last three are packages of their own.  An algorithm whose package is missing is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib import import_module
from types import MappingProxyType, ModuleType
from typing import Protocol

import attrs

from s3daemon.wire import crc, errors

FULL_OBJECT = "FULL_OBJECT"
COMPOSITE = "COMPOSITE"

#: Imports a module by its name, or raises ImportError.
Load = Callable[[str], ModuleType]


class Hasher(Protocol):
    """A digest under way.  Large updates let go of the interpreter lock where the library can."""

    def update(self, data: bytes, /) -> None:
        """Take the next bytes."""

    def digest(self) -> bytes:
        """The digest of all bytes so far."""


@attrs.frozen
class Algorithm:
    """One checksum algorithm.

    :ivar name: as the S3 API writes it, ``CRC32``.
    :ivar size: bytes of a digest.
    :ivar make: begins a digest; None where no library for it is installed.
    :ivar package: what has to be installed for it, "" for nothing.
    :ivar cheap: costs next to nothing beside the MD5 that every body is hashed with anyway.
    :ivar crc: how digests are joined, None where they cannot be.
    """

    name: str
    size: int
    make: Callable[[], Hasher] | None
    package: str = ""
    cheap: bool = False
    crc: crc.Crc | None = None

    @property
    def header(self) -> str:
        """The header field or trailer that carries a value."""
        return "x-amz-checksum-" + self.name.lower()

    @property
    def element(self) -> str:
        """The element of a document that carries a value."""
        return "Checksum" + self.name


_CrcFunction = Callable[[bytes, int], int]


class _Running:
    """A CRC as a :class:`Hasher`."""

    __slots__ = ("_function", "_size", "_value")

    def __init__(self, function: _CrcFunction, size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


def available(load: Load = import_module) -> Mapping[str, Algorithm]:
    """All algorithms by name, each with the best library there is for it.

    :param load: finds the packages.
    """
    aws, xxh = _module(load, "awscrt.checksums"), _module(load, "xxhash")
    found = [
        Algorithm("CRC32", 4, partial(_Running, zlib.crc32, 4), cheap=True, crc=crc.CRC32),
        _crc(load, aws, "CRC32C", crc.CRC32C),
        _crc(load, aws, "CRC64NVME", crc.CRC64NVME),
        Algorithm("SHA1", 20, partial(hashlib.sha1, usedforsecurity=False)),
        Algorithm("SHA256", 32, hashlib.sha256),
        Algorithm("SHA512", 64, hashlib.sha512),
        Algorithm("MD5", 16, partial(hashlib.md5, usedforsecurity=False)),
    ]
    for name, size, function in (
        ("XXHASH64", 8, "xxh64"),
        ("XXHASH3", 8, "xxh3_64"),
        ("XXHASH128", 16, "xxh3_128"),
    ):
        found.append(Algorithm(name, size, getattr(xxh, function, None), "xxhash", cheap=True))
    return MappingProxyType({algorithm.name: algorithm for algorithm in found})


def _crc(load: Load, aws: ModuleType | None, name: str, kind: crc.Crc) -> Algorithm:
    size = kind.width // 8
    function: _CrcFunction | None = getattr(aws, name.lower(), None)
    cheap = function is not None
    # Without its extension crcmod takes 0.2 s for a MiB and holds the interpreter lock.
    if function is None and _module(load, "crcmod._crcfunext") is not None:
        generator = 1 << kind.width | int(f"{kind.polynomial:0{kind.width}b}"[::-1], 2)
        ones = (1 << kind.width) - 1
        function = load("crcmod").mkCrcFun(generator, initCrc=0, rev=True, xorOut=ones)
    make = None if function is None else partial(_Running, function, size)
    return Algorithm(name, size, make, "awscrt, a recent release", cheap, kind)


def _module(load: Load, name: str) -> ModuleType | None:
    try:
        return load(name)
    except ImportError:
        return None


#: What S3 knows, by name.
ALGORITHMS: Mapping[str, Algorithm] = available()

#: Name of the header field or trailer -> algorithm.
HEADERS: Mapping[str, Algorithm] = MappingProxyType({a.header: a for a in ALGORITHMS.values()})

#: What is computed for a body for which the client names nothing, as S3 does; None where the
#: library for it is missing or slow.
DEFAULT: Algorithm | None = ALGORITHMS["CRC64NVME"] if ALGORITHMS["CRC64NVME"].cheap else None


def hasher(algorithm: str) -> Hasher:
    """Begin a digest.

    :raises errors.NotImplemented: the library for it is not installed here.
    :raises KeyError: S3 has no such algorithm.
    """
    return hasher_of(ALGORITHMS[algorithm])


def hasher_of(algorithm: Algorithm) -> Hasher:
    """Begin a digest.  :raises errors.NotImplemented: the library for it is not installed here."""
    return require(algorithm)()


def require(algorithm: Algorithm) -> Callable[[], Hasher]:
    """What begins a digest.

    :raises errors.NotImplemented: the library for it is not installed here.
    """
    if algorithm.make is None:
        raise errors.NotImplemented(
            f"This server cannot compute {algorithm.name} checksums; use another algorithm. "
            f"Its operator can install the Python package {algorithm.package}.",
            detail={"Header": algorithm.header},
        )
    return algorithm.make


def encode(digest: bytes) -> str:
    """A digest as it goes over the wire."""
    return base64.b64encode(digest).decode("ascii")


def decode(algorithm: str, value: str) -> bytes:
    """The digest in a value.

    :raises ValueError: not base64, or not of the length of this algorithm.
    :raises KeyError: S3 has no such algorithm.
    """
    try:
        digest = base64.b64decode(value.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        digest = b""
    if len(digest) != ALGORITHMS[algorithm].size:
        raise ValueError(f"no {algorithm} value in base64")
    return digest


def supports_full_object(algorithm: str) -> bool:
    """Whether a multipart object can have a checksum of all its bytes."""
    return ALGORITHMS[algorithm].crc is not None


def supports_composite(algorithm: str) -> bool:
    """Whether a multipart object can have a checksum of its parts' checksums."""
    return algorithm != "CRC64NVME"


def combine(algorithm: str, parts: Iterable[tuple[bytes, int]]) -> bytes:
    """The digest of what the parts make together, in their order, without their bytes.

    :param parts: (digest, length in bytes) of each.
    :raises ValueError: digests of this algorithm cannot be joined.
    """
    kind = ALGORITHMS[algorithm]
    if kind.crc is None:
        raise ValueError(f"digests of {algorithm} cannot be joined")
    whole = kind.crc.combine([(int.from_bytes(digest, "big"), length) for digest, length in parts])
    return whole.to_bytes(kind.size, "big")


def composite(algorithm: str, digests: Sequence[bytes]) -> str:
    """The value of a multipart object's composite checksum: ``base64-N``.

    :param digests: of the parts, in their order.
    :raises errors.NotImplemented: the library for it is not installed here.
    """
    digest = hasher(algorithm)
    digest.update(b"".join(digests))
    return f"{encode(digest.digest())}-{len(digests)}"
