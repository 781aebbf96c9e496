"""What a request says about the object it makes: shared by all actions that make one."""

from __future__ import annotations

import attrs

from s3daemon.actions.base import Limits
from s3daemon.store.interfaces import Attributes
from s3daemon.wire import headers, tagging
from s3daemon.wire.grants import Grants
from s3daemon.wire.message import S3Request


def parse(request: S3Request) -> Attributes:
    """System attributes, user metadata and tags of the head; pure.

    The size of the metadata is for :func:`check`, since it depends on the operator.

    :raises NotImplemented, InvalidArgument, InvalidStorageClass, InvalidTag: the head asks for
        what is not there, or for what S3 does not allow.
    """
    headers.refuse_unsupported(request)
    tags = request.headers.get("x-amz-tagging", "")
    return Attributes(
        system=headers.system_attributes(request),
        metadata=headers.user_metadata(request),
        tags=tagging.parse_header(tags) if tags else (),
    )


def with_acl(attributes: Attributes, acl: Grants | None) -> Attributes:
    """The same with a list."""
    return attributes if acl is None else attrs.evolve(attributes, acl=acl)


def check(attributes: Attributes, limits: Limits) -> None:
    """Hold them to the operator's limits.

    :raises MetadataTooLarge:
    """
    if attributes.metadata:
        headers.check_metadata(attributes.metadata, limits.metadata)
