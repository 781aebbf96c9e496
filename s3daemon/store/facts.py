"""What may be so in a store: storage facts, raised as exceptions.

They know nothing of S3: ``actions/translate.py`` says which S3 error each one is.
"""

from __future__ import annotations


class StorageError(Exception):
    """Something is so, in the store; the text says what, for the log and never for the client."""


class NoSuchBucket(StorageError):
    """There is no directory that could be this bucket."""


class BucketExists(StorageError):
    """A bucket of that name is there already."""


class BucketNotEmpty(StorageError):
    """The bucket holds objects or uploads."""


class BadBucketName(StorageError):
    """No directory can have this name, or a file has it."""


class NoSuchKey(StorageError):
    """There is no object of that key."""


class KeyTooLong(StorageError):
    """The key is longer than a key may be, or than this file system can hold even escaped."""


class BadKey(StorageError):
    """The text is no key (empty, holds NUL)."""


class ObjectExists(StorageError):
    """Create-only was asked for, and the key is taken."""


class ConditionFailed(StorageError):
    """What a write was made to depend on is not so.

    :ivar field: the first field of the :class:`~s3daemon.store.values.Condition` that does not
        hold.
    """

    def __init__(self, field: str) -> None:
        super().__init__(f"the object's {field} is not as demanded")
        self.field = field


class ConditionConflict(StorageError):
    """Others were writing the same key, so that a condition could not be decided; try again."""


class ConditionUnsupported(StorageError):
    """A condition would need a lock between processes, and none has been proved here."""


class NoSuchUpload(StorageError):
    """The upload was never begun under this key, or has been completed or aborted."""


class InvalidPart(StorageError):
    """A listed part was not uploaded, or not with that ETag."""


class PartTooSmall(StorageError):
    """A part that is not the last is below the least size.

    :ivar number: the part; :ivar size: its bytes; :ivar etag: its ETag.
    """

    def __init__(self, number: int, size: int, etag: str) -> None:
        super().__init__(f"part {number} has {size} bytes")
        self.number = number
        self.size = size
        self.etag = etag


class OutOfSpace(StorageError):
    """No bytes, no inodes or no quota is left (ENOSPC, EDQUOT)."""


class ReadOnly(StorageError):
    """The file system is mounted read-only (EROFS)."""


class AccessRefused(StorageError):
    """The kernel refused the daemon (EACCES, EPERM)."""


class Busy(StorageError):
    """Out of descriptors, or a race was lost too often; trying again may help (EMFILE, EAGAIN)."""


class Unavailable(StorageError):
    """The device or the server behind the file system failed (EIO, ESTALE, ETIMEDOUT ...)."""


class Replaced(Unavailable):
    """An open version cannot be read any more, because another node has put a newer one in its
    place, or none: opening it anew may help."""


class Corrupt(StorageError):
    """A record of ours cannot be understood."""
