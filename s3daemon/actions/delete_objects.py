"""DeleteObjects: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html

One bucket look-up, then one decision for each key, and one removal of all that may go; a key that
fails is reported beside those that do not.  Content-MD5 is checked when it is given; S3 demands it
or a checksum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from s3daemon.actions import conditions
from s3daemon.actions.base import Answer, Context, DocumentAction
from s3daemon.actions.translate import s3_error
from s3daemon.store.interfaces import ALWAYS, BucketInfo, Condition, NoSuchBucket, StorageError
from s3daemon.wire import digests, errors, xmlio
from s3daemon.wire.errors import MalformedXML, S3Error
from s3daemon.wire.message import Personality, S3Request

_MOST = 1000


@attrs.frozen
class DeleteObjects:
    """What the head of a POST ?delete says.

    :ivar headers: of the request, for Content-MD5.
    :ivar prune: take parents along that are left empty.
    """

    bucket: str
    headers: Mapping[str, str]
    prune: bool = True


@attrs.frozen
class Entry:
    """One object to delete.

    :ivar version: as given, "" where none is.
    :ivar condition: of ``ETag``, ``Size`` and ``LastModifiedTime``.
    """

    key: str
    version: str = ""
    condition: Condition = ALWAYS


def parse(request: S3Request) -> DeleteObjects:
    """Read the head; pure.  :raises InvalidDigest:"""
    digests.content_md5(request.headers)
    return DeleteObjects(
        request.bucket, request.headers, request.personality is not Personality.ALLUXIO
    )


def parse_document(document: bytes) -> tuple[tuple[Entry, ...], bool]:
    """The entries of a ``Delete`` document, and whether it wants to hear of errors only.

    :raises MalformedXML: another document, no object, more than 1,000, one without its key, or with
        a size or a time that is none.
    :raises NotImplemented: several ETags for one object.
    """
    root = xmlio.parse(document, "Delete")
    objects = xmlio.children(root, "Object")
    if not 1 <= len(objects) <= _MOST:
        raise MalformedXML
    quiet = xmlio.child_text(root, "Quiet", "false").strip()
    if quiet not in ("true", "false", "1", "0"):
        raise MalformedXML
    entries = []
    for element in objects:
        entries.append(
            Entry(
                xmlio.child_text(element, "Key"),
                xmlio.child_text(element, "VersionId", ""),
                _condition(element),
            )
        )
    return tuple(entries), quiet in ("true", "1")


def _condition(element: xmlio.Element) -> Condition:
    """What an Object says of the object that it means."""
    etag, size, modified = (
        xmlio.child_text(element, name) if xmlio.children(element, name) else None
        for name in ("ETag", "Size", "LastModifiedTime")
    )
    try:
        return conditions.of_entry(etag, size, modified)
    except errors.InvalidArgument as wrong:
        raise MalformedXML(str(wrong)) from wrong


def run(context: Context, wanted: DeleteObjects, document: bytes) -> Answer:
    """Delete what the document lists."""
    digests.check_document(wanted.headers, document)
    entries, quiet = parse_document(document)
    bucket = context.look_up(wanted.bucket)
    failed: dict[Entry, S3Error] = {}
    may: list[Entry] = []
    # Backwards, so that a folder comes after what is in it and can go in the same request.
    for entry in sorted(dict.fromkeys(entries), key=lambda entry: entry.key, reverse=True):
        try:
            _check(context, bucket, entry)
        except NoSuchBucket:
            raise
        except (S3Error, StorageError) as error:
            failed[entry] = s3_error(error, bucket=bucket.name, key=entry.key)
        else:
            may.append(entry)
    removals = [(entry.key, entry.condition) for entry in may]
    results = context.objects.delete_many(bucket.name, removals, wanted.prune) if removals else []
    for entry, result in zip(may, results, strict=True):
        if result is not None:
            failed[entry] = s3_error(result, bucket=bucket.name, key=entry.key)
    return Answer(body=xmlio.document("DeleteResult", *_results(entries, failed, quiet)))


def _check(context: Context, bucket: BucketInfo, entry: Entry) -> None:
    """Whether one object may be deleted, as far as can be said beforehand.

    :raises S3Error, StorageError:
    """
    if entry.version not in ("", "null"):
        raise errors.NotImplemented("Versioning is not implemented; leave out the VersionId.")
    context.may(context.caller, "DeleteObject", bucket, entry.key)
    conditions.check(context, bucket, entry.key, entry.condition)


def _results(
    entries: tuple[Entry, ...], failed: Mapping[Entry, S3Error], quiet: bool
) -> Iterator[str]:
    for entry in entries:
        names = xmlio.element("Key", entry.key)
        if entry.version:
            names += xmlio.element("VersionId", entry.version)
        error = failed.get(entry)
        if error is not None:
            yield xmlio.group(
                "Error",
                names,
                xmlio.element("Code", error.code),
                xmlio.element("Message", str(error)),
            )
        elif not quiet:
            yield xmlio.group("Deleted", names)


ACTION = DocumentAction("DeleteObjects", parse, run)
