"""What S3 has and this gateway has not: the sub-resources that are refused.

Compared by test with the model of S3 that botocore ships.
"""

from __future__ import annotations

#: Sub-resources of S3 that no operation here has: they select in the request URIs of the model.
UNSUPPORTED: frozenset[str] = frozenset(
    {
        "abac",
        "accelerate",
        "analytics",
        "annotation",
        "cors",
        "encryption",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "lifecycle",
        "logging",
        "metadataAnnotationTable",
        "metadataConfiguration",
        "metadataInventoryTable",
        "metadataJournalTable",
        "metadataTable",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "renameObject",
        "replication",
        "requestPayment",
        "restore",
        "retention",
        "select",
        "select-type",
        "session",
        "torrent",
        "website",
    }
)

#: (method, scope, sub-resource) of operations that S3 has on a sub-resource of which only others
#: are here.
UNSUPPORTED_METHODS: frozenset[tuple[str, str, str]] = frozenset({("PUT", "bucket", "versioning")})
