"""The algorithms against published values, and joining against the whole."""

from __future__ import annotations

import base64
import hashlib
import itertools
import zlib
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import checksums, errors
from s3daemon.wire.checksums import ALGORITHMS

CRCS = ("CRC32", "CRC32C", "CRC64NVME")

#: Of "123456789" (catalogue of parametrised CRC algorithms, "check"; FIPS 180-4 and RFC 1321
#: implementations), of the XXHASHes of "abc" (xxHash specification, with seed 0).
KNOWN = {
    "CRC32": (b"123456789", "cbf43926"),
    "CRC32C": (b"123456789", "e3069283"),
    "CRC64NVME": (b"123456789", "ae8b14860a799888"),
    "SHA1": (b"123456789", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
    "SHA256": (b"123456789", "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
    "SHA512": (
        b"123456789",
        "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a"
        "d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
    ),
    "MD5": (b"123456789", "25f9e794323b453885f5181f1b624d0b"),
    "XXHASH64": (b"abc", "44bc2cf5ad770999"),
    "XXHASH3": (b"abc", "78af5f94892f3950"),
    "XXHASH128": (b"abc", "06b05ab6733a618578af5f94892f3950"),
}


def digest(algorithm: str, data: bytes) -> bytes:
    """The digest of bytes."""
    made = checksums.hasher(algorithm)
    made.update(data)
    return made.digest()


def test_the_algorithms_are_those_of_the_api() -> None:
    """By name, by the name of their header field, and by that of their element."""
    model = botocore.session.get_session().get_service_model("s3")
    assert set(ALGORITHMS) == set(model.shape_for("ChecksumAlgorithm").enum)
    members = model.operation_model("PutObject").input_shape.members
    for algorithm in ALGORITHMS.values():
        assert members[algorithm.element].serialization["name"] == algorithm.header
        assert checksums.HEADERS[algorithm.header] is algorithm


@pytest.mark.parametrize("name", KNOWN)
def test_known_values(name: str) -> None:
    """In one piece and in several, and asked for twice."""
    data, expected = KNOWN[name]
    assert digest(name, data).hex() == expected
    assert ALGORITHMS[name].size * 2 == len(expected)
    pieces = checksums.hasher(name)
    for byte in data:
        pieces.update(bytes([byte]))
        pieces.digest()
    assert pieces.digest().hex() == expected


# -- joining -------------------------------------------------------------------------------


@given(st.sampled_from(CRCS), st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=80))
def test_joined_pieces_are_the_whole(name: str, data: bytes, cuts: list[int]) -> None:
    """Wherever it is cut, empty pieces too."""
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(bounds)]
    parts = [(digest(name, piece), len(piece)) for piece in pieces]
    assert checksums.combine(name, parts) == digest(name, data)


@pytest.mark.parametrize("name", CRCS)
@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 100])
def test_joined_parts_of_one_size(name: str, count: int) -> None:
    """With and without tables of their own; the last one is shorter."""
    data = hashlib.shake_256(b"s3").digest(max(count - 1, 0) * 7 + min(count, 1) * 3)
    pieces = [data[at : at + 7] for at in range(0, len(data), 7)]
    assert len(pieces) == count
    parts = [(digest(name, piece), len(piece)) for piece in pieces]
    assert checksums.combine(name, parts) == digest(name, data)


def test_joined_zeros_of_a_size_that_nobody_would_hash() -> None:
    """x^(8n) for a large n: twice the same 5 GiB in two ways."""
    five = 5 * 2**30
    some = (digest("CRC64NVME", b"some"), five)
    empty = (digest("CRC64NVME", b""), 0)
    assert checksums.combine("CRC64NVME", [some, empty]) == some[0]
    halves = checksums.combine("CRC64NVME", [some, some])
    assert checksums.combine("CRC64NVME", [(halves, 2 * five), some]) == checksums.combine(
        "CRC64NVME", [some, some, some]
    )


def test_what_cannot_be_joined() -> None:
    """Only CRCs have a checksum of the full object of many parts."""
    for name in ALGORITHMS:
        assert checksums.supports_full_object(name) == (name in CRCS)
        assert checksums.supports_composite(name) == (name != "CRC64NVME")
    with pytest.raises(ValueError, match="SHA256"):
        checksums.combine("SHA256", [(bytes(32), 1)])


def test_composite() -> None:
    """The digest of the binary digests, and how many there are."""
    parts = [hashlib.sha256(b"a").digest(), hashlib.sha256(b"b").digest()]
    whole = base64.b64encode(hashlib.sha256(parts[0] + parts[1]).digest()).decode()
    assert checksums.composite("SHA256", parts) == whole + "-2"


# -- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KNOWN)
def test_values(name: str) -> None:
    """Base64 and back."""
    found = digest(name, b"x")
    assert checksums.decode(name, checksums.encode(found)) == found


@pytest.mark.parametrize(
    "value",
    ["", "bad", "AAAA", "AAAAAA", "AAAAAAA=", "AAAAA===", " AAAAAA==", "AAAAAA==\n", "éAAAA=="],
)
def test_what_is_no_value(value: str) -> None:
    """Of CRC32: four bytes in base64, and nothing else."""
    assert checksums.decode("CRC32", "AAAAAA==") == bytes(4)
    with pytest.raises(ValueError):
        checksums.decode("CRC32", value)


# -- libraries -----------------------------------------------------------------------------------


def without(*missing: str) -> Any:
    """Finds modules, but not these."""

    def load(name: str) -> ModuleType:
        if name.partition(".")[0] in missing:
            raise ImportError(name)
        return import_module(name)

    return load


def test_without_any_package() -> None:
    """What Python itself has is there; the rest is refused with its reason."""
    found = checksums.available(without("awscrt", "crcmod", "xxhash"))
    assert found.keys() == ALGORITHMS.keys()
    missing = {name for name, algorithm in found.items() if algorithm.make is None}
    assert missing == {"CRC32C", "CRC64NVME", "XXHASH64", "XXHASH3", "XXHASH128"}
    with pytest.raises(errors.NotImplemented, match=r"CRC64NVME.*awscrt") as caught:
        checksums.hasher_of(found["CRC64NVME"])
    assert caught.value.detail == {"Header": "x-amz-checksum-crc64nvme"}


def test_an_old_library_knows_less() -> None:
    """awscrt of Debian 12 has no CRC64NVME."""
    old = SimpleNamespace(crc32c=zlib.crc32)

    def load(name: str) -> Any:
        if name == "awscrt.checksums":
            return old
        raise ImportError(name)

    found = checksums.available(load)
    assert found["CRC32C"].cheap
    assert found["CRC64NVME"].make is None


def test_crcmod_takes_the_place_of_what_is_missing() -> None:
    """With the parameters that its own catalogue would give; it is not cheap."""
    asked = []

    def make_function(generator: int, **parameters: Any) -> Any:
        asked.append((generator, parameters))
        return lambda data, value: len(data) + value

    def load(name: str) -> Any:
        if name in ("crcmod", "crcmod._crcfunext"):
            return SimpleNamespace(mkCrcFun=make_function)
        raise ImportError(name)

    found = checksums.available(load)
    assert asked == [
        (0x11EDC6F41, {"initCrc": 0, "rev": True, "xorOut": 2**32 - 1}),
        (0x1AD93D23594C93659, {"initCrc": 0, "rev": True, "xorOut": 2**64 - 1}),
    ]
    made = checksums.hasher_of(found["CRC64NVME"])
    made.update(b"abc")
    made.update(b"de")
    assert made.digest() == bytes([0, 0, 0, 0, 0, 0, 0, 5])
    assert not found["CRC64NVME"].cheap


def test_crcmod_itself() -> None:
    """Gives the published values, where it is installed."""
    pytest.importorskip("crcmod._crcfunext")
    found = checksums.available(without("awscrt"))
    for name in ("CRC32C", "CRC64NVME"):
        data, expected = KNOWN[name]
        made = checksums.hasher_of(found[name])
        made.update(data)
        assert made.digest().hex() == expected
