"""THE table: which operation a request asks for, by method, query and header.

Source: S3 API reference, request syntax of each operation; compared by test with the model of S3
that botocore ships.

A request that asks for something we do not have is refused before anything happens.  Above all, a
sub-resource is never ignored: ``PUT /bucket?website`` is no CreateBucket, and
``DELETE /bucket?analytics`` must not delete a bucket.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from s3daemon.wire import errors
from s3daemon.wire.message import S3Request
from s3daemon.wire.unsupported import UNSUPPORTED, UNSUPPORTED_METHODS

_VERSION = frozenset({"versionId"})
_UPLOAD = ("uploadId",)
_RESPONSE = frozenset(
    {
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
    }
)
_READ = _RESPONSE | {"versionId", "partNumber"}
_LIST = frozenset({"delimiter", "encoding-type", "max-keys", "prefix"})
_COPY = "x-amz-copy-source"


@attrs.frozen
class Operation:
    """One row.

    :ivar name: as in the S3 API reference.
    :ivar scope: what the path names: ``service``, ``bucket`` or ``object``.
    :ivar required: query parameters that select it, ``name`` or ``name=value``.
    :ivar optional: query parameters that it reads besides.
    :ivar header: the header field that selects it among operations that are else alike.
    """

    name: str
    method: str
    scope: str
    required: tuple[str, ...] = ()
    optional: frozenset[str] = frozenset()
    header: str = ""

    @property
    def uri(self) -> str:
        """The row as a request line shows it: ``/{Bucket}/{Key+}?uploads``."""
        path = {"service": "/", "bucket": "/{Bucket}", "object": "/{Bucket}/{Key+}"}[self.scope]
        return path + ("?" + "&".join(self.required) if self.required else "")


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "ListBuckets",
        "GET",
        "service",
        optional=frozenset({"max-buckets", "continuation-token", "prefix", "bucket-region"}),
    ),
    Operation("CreateBucket", "PUT", "bucket"),
    Operation("HeadBucket", "HEAD", "bucket"),
    Operation("DeleteBucket", "DELETE", "bucket"),
    Operation("GetBucketLocation", "GET", "bucket", ("location",)),
    Operation("PutBucketTagging", "PUT", "bucket", ("tagging",)),
    Operation("GetBucketTagging", "GET", "bucket", ("tagging",)),
    Operation("DeleteBucketTagging", "DELETE", "bucket", ("tagging",)),
    Operation("GetBucketAcl", "GET", "bucket", ("acl",)),
    Operation("PutBucketAcl", "PUT", "bucket", ("acl",)),
    Operation("GetBucketVersioning", "GET", "bucket", ("versioning",)),
    Operation("ListObjects", "GET", "bucket", optional=_LIST | {"marker"}),
    Operation(
        "ListObjectsV2",
        "GET",
        "bucket",
        ("list-type=2",),
        _LIST | {"continuation-token", "fetch-owner", "start-after"},
    ),
    Operation(
        "ListObjectVersions",
        "GET",
        "bucket",
        ("versions",),
        _LIST | {"key-marker", "version-id-marker"},
    ),
    Operation("PutObject", "PUT", "object"),
    Operation("GetObject", "GET", "object", optional=_READ),
    Operation("HeadObject", "HEAD", "object", optional=_READ),
    Operation("DeleteObject", "DELETE", "object", optional=_VERSION),
    Operation("DeleteObjects", "POST", "bucket", ("delete",)),
    Operation("CopyObject", "PUT", "object", header=_COPY),
    Operation("GetObjectAttributes", "GET", "object", ("attributes",), _VERSION),
    Operation("GetObjectAcl", "GET", "object", ("acl",), _VERSION),
    Operation("PutObjectAcl", "PUT", "object", ("acl",), _VERSION),
    Operation("PutObjectTagging", "PUT", "object", ("tagging",), _VERSION),
    Operation("GetObjectTagging", "GET", "object", ("tagging",), _VERSION),
    Operation("DeleteObjectTagging", "DELETE", "object", ("tagging",), _VERSION),
    Operation("CreateMultipartUpload", "POST", "object", ("uploads",)),
    Operation("UploadPart", "PUT", "object", ("partNumber", "uploadId")),
    Operation("UploadPartCopy", "PUT", "object", ("partNumber", "uploadId"), header=_COPY),
    Operation(
        "ListParts", "GET", "object", _UPLOAD, frozenset({"max-parts", "part-number-marker"})
    ),
    Operation(
        "ListMultipartUploads",
        "GET",
        "bucket",
        ("uploads",),
        frozenset(
            {
                "delimiter",
                "encoding-type",
                "key-marker",
                "max-uploads",
                "prefix",
                "upload-id-marker",
            }
        ),
    ),
    Operation("CompleteMultipartUpload", "POST", "object", _UPLOAD),
    Operation("AbortMultipartUpload", "DELETE", "object", _UPLOAD),
)

#: Parameters that say who asks, or which client: they never select anything.
_ASIDE = frozenset({"x-id", "AWSAccessKeyId", "Signature", "Expires"})

_Place = tuple[str, str]
_SERVICE, _BUCKET, _OBJECT = "service", "bucket", "object"


def _selector(required: str) -> str:
    return required.partition("=")[0]


def _selectors(row: Operation) -> frozenset[str]:
    return frozenset(map(_selector, row.required))


def _rows() -> Mapping[tuple[str, str, frozenset[str]], Operation]:
    return {(o.method, o.scope, _selectors(o)): o for o in OPERATIONS if not o.header}


_ROWS = _rows()
#: The common case, a request without a query: (method, scope) -> row.
_PLAIN: Mapping[_Place, Operation] = {
    (method, scope): row for (method, scope, selectors), row in _ROWS.items() if not selectors
}
#: Name of the row without a header -> the row that a header makes of it.
_BY_HEADER: Mapping[str, Operation] = {
    _ROWS[o.method, o.scope, _selectors(o)].name: o for o in OPERATIONS if o.header
}
#: Which names may select at a place, whatever the method: the sub-resources there.
_AT: Mapping[str, frozenset[str]] = {
    scope: frozenset().union(*(_selectors(o) for o in OPERATIONS if o.scope == scope))
    for scope in (_SERVICE, _BUCKET, _OBJECT)
}
#: Names that select somewhere and have no other meaning elsewhere.
_SUBRESOURCES = UNSUPPORTED | {
    "acl",
    "attributes",
    "delete",
    "location",
    "tagging",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
}


def match(request: S3Request) -> str:
    """The name of the operation that is asked for.

    Parameters that no operation knows are refused when they have no value, like a sub-resource,
    and on all methods that change something; those with a value are ignored on GET and HEAD.

    :raises NotImplemented: a sub-resource or parameter that S3 has or may have, and we do not.
    :raises MethodNotAllowed: the method has no meaning there; ``Allow`` says which have.
    :raises InvalidArgument: parameters that contradict each other or miss their partner.
    """
    scope = _OBJECT if request.key else _BUCKET if request.bucket else _SERVICE
    if request.query:
        row = _by_query(request, scope)
    else:
        found = _PLAIN.get((request.method, scope))
        if found is None:
            raise _no_operation(request.method, scope, frozenset())
        row = found
    other = _BY_HEADER.get(row.name)
    if other is not None and other.header in request.headers:
        return other.name
    return row.name


def _by_query(request: S3Request, scope: str) -> Operation:
    query, method = request.query, request.method
    names = [name for name in query if name not in _ASIDE and not _is_amz(name)]
    for name in names:
        if name in UNSUPPORTED:
            raise _not_implemented(name)
    selectors = frozenset(names) & _AT[scope]
    if "partNumber" in selectors and method != "PUT":
        selectors -= {"partNumber"}  # of GET and HEAD an option, elsewhere unknown
    if "list-type" in selectors:
        if method != "GET":
            selectors -= {"list-type"}
        elif query["list-type"] != "2":
            raise _invalid("list-type", query["list-type"], "list-type has to be 2, or absent.")
    row = _ROWS.get((method, scope, selectors))
    if row is None:
        raise _no_operation(method, scope, selectors)
    for name in names:
        if name not in selectors:
            _check_extra(name, query[name], row)
    return row


def _is_amz(name: str) -> bool:
    return name[:6].lower() == "x-amz-"


def _check_extra(name: str, value: str, row: Operation) -> None:
    if name == "versionId":
        if not value:
            raise _invalid(name, value, "A version id cannot be empty.")
        # Without versioning each object has one version, and its name is null.
        if value != "null":
            raise _not_implemented(name)
    if name in row.optional:
        return
    if not value or name in _SUBRESOURCES or row.method not in ("GET", "HEAD"):
        raise _not_implemented(name)


def _not_implemented(name: str) -> errors.S3Error:
    return errors.NotImplemented(
        f"The query parameter {name} asks for functionality that is not implemented here.",
        detail={"ParameterName": name},
    )


def _invalid(name: str, value: str, message: str) -> errors.S3Error:
    return errors.InvalidArgument(message, detail={"ArgumentName": name, "ArgumentValue": value})


def _no_operation(method: str, scope: str, selectors: frozenset[str]) -> errors.S3Error:
    """Why there is no row for this method at this place with these selectors."""
    for name in selectors:
        if (method, scope, name) in UNSUPPORTED_METHODS:
            return _not_implemented(name)
    if scope == _OBJECT and method == "PUT" and selectors & {"partNumber", "uploadId"}:
        name = "partNumber" if "partNumber" in selectors else "uploadId"
        partner = "uploadId" if name == "partNumber" else "partNumber"
        if partner not in selectors:
            return _invalid(name, "", f"{name} needs {partner} beside it.")
    if len(selectors) > 1:
        return _invalid(
            "ResourceType",
            ", ".join(sorted(selectors)),
            f"Conflicting query parameters: {', '.join(sorted(selectors))}.",
        )
    if scope == _BUCKET and method == "POST" and not selectors:
        return errors.NotImplemented("Uploads from HTML forms (POST) are not implemented.")
    allowed = _methods(scope, selectors)
    return errors.MethodNotAllowed(
        detail={"Method": method, "ResourceType": scope.upper()},
        headers={"Allow": ", ".join(allowed)},
    )


def _methods(scope: str, selectors: Iterable[str]) -> list[str]:
    wanted = frozenset(selectors)
    found = {o.method for o in OPERATIONS if o.scope == scope and _selectors(o) == wanted}
    return sorted(found)
