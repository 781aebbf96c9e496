"""S3 errors as classes, and the document that carries one."""

from __future__ import annotations

import pytest
from lxml import etree

from s3daemon.wire import error_document, errors

ALL = errors.S3Error.__subclasses__()


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_every_error_has_what_a_client_needs(error):
    assert error().code == error.__name__
    assert str(error()) == error.message != ""
    assert error.status in (304, 400, 403, 404, 405, 409, 411, 412, 416, 500, 501, 503, 507)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("AccessDenied", 403),
        ("BucketAlreadyExists", 409),
        ("IncompleteBody", 400),
        ("InvalidRange", 416),
        ("MethodNotAllowed", 405),
        ("MissingContentLength", 411),
        ("NoSuchKey", 404),
        ("NotImplemented", 501),
        ("PreconditionFailed", 412),
        ("SlowDown", 503),
    ],
)
def test_statuses_of_the_reference(code, status):
    assert getattr(errors, code).status == status


def test_what_a_raiser_says():
    detail, headers = {"Key": "k"}, {"Allow": "GET"}
    error = errors.NoSuchKey("gone", detail=detail, headers=headers, resource="/b/k")
    detail.clear()
    headers.clear()
    assert (str(error), error.detail, error.headers, error.resource) == (
        "gone",
        {"Key": "k"},
        {"Allow": "GET"},
        "/b/k",
    )
    assert errors.NoSuchKey().resource is None


def test_document_in_the_order_of_s3_without_a_namespace():
    assert error_document.render(
        "NoSuchKey", "m", "/b/k", "R1", "H1", {"Key": "k", "Z": "z", "A": ""}
    ) == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b"<Error><Code>NoSuchKey</Code><Message>m</Message><Key>k</Key><Z>z</Z><A></A>"
        b"<Resource>/b/k</Resource><RequestId>R1</RequestId><HostId>H1</HostId></Error>"
    )


def test_document_cannot_be_injected_into():
    body = error_document.render("C", "<a>", "/b/&\x00\udc80é", "R", "H", {"Key": "]]></Key>"})
    root = etree.fromstring(body)
    assert [child.tag for child in root] == [
        "Code",
        "Message",
        "Key",
        "Resource",
        "RequestId",
        "HostId",
    ]
    assert root.findtext("Key") == "]]></Key>"
    assert root.findtext("Resource") == "/b/&??é"


@pytest.mark.parametrize("text", ["\x00", "\x1f\x7f\x85", "\ud800", "\ufffe", "\r\n", "a\tb"])
def test_a_document_can_be_read_whatever_is_in_it(text):
    body = error_document.render("C", text, text, "R", "H", {"Key": text})
    root = etree.fromstring(body)
    assert root.findtext("Code") == "C"
    assert root.findtext("Key") == root.findtext("Resource") == root.findtext("Message")
