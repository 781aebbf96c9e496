"""CopyObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html

Metadata and tags are the source's unless their directive is REPLACE; then they are the request's,
and what the request does not give is empty.  ``If-Match`` and ``If-None-Match`` are about the
target (:mod:`s3daemon.actions.conditions`), ``x-amz-copy-source-if-*`` about the source.  The list
of grants is never the source's: without one in the request the copy is its owner's alone.

The copy has a checksum of all its bytes: made with x-amz-checksum-algorithm, else with the source's
algorithm, else with S3's default.  One that the source has already is taken over.
"""

from __future__ import annotations

import attrs

from s3daemon.actions import attributes, conditions, copy_source, grants
from s3daemon.actions.base import Action, Answer, Context
from s3daemon.actions.copy_source import CopySource
from s3daemon.actions.multipart_checksums import checksum_elements
from s3daemon.store.interfaces import ALWAYS, Attributes, Checksum, Condition
from s3daemon.wire import integrity, xmlio
from s3daemon.wire.acl import Given
from s3daemon.wire.checksums import ALGORITHMS, DEFAULT, Algorithm
from s3daemon.wire.dates import iso8601
from s3daemon.wire.errors import InvalidArgument, InvalidRequest
from s3daemon.wire.message import S3Request

_NOTHING_CHANGES = (
    "This copy request is illegal because it is trying to copy an object to itself without "
    "changing the object's metadata, storage class, website redirect location or encryption "
    "attributes."
)


@attrs.frozen
class CopyObject:
    """What the head of a copy says.

    :ivar attributes: of the request; what is used of them, the two directives say.
    :ivar checksum: the algorithm that is asked for.
    """

    bucket: str
    key: str
    source: CopySource
    attributes: Attributes
    replace_metadata: bool = False
    replace_tags: bool = False
    condition: Condition = ALWAYS
    acl: Given = Given()
    checksum: Algorithm | None = None


def parse(request: S3Request) -> CopyObject:
    """Read the head; pure.

    :raises S3Error: of :mod:`s3daemon.actions.attributes` and :mod:`s3daemon.actions.copy_source`;
        InvalidArgument for an unknown directive; InvalidRequest for a copy to itself that changes
        nothing, and for an unknown checksum algorithm.
    """
    source = copy_source.parse(request)
    condition = conditions.of_write(request)
    wanted = CopyObject(
        request.bucket,
        request.key,
        source,
        attributes.parse(request),
        _replaces(request, "x-amz-metadata-directive"),
        _replaces(request, "x-amz-tagging-directive"),
        condition,
        grants.parse(request),
        integrity.requested(request.headers),
    )
    changes = wanted.replace_metadata or wanted.replace_tags or wanted.checksum is not None
    onto_itself = (source.bucket, source.key) == (request.bucket, request.key)
    if onto_itself and not changes:
        raise InvalidRequest(_NOTHING_CHANGES)
    return wanted


def run(context: Context, wanted: CopyObject) -> Answer:
    """Copy; what was at the target stays until the copy is whole."""
    bucket = context.bucket(wanted.bucket, wanted.key)
    owner, acl = grants.new_object(context, bucket, wanted.acl)
    given = wanted.attributes
    if wanted.replace_metadata:
        attributes.check(given, context.limits)
    reader = copy_source.open_source(context, wanted.source)
    try:
        conditions.check(context, bucket, wanted.key, wanted.condition)
        kept = reader.info.attributes
        info = context.objects.copy(
            reader,
            wanted.bucket,
            wanted.key,
            Attributes(
                system=given.system if wanted.replace_metadata else kept.system,
                metadata=given.metadata if wanted.replace_metadata else kept.metadata,
                tags=given.tags if wanted.replace_tags else kept.tags,
                acl=acl,
            ),
            owner,
            wanted.condition,
            checksum_algorithm=_algorithm(wanted, reader.info.checksum),
        )
    finally:
        reader.close()
    return Answer(
        body=xmlio.document(
            "CopyObjectResult",
            xmlio.element("LastModified", iso8601(info.modified_ns)),
            xmlio.element("ETag", f'"{info.etag}"'),
            checksum_elements(info.checksum),
        )
    )


def _algorithm(wanted: CopyObject, of_source: Checksum | None) -> str | None:
    """What the checksum of the copy is made with."""
    algorithm = wanted.checksum
    if algorithm is None and of_source is not None:
        algorithm = ALGORITHMS.get(of_source.algorithm)
        if algorithm is not None and algorithm.make is None:
            # An object of another gateway's: better another checksum than no copy.
            algorithm = None
    algorithm = algorithm or DEFAULT
    return None if algorithm is None else algorithm.name


def _replaces(request: S3Request, name: str) -> bool:
    """Whether a directive says REPLACE; COPY is what it says when it is not there."""
    value = request.headers.get(name, "COPY")
    if value not in ("COPY", "REPLACE"):
        raise InvalidArgument(
            f"Unknown {'metadata' if 'metadata' in name else 'tagging'} directive.",
            detail={"ArgumentName": name, "ArgumentValue": value},
        )
    return value == "REPLACE"


ACTION = Action("CopyObject", parse, run)
