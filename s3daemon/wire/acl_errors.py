"""The S3 errors about access control lists; as in :mod:`s3daemon.wire.errors`.

Source: S3 API reference, "Error responses", "List of error codes".
"""

from __future__ import annotations

from s3daemon.wire.errors import S3Error


class AccessControlListNotSupported(S3Error):
    message = "The bucket does not allow ACLs"


class InvalidBucketAclWithObjectOwnership(S3Error):
    message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"


class MalformedACLError(S3Error):
    message = (
        "The XML that you provided was not well formed or did not validate against our published "
        "schema."
    )


class MissingSecurityHeader(S3Error):
    message = "Your request is missing a required header."


class UnexpectedContent(S3Error):
    message = "This request does not support content."


class UnresolvableGrantByEmailAddress(S3Error):
    message = "The email address that you provided does not match any account on record."
