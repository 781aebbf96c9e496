"""Object attributes in header fields, both ways."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import headers
from s3daemon.wire.errors import (
    InvalidArgument,
    InvalidStorageClass,
    MetadataTooLarge,
    S3Error,
)
from s3daemon.wire.message import Personality, S3Request

TIME_NS = 784111777 * 10**9


def put(**fields: str) -> S3Request:
    """A PUT with fields; ``_`` stands for ``-``."""
    return S3Request("PUT", "b", "k", headers={k.replace("_", "-"): v for k, v in fields.items()})


def answer(
    system: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    tag_count: int = 0,
    overrides: dict[str, str] | None = None,
) -> dict[str, str]:
    """Answer fields by name; no name twice."""
    fields = headers.object_fields(
        "abc-1",
        TIME_NS,
        "binary/octet-stream",
        system or {},
        metadata or {},
        tag_count,
        overrides or {},
    )
    assert len({name.lower() for name, _ in fields}) == len(fields)
    return dict(fields)


# -- what a client says ----------------------------------------------------------


def test_system_attributes() -> None:
    """Six are kept, verbatim."""
    request = put(
        content_type="text/bla",
        cache_control="public, max-age=14400",
        content_disposition='attachment; filename="\u00fc.txt"',
        content_language="mi, en",
        content_encoding="deflate, gzip",
        expires="tomorrow, perhaps",
        content_length="3",
        content_md5="x",
        user_agent="me",
    )
    assert headers.system_attributes(request) == {
        "content-type": "text/bla",
        "cache-control": "public, max-age=14400",
        "content-disposition": 'attachment; filename="\u00fc.txt"',
        "content-language": "mi, en",
        "content-encoding": "deflate, gzip",
        "expires": "tomorrow, perhaps",
    }


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("gzip", "gzip"),
        ("deflate, gzip", "deflate, gzip"),
        ("gzip, aws-chunked", "gzip"),
        ("aws-chunked, gzip", "gzip"),
        ("gzip,aws-chunked", "gzip"),
        ("deflate,gzip", "deflate,gzip"),
        ("AWS-Chunked", None),
        ("aws-chunked", None),
        ("aws-chunked, aws-chunked", None),
        ("", None),
    ],
)
def test_aws_chunked_is_no_content_coding(sent: str, kept: str | None) -> None:
    """It is how the body travelled."""
    assert headers.system_attributes(put(content_encoding=sent)).get("content-encoding") == kept


def test_empty_content_type_is_absent() -> None:
    """So that the default applies."""
    assert headers.system_attributes(put(content_type="")) == {}


def test_user_metadata() -> None:
    """By name without the prefix; blank values and odd text are kept."""
    request = put(
        x_amz_meta_a="1",
        x_amz_meta_empty="",
        x_amz_meta_b_c="=?UTF-8?Q?caf=C3=A9?=",
        x_amz_meta_u="caf\u00e9 \u4e2d",
        x_amz_metadata_directive="COPY",
        x_amz_meta_="nameless",
    )
    assert headers.user_metadata(request) == {
        "a": "1",
        "empty": "",
        "b-c": "=?UTF-8?Q?caf=C3=A9?=",
        "u": "caf\u00e9 \u4e2d",
    }


def test_metadata_limit_counts_bytes() -> None:
    """Names and values, in UTF-8."""
    headers.check_metadata({"abcd": "x" * 2044}, 2048)
    headers.check_metadata({"a": "\u00e9\u4e2d"}, 6)
    for metadata, limit in (({"abcd": "x" * 2045}, 2048), ({"a": "\u00e9\u4e2d"}, 5)):
        with pytest.raises(MetadataTooLarge) as caught:
            headers.check_metadata(metadata, limit)
        assert caught.value.detail == {"Size": str(limit + 1), "MaxSizeAllowed": str(limit)}


@pytest.mark.parametrize(
    "fields",
    [
        {"x_amz_server_side_encryption": "AES256"},
        {"x_amz_server_side_encryption": "aws:kms"},
        {"x_amz_server_side_encryption_customer_algorithm": "AES256"},
        {"x_amz_server_side_encryption_aws_kms_key_id": "k"},
        {"x_amz_copy_source_server_side_encryption_customer_key": "k"},
        {"x_amz_object_lock_mode": "GOVERNANCE"},
        {"x_amz_object_lock_retain_until_date": "2030-01-01T00:00:00Z"},
        {"x_amz_object_lock_legal_hold": "ON"},
        {"x_amz_website_redirect_location": "/x"},
        {"x_amz_write_offset_bytes": "0"},
    ],
)
def test_never_pretends(fields: dict[str, str]) -> None:
    """What is not there is refused before anything happens."""
    with pytest.raises(S3Error) as caught:
        headers.refuse_unsupported(put(**fields))
    assert (caught.value.code, caught.value.status) == ("NotImplemented", 501)
    assert caught.value.detail == {"Header": next(iter(fields)).replace("_", "-")}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"x_amz_storage_class": "STANDARD"},
        {"x_amz_storage_class": "REDUCED_REDUNDANCY"},
        {"x_amz_storage_class": "STANDARD_IA"},
        {"x_amz_checksum_crc32": "AAAAAA=="},
        {"x_amz_sdk_checksum_algorithm": "CRC64NVME"},
        {"x_amz_request_payer": "requester"},
        {"x_amz_meta_server_side_encryption": "AES256"},
        {"x_amz_content_sha256": "UNSIGNED-PAYLOAD"},
    ],
)
def test_accepted(fields: dict[str, str]) -> None:
    """What is true anyway, or asks for nothing."""
    headers.refuse_unsupported(put(**fields))


def test_nonsense_class() -> None:
    """What S3 does not know either."""
    for storage_class in ("", "standard", "GLACIER", "DEEP_ARCHIVE", "SNOW", "WARM"):
        with pytest.raises(InvalidStorageClass):
            headers.refuse_unsupported(put(x_amz_storage_class=storage_class))


def test_knows_every_header_of_the_model() -> None:
    """Each header of the S3 model for new objects is either kept, refused, or named here as read
    elsewhere or without a meaning for this gateway."""
    elsewhere = {
        "content-length",
        "content-md5",
        "if-match",
        "if-none-match",
        "x-amz-acl",
        "x-amz-storage-class",
        "x-amz-tagging",
        "x-amz-tagging-directive",
        "x-amz-metadata-directive",
        "x-amz-expected-bucket-owner",
        "x-amz-source-expected-bucket-owner",
    }
    harmless = {"x-amz-request-payer", "x-amz-sdk-checksum-algorithm"}
    model: Any = botocore.session.get_session().get_service_model("s3")
    for operation in ("PutObject", "CopyObject", "CreateMultipartUpload"):
        for member in model.operation_model(operation).input_shape.members.values():
            name = member.serialization.get("name", "").lower()
            if member.serialization.get("location") != "header" or name in elsewhere | harmless:
                continue
            if name.startswith(("x-amz-checksum-", "x-amz-copy-source", "x-amz-grant-")) and (
                "encryption" not in name
            ):
                continue
            if name == "x-amz-object-annotation-directive":
                continue  # annotations do not exist here, so there are none to copy
            request = S3Request("PUT", headers={name: "value"})
            if name not in headers.system_attributes(request):
                with pytest.raises(S3Error):
                    headers.refuse_unsupported(request)


@pytest.mark.parametrize("name", sorted(headers.SYSTEM_FIELDS))
def test_overrides(name: str) -> None:
    """Each response-* parameter replaces its field, and cannot make another."""
    assert headers.response_overrides({"response-" + name: "bla", "x-id": "GetObject"}) == {
        name: "bla"
    }
    assert headers.response_overrides({"response-" + name: ""}) == {}
    for bad in ("a\r\nSet-Cookie: x", "a\nb", "a\rb", "a\0b", "\x7f", "\ud800"):
        with pytest.raises(InvalidArgument):
            headers.response_overrides({"response-" + name: bad})


# -- what is said back -------------------------------------------------------------


def test_plain_answer() -> None:
    """The least there is."""
    assert answer() == {
        "Last-Modified": "Sun, 06 Nov 1994 08:49:37 GMT",
        "ETag": '"abc-1"',
        "Accept-Ranges": "bytes",
        "Content-Type": "binary/octet-stream",
    }


def test_full_answer() -> None:
    """Everything that was given comes back, in the spelling of S3."""
    found = answer(
        {"content-type": "a/b", "content-encoding": "gzip", "expires": "never", "alien": "x"},
        {"meta1": "", "m2": "caf\u00e9\t!"},
        3,
    )
    assert found["Content-Type"] == "a/b"
    assert found["Content-Encoding"] == "gzip"
    assert found["Expires"] == "never"
    assert found["x-amz-meta-meta1"] == ""
    assert found["x-amz-meta-m2"] == "caf\u00e9\t!"
    assert found["x-amz-tagging-count"] == "3"
    assert "x-amz-missing-meta" not in found
    assert "alien" not in found


def test_overrides_win() -> None:
    """Over stored values and over defaults."""
    found = answer(
        {"content-type": "a/b", "content-language": "mi"},
        overrides={"content-type": "foo/bar", "cache-control": "no-cache"},
    )
    assert found["Content-Type"] == "foo/bar"
    assert found["Content-Language"] == "mi"
    assert found["Cache-Control"] == "no-cache"
    assert answer(overrides={"content-type": "x/y"})["Content-Type"] == "x/y"


def test_unsendable_metadata_is_counted() -> None:
    """As S3 does with what a header cannot carry."""
    found = answer(
        {"content-type": "a\r\nb", "cache-control": "x\ny"},
        {"good": "1", "bad": "a\r\nSet-Cookie: x", "na me": "x", "": "x", "\u00fc": "x"},
    )
    assert found["x-amz-missing-meta"] == "4"
    assert found["x-amz-meta-good"] == "1"
    assert found["Content-Type"] == "binary/octet-stream"
    assert "Cache-Control" not in found


@given(
    st.dictionaries(st.sampled_from(sorted(headers.SYSTEM_FIELDS)), st.text(max_size=20)),
    st.dictionaries(st.text(max_size=10).map(str.lower), st.text(max_size=20), max_size=5),
)
def test_no_injection(system: dict[str, str], metadata: dict[str, str]) -> None:
    """Whatever is stored, names are tokens, and values can be sent and stay on their line."""
    for name, value in headers.object_fields("e", TIME_NS, "a/b", system, metadata, 0, {}):
        assert name.isascii()
        assert not set(name) & set(" \t\r\n:\0")
        assert not set(value) & set("\r\n\0")
        value.encode("utf-8")


def test_defaults_of_the_personalities() -> None:
    """Each S3 has its own."""
    assert headers.default_content_type(Personality.AWS) == "binary/octet-stream"
    assert headers.default_content_type(Personality.ALLUXIO) == "application/octet-stream"


def test_etag_field() -> None:
    """Quoted, always."""
    assert headers.etag_field("abc") == (("ETag", '"abc"'),)
