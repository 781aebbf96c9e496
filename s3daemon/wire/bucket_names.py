"""Which names a new bucket may have.

Two rules.  The *strict* one is S3's own (S3 user guide, "General purpose bucket naming rules").
The *lax* one admits every text that can be the name of a directory and cannot be mistaken for
something of this gateway's.  ``a:b`` addresses the directory ``a/b`` as a bucket: S3 knows no such
names, so each of its parts is judged by the lax rule alone.

Only CreateBucket asks here.  A directory that is there already is reachable whatever it is called,
unless the store keeps its name for itself.
"""

from __future__ import annotations

import re

from s3daemon.wire import errors

#: Separates the directories of a nested bucket.
SEPARATOR = ":"

#: First path segments that the gateway serves itself, at the root of its port.
RESERVED = frozenset({"api", "healthz", "readyz"})

#: Directories in which the store keeps its own files.
RESERVED_DIRECTORIES = frozenset({"_s3_multipart_tmp"})

#: The longest name of a directory entry in bytes (NAME_MAX, limits.h).
MAX_NAME_BYTES = 255

_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_STRICT = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f/]")


def check(name: str, *, strict: bool) -> None:
    """Accept the name of a new bucket, or say why not.

    :param strict: S3's rules too, for a name without ``:``.
    :raises errors.InvalidBucketName: with a message that names the rule.
    """
    parts = name.split(SEPARATOR)
    reason = _reserved(parts[0])
    for part in parts:
        reason = reason or _lax(part)
    if strict and len(parts) == 1:
        reason = reason or _strict(name)
    if reason:
        raise errors.InvalidBucketName(
            f"The specified bucket is not valid: {reason}.", detail={"BucketName": name}
        )


def _reserved(first: str) -> str:
    return f"{first} is reserved for this gateway" if first in RESERVED else ""


def _lax(part: str) -> str:
    if not part:
        return "a name must not be empty"
    if part.startswith("."):
        return "a name must not begin with a period"
    if part in RESERVED_DIRECTORIES:
        return f"{part} is reserved for this gateway"
    if _UNPRINTABLE.search(part):
        return "a name must not hold a slash or a control character"
    if len(part.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        return f"a name must not be longer than {MAX_NAME_BYTES} bytes"
    return ""


def _strict(name: str) -> str:
    if not 3 <= len(name) <= 63:
        return "a name has 3 to 63 characters"
    if not _STRICT.fullmatch(name):
        return (
            "a name holds lower-case letters, digits, hyphens and single periods between letters "
            "or digits, and begins and ends with a letter or digit"
        )
    if _ADDRESS.fullmatch(name):
        return "a name must not look like an IP address"
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            return f"a name must not begin with {prefix}"
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return f"a name must not end with {suffix}"
    return ""
