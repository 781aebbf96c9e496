"""What goes in and out of a store: frozen values."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from s3daemon.wire.grants import Grants

#: The longest key, in bytes of UTF-8 (S3 user guide, "Object key naming guidelines").
MAX_KEY_BYTES = 1024


def _frozen_map(value: Mapping[str, str]) -> Mapping[str, str]:
    return dict(value)


@attrs.frozen
class Attributes:
    """What a client says about an object besides its bytes.

    :ivar system: the headers S3 keeps and gives back, by lower-case name: ``content-type``,
        ``content-encoding``, ``content-disposition``, ``content-language``, ``cache-control``,
        ``expires``.  Absent means not given.
    :ivar metadata: user metadata, by lower-case name without ``x-amz-meta-``.
    :ivar tags: the tag set, in the order given.
    :ivar acl: the access control list; None where none was ever put, and so for the owner alone.
    """

    system: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen_map)
    metadata: Mapping[str, str] = attrs.field(factory=dict, converter=_frozen_map)
    tags: tuple[tuple[str, str], ...] = ()
    acl: Grants | None = None


@attrs.frozen
class Checksum:
    """An additional checksum of a content.

    Source: S3 user guide, "Checking object integrity".

    :ivar algorithm: as the S3 API names it: ``CRC32``, ``CRC32C``, ``CRC64NVME``, ``SHA1``,
        ``SHA256`` ...
    :ivar value: base64; of a composite one with ``-N`` behind it for N parts.
    :ivar kind: ``FULL_OBJECT`` or ``COMPOSITE``.
    """

    algorithm: str
    value: str
    kind: str = "FULL_OBJECT"


@attrs.frozen
class Condition:
    """What has to be so at the moment of a write, for the write to happen.

    All that is given has to hold for the object that the key has at that moment; a directory that
    nobody put as an object is none.  :func:`s3daemon.store.conditions.check` is what it means.

    :ivar create_only: there is no object.
    :ivar etag: there is an object with this ETag, bare; ``*`` for any object.
    :ivar not_etag: there is no object with this ETag.
    :ivar size: the object, if there is one, has so many bytes.
    :ivar modified_s: the object, if there is one, was last modified in this second since the epoch.
    """

    create_only: bool = False
    etag: str | None = None
    not_etag: str | None = None
    size: int | None = None
    modified_s: int | None = None

    @property
    def compares(self) -> bool:
        """Whether it depends on what the object is, and not only on whether there is one."""
        wanted = (self.etag, self.not_etag, self.size, self.modified_s)
        return any(field is not None for field in wanted)


#: No condition.
ALWAYS = Condition()


@attrs.frozen
class BucketInfo:
    """A bucket as it is now.

    :ivar owner: canonical id of the owner; None for a directory that no S3 client made; "" where
        nobody can tell, because what was recorded of the bucket is damaged.
    :ivar created_ns: when it was made.
    :ivar tags: the bucket's tag set, or None where none was ever put (S3: NoSuchTagSet).
    :ivar acl: the access control list; None where none was ever put, and so for the owner alone.
    :ivar ownership: ``BucketOwnerEnforced`` or ``BucketOwnerPreferred``; None where an object is
        its writer's.
    :ivar durability: the bucket's own level of durability; None where it has the store's.
    """

    name: str
    owner: str | None
    created_ns: int
    tags: tuple[tuple[str, str], ...] | None = None
    acl: Grants | None = None
    ownership: str | None = None
    durability: str | None = None


@attrs.frozen
class ObjectInfo:
    """An object as it was at one moment; all fields belong to one version of it.

    :ivar size: bytes of content.
    :ivar modified_ns: last modification of the content.
    :ivar etag: MD5 in hex; ``MD5-N`` for N parts; for content that was changed or made outside S3 a
        token with a dash in it that changes whenever the file does.
    :ivar owner: canonical id of who put it, None when no S3 client did.
    :ivar part_sizes: for a multipart object the size of each part in order, else empty.
    :ivar part_checksums: of a multipart object the checksum of each part, in base64 and made with
        the algorithm of the object's own; empty where not all parts have one.
    :ivar upload_id: the upload that made it, for an idempotent Complete; else None.
    :ivar folder: True for a directory that nobody put as an object (the alluxio personality shows
        it as a zero-byte ``name/``, the aws personality does not know it).
    :ivar checksum: of the content, or None.
    """

    key: str
    size: int
    modified_ns: int
    etag: str
    attributes: Attributes = Attributes()
    owner: str | None = None
    part_sizes: tuple[int, ...] = ()
    upload_id: str | None = None
    folder: bool = False
    checksum: Checksum | None = None
    part_checksums: tuple[str, ...] = ()


@attrs.frozen
class ListQuery:
    """Which page of a listing is wanted.

    :ivar prefix: only keys that begin with it.
    :ivar delimiter: keys with the delimiter after the prefix are rolled up; "" for none.
    :ivar after: exclusive: keys and common prefixes that sort after it (UTF-8 byte order).
    :ivar max_keys: at most so many keys and common prefixes together; 0 gives an empty page.
    :ivar folders: list implicit directories too, as zero-byte keys ``name/``, and let an empty one
        be a common prefix.
    """

    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    max_keys: int = 1000
    folders: bool = False


@attrs.frozen
class ListPage:
    """One page, in UTF-8 byte order.

    :ivar objects: keys of the page.
    :ivar prefixes: common prefixes of the page.
    :ivar next_after: the ``after`` of the next page (the last key or prefix of this one) when there
        is more, else None.
    """

    objects: tuple[ObjectInfo, ...] = ()
    prefixes: tuple[str, ...] = ()
    next_after: str | None = None


@attrs.frozen
class UploadInfo:
    """A multipart upload under way.

    :ivar checksum_algorithm: what the client wants the object's checksum to be made with; None
        when it has named nothing.
    :ivar checksum_type: ``COMPOSITE`` or ``FULL_OBJECT`` where an algorithm is named, else None.
    """

    key: str
    upload_id: str
    owner: str | None
    initiated_ns: int
    attributes: Attributes = Attributes()
    checksum_algorithm: str | None = None
    checksum_type: str | None = None


@attrs.frozen
class UploadsQuery:
    """Which page of a bucket's uploads is wanted; order is by key, then initiation, then upload id.

    :ivar after_key: exclusive when ``after_upload_id`` is "", else the uploads of this very key
        that sort after that upload, and those of later keys.
    :ivar owner: only uploads of this owner; None for all.
    """

    prefix: str = ""
    delimiter: str = ""
    after_key: str = ""
    after_upload_id: str = ""
    max_uploads: int = 1000
    owner: str | None = None


@attrs.frozen
class UploadsPage:
    """One page of uploads; ``next_key`` and ``next_upload_id`` are None on the last one."""

    uploads: tuple[UploadInfo, ...] = ()
    prefixes: tuple[str, ...] = ()
    next_key: str | None = None
    next_upload_id: str | None = None


@attrs.frozen
class PartInfo:
    """One stored part of an upload; ``checksum`` is that of its bytes, if one was made."""

    number: int
    size: int
    etag: str
    modified_ns: int
    checksum: Checksum | None = None


@attrs.frozen
class PartsPage:
    """Parts in order of their number; ``next_after`` is None on the last page."""

    parts: tuple[PartInfo, ...] = ()
    next_after: int | None = None
