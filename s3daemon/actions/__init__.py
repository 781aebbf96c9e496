"""What S3 can do: one file per action or inseparable group, named as in the S3 reference."""

from __future__ import annotations

from collections.abc import Mapping

from s3daemon.actions import (
    abort_multipart_upload,
    acl,
    bucket_tagging,
    complete_multipart_upload,
    copy_object,
    create_bucket,
    create_multipart_upload,
    delete_bucket,
    delete_object,
    delete_objects,
    get_bucket_location,
    get_bucket_versioning,
    get_object,
    get_object_attributes,
    head_bucket,
    list_buckets,
    list_multipart_uploads,
    list_object_versions,
    list_objects,
    list_objects_v2,
    list_parts,
    object_tagging,
    put_object,
    upload_part,
    upload_part_copy,
)
from s3daemon.actions.base import AnyAction

_ALL: tuple[AnyAction, ...] = (
    abort_multipart_upload.ACTION,
    *acl.ACTIONS,
    *bucket_tagging.ACTIONS,
    complete_multipart_upload.ACTION,
    copy_object.ACTION,
    create_bucket.ACTION,
    create_multipart_upload.ACTION,
    delete_bucket.ACTION,
    delete_object.ACTION,
    delete_objects.ACTION,
    get_bucket_location.ACTION,
    get_bucket_versioning.ACTION,
    *get_object.ACTIONS,
    get_object_attributes.ACTION,
    head_bucket.ACTION,
    list_buckets.ACTION,
    list_multipart_uploads.ACTION,
    list_object_versions.ACTION,
    list_objects.ACTION,
    list_objects_v2.ACTION,
    list_parts.ACTION,
    *object_tagging.ACTIONS,
    put_object.ACTION,
    upload_part.ACTION,
    upload_part_copy.ACTION,
)

#: Every action by its name in the S3 API reference.
ACTIONS: Mapping[str, AnyAction] = {action.name: action for action in _ALL}

__all__ = ["ACTIONS"]
