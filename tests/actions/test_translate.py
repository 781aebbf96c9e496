"""Storage facts as S3 errors."""

from __future__ import annotations

import inspect

import pytest

from s3daemon.actions.translate import s3_error
from s3daemon.store import interfaces as store
from s3daemon.wire import errors

NAMES = {"bucket": "b", "key": "k", "upload_id": "u"}


@pytest.mark.parametrize(
    ("fact", "code", "status", "detail"),
    [
        (store.NoSuchBucket("x"), "NoSuchBucket", 404, {"BucketName": "b"}),
        (store.BucketExists("x"), "BucketAlreadyExists", 409, {"BucketName": "b"}),
        (store.BucketNotEmpty("x"), "BucketNotEmpty", 409, {"BucketName": "b"}),
        (store.BadBucketName("x"), "InvalidBucketName", 400, {"BucketName": "b"}),
        (store.NoSuchKey("x"), "NoSuchKey", 404, {"Key": "k"}),
        (store.KeyTooLong("x"), "KeyTooLongError", 400, {}),
        (store.BadKey("x"), "InvalidArgument", 400, {}),
        (store.ObjectExists("x"), "PreconditionFailed", 412, {"Condition": "If-None-Match"}),
        (store.ConditionFailed("etag"), "PreconditionFailed", 412, {"Condition": "If-Match"}),
        (
            store.ConditionFailed("not_etag"),
            "PreconditionFailed",
            412,
            {"Condition": "If-None-Match"},
        ),
        (store.ConditionConflict("x"), "ConditionalRequestConflict", 409, {"Key": "k"}),
        (store.ConditionUnsupported("x"), "NotImplemented", 501, {}),
        (store.NoSuchUpload("x"), "NoSuchUpload", 404, {"UploadId": "u"}),
        (store.InvalidPart("x"), "InvalidPart", 400, {"UploadId": "u"}),
        (
            store.PartTooSmall(2, 7, "etag"),
            "EntityTooSmall",
            400,
            {"PartNumber": "2", "ETag": "etag", "ProposedSize": "7"},
        ),
        (store.OutOfSpace("x"), "StorageFull", 507, {}),
        (store.ReadOnly("x"), "ServiceUnavailable", 503, {}),
        (store.AccessRefused("x"), "AccessDenied", 403, {}),
        (store.Busy("x"), "SlowDown", 503, {}),
        (store.Unavailable("x"), "ServiceUnavailable", 503, {}),
        (store.Corrupt("x"), "InternalError", 500, {}),
    ],
)
def test_facts(fact: store.StorageError, code: str, status: int, detail: dict[str, str]) -> None:
    """Code, status and what the error names."""
    error = s3_error(fact, **NAMES)
    assert (error.code, error.status, error.detail) == (code, status, detail)


def test_every_fact_has_an_error() -> None:
    """A fact that is added to the interfaces has to be added to the table."""
    unknown = {store.StorageError, store.Corrupt}
    for _, kind in inspect.getmembers(store, inspect.isclass):
        if issubclass(kind, store.StorageError) and kind not in unknown:
            fact = kind(1, 2, "e") if kind is store.PartTooSmall else kind("size")
            assert not isinstance(s3_error(fact), errors.InternalError), kind


@pytest.mark.parametrize(
    "bug", [store.StorageError("/srv/secret"), OSError(5, "/srv/secret"), KeyError("/srv/secret")]
)
def test_unknown_is_internal_and_silent(bug: Exception) -> None:
    """The text is for the log."""
    error = s3_error(bug, **NAMES)
    assert error.code == "InternalError"
    assert "secret" not in str(error) + repr(error.detail)


def test_text_of_a_fact_stays_inside() -> None:
    """Also that of facts that have an error."""
    for _, kind in inspect.getmembers(store, inspect.isclass):
        if issubclass(kind, store.StorageError) and kind is not store.PartTooSmall:
            error = s3_error(kind("/srv/secret"), **NAMES)
            assert "secret" not in str(error) + repr(error.detail)


def test_subclass_of_a_fact() -> None:
    """A store may say it more precisely."""

    class Precise(store.NoSuchKey):
        """A kind of its own."""

    assert s3_error(Precise("x"), key="k").detail == {"Key": "k"}


def test_s3_error_passes() -> None:
    """It is one already."""
    error = errors.AccessDenied()
    assert s3_error(error, resource="/x") is error


def test_resource_and_blank_names() -> None:
    """Names that are not known are not shown; the resource is the one that is meant."""
    error = s3_error(store.NoSuchKey("x"), resource="/source/key")
    assert (error.resource, error.detail) == ("/source/key", {})
    assert s3_error(ValueError(), resource="/r").resource == "/r"
