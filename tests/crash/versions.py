"""What is put, and what is found: versions of objects that can be told from one another.

Every version says in each of its parts which one it is, so a mix of two is equal to none.
"""

from __future__ import annotations

import base64
import hashlib
import random

import attrs

from s3daemon.store.interfaces import Attributes, Checksum, ObjectInfo
from s3daemon.wire.grants import ALL_USERS, GROUP, READ, Grant, Grants, permits, private
from tests.store.tools import md5, md5_of_parts

OWNER = "alice"
TYPE = "content-type"

#: Of a content: nothing, a few bytes, some blocks, and more than one write takes.
SIZES = (0, 1, 700, 5_000, 5_000, 20_000, 140_000)


def _short(body: bytes) -> str:
    return f"{len(body)} bytes, {md5(body)[:8]}"


@attrs.frozen
class Version:
    """An object with all that a client gave, or is given.

    :ivar metadata: with one named ``version`` among it.
    :ivar sha256: a checksum of the content, in base64; None where the client sent none.
    :ivar public: everybody may read it.
    """

    body: bytes = attrs.field(repr=_short)
    etag: str
    content_type: str
    metadata: tuple[tuple[str, str], ...] = attrs.field(
        repr=lambda pairs: repr([(name, value[:20]) for name, value in pairs])
    )
    tags: tuple[tuple[str, str], ...] = attrs.field(repr=lambda tags: f"{len(tags)} tags")
    sha256: str | None = None
    public: bool = False

    @property
    def attributes(self) -> Attributes:
        """What a store is given besides the bytes."""
        return Attributes({TYPE: self.content_type}, dict(self.metadata), self.tags)

    @property
    def checksum(self) -> Checksum | None:
        """What a store is given of it."""
        return None if self.sha256 is None else Checksum("SHA256", self.sha256)


def make(rng: random.Random, number: int, *, empty: bool = False, long: bool = False) -> Version:
    """A version that no other call makes.

    :param number: another one each time.
    :param empty: without any bytes.
    :param long: with more metadata and tags than go into most extended attributes.
    """
    size = 0 if empty else rng.choice(SIZES)
    body = rng.randbytes(size)
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    return Version(
        body,
        md5(body),
        f"application/x-{number}",
        described(number, long),
        labelled(number, long),
        digest if rng.random() < 0.5 else None,
    )


def in_parts(rng: random.Random, number: int, bodies: tuple[bytes, ...]) -> Version:
    """A version made of parts."""
    return Version(
        b"".join(bodies),
        md5_of_parts(*bodies),
        f"application/x-{number}",
        described(number, rng.random() < 0.2),
        (),
    )


def described(number: int, long: bool = False) -> tuple[tuple[str, str], ...]:
    """Metadata that say which version it is."""
    pairs = [("version", str(number))]
    if long:
        pairs.append(("words", f"{number} " * (1_900 // len(f"{number} "))))
    return tuple((name, value.strip()) for name, value in pairs)


def labelled(number: int, long: bool = False) -> tuple[tuple[str, str], ...]:
    """Tags that do."""
    if long:
        return tuple((f"tag{i}", (f"{number}-" * 60)[:250]) for i in range(10))
    return (("version", str(number)),)


def list_of(public: bool) -> Grants | None:
    """An access control list that says so."""
    if not public:
        return None
    return (*private(OWNER), Grant(GROUP, ALL_USERS, READ))


def _sha256(checksum: Checksum | None) -> str | None:
    """Gateways add a checksum of another kind where a client sends none."""
    return checksum.value if checksum is not None and checksum.algorithm == "SHA256" else None


def seen(info: ObjectInfo, body: bytes) -> Version:
    """What a store gives for an object."""
    return Version(
        body,
        info.etag,
        info.attributes.system.get(TYPE, ""),
        tuple(sorted(info.attributes.metadata.items(), key=lambda pair: pair[0] != "version")),
        tuple(info.attributes.tags),
        _sha256(info.checksum),
        permits(info.attributes.acl or (), "", READ),
    )
