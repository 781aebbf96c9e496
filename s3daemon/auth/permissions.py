"""What each operation needs: the table that the policy decides by.

Sources: S3 user guide, "Access control list (ACL) overview", section "Mapping of ACL permissions
and access policy permissions"; "Multipart upload API and permissions".
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from s3daemon.wire.grants import READ, READ_ACP, WRITE, WRITE_ACP


@attrs.frozen
class Need:
    """What an operation needs of somebody who is not the bucket's owner.

    :ivar changes: it changes something, so that who may only read may not do it.
    :ivar bucket: the permission that the bucket's list has to give; None: it says nothing.
    :ivar object: the permission that the object's own list has to give.
    :ivar initiator: the multipart upload has to be the caller's.
    :ivar known: the caller has to be somebody: S3 begins no upload for the anonymous.
    :ivar around: it tells of nothing but that the bucket is there, so that who is bound to a prefix
        in it may ask.

    With neither a list nor an initiator it is for the bucket's owner alone.
    """

    changes: bool
    bucket: str | None = None
    object: str | None = None
    initiator: bool = False
    known: bool = False
    around: bool = False


_OWNER_READS = Need(changes=False)
_OWNER_CHANGES = Need(changes=True)
_LIST = Need(changes=False, bucket=READ)
_READ = Need(changes=False, object=READ)
_WRITE = Need(changes=True, bucket=WRITE)
_WRITE_PART = Need(changes=True, bucket=WRITE, initiator=True, known=True)

NEEDS: Mapping[str, Need] = {
    # Asked about the bucket that is to be, which is the caller's.
    "CreateBucket": _OWNER_CHANGES,
    # Asked about each bucket that may be shown.
    "ListBuckets": Need(changes=False, around=True),
    "DeleteBucket": _OWNER_CHANGES,
    "HeadBucket": Need(changes=False, bucket=READ, around=True),
    # S3 gives it to the owner alone; but it says no more than HeadBucket, and s3cmd asks it first.
    "GetBucketLocation": Need(changes=False, bucket=READ, around=True),
    "GetBucketVersioning": _OWNER_READS,
    "GetBucketTagging": _OWNER_READS,
    "PutBucketTagging": _OWNER_CHANGES,
    "DeleteBucketTagging": _OWNER_CHANGES,
    "GetBucketAcl": Need(changes=False, bucket=READ_ACP),
    "PutBucketAcl": Need(changes=True, bucket=WRITE_ACP),
    "ListObjects": _LIST,
    "ListObjectsV2": _LIST,
    "ListObjectVersions": _LIST,
    "ListMultipartUploads": _LIST,
    "GetObject": _READ,
    "HeadObject": _READ,
    "GetObjectAttributes": _READ,
    "GetObjectAcl": Need(changes=False, object=READ_ACP),
    "PutObjectAcl": Need(changes=True, object=WRITE_ACP),
    "GetObjectTagging": _OWNER_READS,
    "PutObjectTagging": _OWNER_CHANGES,
    "DeleteObjectTagging": _OWNER_CHANGES,
    "PutObject": _WRITE,
    "CopyObject": _WRITE,
    "DeleteObject": _WRITE,
    "DeleteObjects": _WRITE,
    "CreateMultipartUpload": Need(changes=True, bucket=WRITE, known=True),
    "UploadPart": _WRITE_PART,
    "UploadPartCopy": _WRITE_PART,
    "CompleteMultipartUpload": _WRITE_PART,
    "ListParts": Need(changes=False, initiator=True, known=True),
    "AbortMultipartUpload": Need(changes=True, initiator=True, known=True),
}
