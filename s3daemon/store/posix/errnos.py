"""What errors of the kernel say about the storage."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from s3daemon.store.interfaces import (
    AccessRefused,
    Busy,
    KeyTooLong,
    OutOfSpace,
    ReadOnly,
    StorageError,
    Unavailable,
)

P = ParamSpec("P")
T = TypeVar("T")

#: What a shared file system says of an open file that another node has removed or replaced: NFS and
#: GlusterFS the first, JuiceFS the second.
GONE = frozenset((errno.ESTALE, errno.ENOENT))

_FACTS: dict[int, type[StorageError]] = {
    errno.ENOSPC: OutOfSpace,
    errno.EDQUOT: OutOfSpace,
    errno.EMLINK: OutOfSpace,
    errno.EFBIG: OutOfSpace,
    errno.EROFS: ReadOnly,
    errno.EACCES: AccessRefused,
    errno.EPERM: AccessRefused,
    errno.EMFILE: Busy,
    errno.ENFILE: Busy,
    errno.EAGAIN: Busy,
    errno.EBUSY: Busy,
    errno.ENOMEM: Busy,
    errno.ENAMETOOLONG: KeyTooLong,
}


def fact(exc: OSError) -> StorageError:
    """What an error of the kernel says about the storage; unknown ones make it Unavailable."""
    kind = _FACTS.get(exc.errno or 0, Unavailable)
    name = errno.errorcode.get(exc.errno or 0, "no errno")
    return kind(f"{exc} ({name})")


def facts(method: Callable[P, T]) -> Callable[P, T]:
    """Decorator: errors of the kernel leave the method as facts of storage."""

    @functools.wraps(method)
    def translated(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except OSError as exc:
            raise fact(exc) from exc

    return translated
