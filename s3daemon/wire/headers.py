"""What a client says about an object in header fields, and how it is said back.

Sources: S3 API reference, PutObject and GetObject; S3 user guide, "Working with object metadata".

Metadata goes back byte for byte as it came: a client that sends RFC 2047 words gets those words,
one that sends UTF-8 gets UTF-8.  (S3 decodes the former and encodes again on the way out, which a
client cannot tell from keeping them, except that S3 turns raw UTF-8 into encoded words.)

Whatever asks for something that is not there yet is refused, never dropped: an object that a
client believes to be encrypted, locked or public has to be so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from s3daemon.wire import errors
from s3daemon.wire.awschunked import strip_aws_chunked
from s3daemon.wire.dates import http_date
from s3daemon.wire.errors import InvalidArgument, InvalidStorageClass, MetadataTooLarge
from s3daemon.wire.message import Fields, Personality, S3Request

_META = "x-amz-meta-"

#: The attributes S3 keeps, by lower-case name, with their spelling on the wire.
SYSTEM_FIELDS: Mapping[str, str] = {
    "cache-control": "Cache-Control",
    "content-disposition": "Content-Disposition",
    "content-encoding": "Content-Encoding",
    "content-language": "Content-Language",
    "content-type": "Content-Type",
    "expires": "Expires",
}

#: Classes that promise no more than STANDARD does, so that storing as STANDARD keeps the promise.
#: The archive classes promise a thaw before a read, and the others a place.
_STORAGE_CLASSES = frozenset(
    {
        "STANDARD",
        "REDUCED_REDUNDANCY",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER_IR",
    }
)

_REFUSED_PREFIXES = (
    "x-amz-server-side-encryption",
    "x-amz-copy-source-server-side-encryption",
    "x-amz-object-lock-",
)
_REFUSED = frozenset({"x-amz-website-redirect-location", "x-amz-write-offset-bytes"})

# field-value of RFC 9110 section 5.5 without what no header can carry: CR, LF, NUL and the other
# controls (TAB is one it may), and lone surrogates, save those that stand for a byte that came in
# and was no UTF-8 (PEP 383).
_UNSENDABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udc7f\udd00-\udfff]")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


# ---------------------------------------------------------------- what a client says


def refuse_unsupported(request: S3Request) -> None:
    """Refuse header fields that ask for what this gateway cannot do.

    Encryption (also of a copy source or with a customer's key, on any method), object lock, website
    redirects, appending.  Storage classes that promise no more than STANDARD pass, and are stored
    and shown as STANDARD.

    :raises NotImplemented, InvalidStorageClass:
    """
    headers = request.headers
    for name in headers:
        if name in _REFUSED or name.startswith(_REFUSED_PREFIXES):
            raise errors.NotImplemented(detail={"Header": name})
    storage_class = headers.get("x-amz-storage-class")
    if storage_class is not None and storage_class not in _STORAGE_CLASSES:
        raise InvalidStorageClass(detail={"StorageClassRequested": storage_class})


def system_attributes(request: S3Request) -> dict[str, str]:
    """The attributes S3 keeps, by lower-case name, verbatim; one without a value counts as absent.

    ``aws-chunked`` is how the body travels and no coding of the object, so it is taken out.
    """
    headers = request.headers
    found = {name: headers[name] for name in SYSTEM_FIELDS if headers.get(name)}
    coding = found.get("content-encoding")
    if coding is not None and "aws-chunked" in coding.lower():
        coding = strip_aws_chunked(coding)
        if coding:
            found["content-encoding"] = coding
        else:
            del found["content-encoding"]
    return found


def user_metadata(request: S3Request) -> dict[str, str]:
    """The user metadata, by lower-case name without ``x-amz-meta-``; an empty value is one."""
    return {
        name[len(_META) :]: value
        for name, value in request.headers.items()
        if name.startswith(_META) and len(name) > len(_META)
    }


def check_metadata(metadata: Mapping[str, str], limit: int) -> None:
    """Hold user metadata to ``limit`` bytes: names and values in UTF-8.

    :raises MetadataTooLarge:
    """
    size = sum(
        len(name.encode("utf-8", "surrogatepass")) + len(value.encode("utf-8", "surrogatepass"))
        for name, value in metadata.items()
    )
    if size > limit:
        raise MetadataTooLarge(detail={"Size": str(size), "MaxSizeAllowed": str(limit)})


def response_overrides(query: Mapping[str, str]) -> dict[str, str]:
    """The ``response-*`` parameters, by the lower-case name of the field they replace.

    :raises InvalidArgument: a value that no header field can carry, a line break above all.
    """
    found = {}
    for name in SYSTEM_FIELDS:
        value = query.get("response-" + name)
        if value:
            if _UNSENDABLE.search(value):
                raise InvalidArgument(
                    "A response header cannot hold line breaks or other control characters.",
                    detail={"ArgumentName": "response-" + name, "ArgumentValue": value},
                )
            found[name] = value
    return found


# ---------------------------------------------------------------- what is said back


def default_content_type(personality: Personality) -> str:
    """The Content-Type of an object that was given none."""
    if personality is Personality.ALLUXIO:
        return "application/octet-stream"
    return "binary/octet-stream"


def object_fields(
    etag: str,
    modified_ns: int,
    content_type: str,
    system: Mapping[str, str],
    metadata: Mapping[str, str],
    tag_count: int,
    overrides: Mapping[str, str],
) -> list[tuple[str, str]]:
    """The fields of a GET or HEAD answer that describe the object, in the order they are sent.

    :param content_type: the default one; :param overrides: of :func:`response_overrides`.

    A stored value that no header field can carry (something else wrote it) is not sent.  Metadata
    that is left out for that reason is counted in ``x-amz-missing-meta``, as S3 does.
    """
    fields = [
        ("Last-Modified", http_date(modified_ns)),
        ("ETag", f'"{etag}"'),
        ("Accept-Ranges", "bytes"),
    ]
    if overrides:
        system = {**system, **overrides}
    if "content-type" not in system:
        fields.append(("Content-Type", content_type))
    for name, value in system.items():
        spelling = SYSTEM_FIELDS.get(name)
        if spelling is not None and not _UNSENDABLE.search(value):
            fields.append((spelling, value))
        elif name == "content-type":
            fields.append(("Content-Type", content_type))
    if metadata:
        missing = 0
        for name, value in metadata.items():
            if _TOKEN.fullmatch(name) and not _UNSENDABLE.search(value):
                fields.append((_META + name, value))
            else:
                missing += 1
        if missing:
            fields.append(("x-amz-missing-meta", str(missing)))
    if tag_count:
        fields.append(("x-amz-tagging-count", str(tag_count)))
    return fields


def etag_field(etag: str) -> Fields:
    """The one field that answers a PUT."""
    return (("ETag", f'"{etag}"'),)
