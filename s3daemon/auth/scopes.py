"""Scopes: the buckets, and the prefixes in them, that bound what somebody can reach.

A scope bounds and never grants: what is in it still has to be the caller's, or be permitted.
"""

from __future__ import annotations

from collections.abc import Iterable

from s3daemon.wire.bucket_names import SEPARATOR


def place_of(bucket: str, key: str) -> tuple[str, str]:
    """The top-level bucket and the key there: ``a:b`` and ``k`` is ``a`` and ``b/k``.

    As a bucket within a bucket is one of its directories, both ways to name an object are one
    place.
    """
    top, nested, rest = bucket.partition(SEPARATOR)
    return (top, rest.replace(SEPARATOR, "/") + "/" + key) if nested else (bucket, key)


def reaches(scopes: Iterable[str], bucket: str, key: str, around: bool = False) -> bool:
    """Whether one of the scopes covers a key, or all keys that begin with a prefix.

    :param scopes: ``bucket`` or ``bucket/prefix``, with ``a:b`` for a bucket within a bucket.
    :param key: a key, the prefix of a listing, or "" for the bucket as a whole.
    :param around: a bucket, or directory, is covered too when a scope lies in it.
    """
    top, path = place_of(bucket, key)
    for scope in scopes:
        name, _, prefix = scope.partition("/")
        name, prefix = place_of(name, prefix)
        if name == top and (path.startswith(prefix) or (around and prefix.startswith(path))):
            return True
    return False
