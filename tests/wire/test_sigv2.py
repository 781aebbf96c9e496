"""Signatures of version 2: the documentation's examples, how resources are written, refusals."""

from __future__ import annotations

import pytest

from s3daemon.wire import errors, sigv2
from s3daemon.wire.authorization import parse_claim
from s3daemon.wire.claim import AccessClaim
from s3daemon.wire.message import Personality, S3Request
from s3daemon.wire.operations import OPERATIONS
from s3daemon.wire.request_time import check_time
from s3daemon.wire.target import Endpoint, request_from
from s3daemon.wire.unsupported import UNSUPPORTED

ENDPOINTS = [Endpoint("", Personality.AWS), Endpoint("/api/v1/s3", Personality.ALLUXIO)]
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def read(
    method: str, target: str, headers: dict[str, str], host: str = "awsexamplebucket1.s3.test"
) -> tuple[S3Request, AccessClaim]:
    fields = [(b"host", host.encode())] + [
        (name.lower().encode(), value.encode()) for name, value in headers.items()
    ]
    request = request_from(method.encode(), target.encode(), fields, ENDPOINTS, ["s3.test"])
    claim = parse_claim(request)
    assert claim is not None
    return request, claim


def verify(method: str, target: str, headers: dict[str, str], **more: str) -> None:
    request, claim = read(method, target, headers, **more)
    sigv2.verify(request, target.encode(), claim, SECRET)


def signed(signature: str, **headers: str) -> dict[str, str]:
    return {"authorization": f"AWS {ACCESS_KEY}:{signature}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }


@pytest.mark.parametrize(
    ("method", "target", "headers", "host"),
    [
        (
            "GET",
            "/photos/puppy.jpg",
            signed("qgk2+6Sv9/oM7G3qLEjTH1a1l1g=", date="Tue, 27 Mar 2007 19:36:42 +0000"),
            "awsexamplebucket1.s3.test",
        ),
        (
            "PUT",
            "/photos/puppy.jpg",
            signed(
                "iqRzw+ileNPu1fhspnRs8nOjjIA=",
                date="Tue, 27 Mar 2007 21:15:45 +0000",
                content_type="image/jpeg",
                content_length="94328",
            ),
            "awsexamplebucket1.s3.test",
        ),
        (
            "GET",
            "/?prefix=photos&max-keys=50&marker=puppy",
            signed("m0WP8eCtspQl5Ahe6L1SozdX9YA=", date="Tue, 27 Mar 2007 19:42:41 +0000"),
            "awsexamplebucket1.s3.test",
        ),
        (
            "GET",
            "/?acl",
            signed("82ZHiFIjc+WbcwFKGUVEQspPn+0=", date="Tue, 27 Mar 2007 19:44:46 +0000"),
            "awsexamplebucket1.s3.test",
        ),
        (
            "DELETE",
            "/awsexamplebucket1/photos/puppy.jpg",
            signed(
                "XbyTlbQdu9Xw5o8P4iMwPktxQd8=",
                date="Tue, 27 Mar 2007 21:20:26 +0000",
            ),
            "s3.test",
        ),
        (
            "GET",
            "/",
            signed("qGdzdERIC03wnaRNKh6OqZehG9s=", date="Wed, 28 Mar 2007 01:29:59 +0000"),
            "s3.test",
        ),
        (
            "GET",
            "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re",
            signed("DNEZGsoieTZ92F3bUfSPQcbGmlM=", date="Wed, 28 Mar 2007 01:49:49 +0000"),
            "s3.test",
        ),
    ],
)
def test_examples_of_the_documentation(method, target, headers, host):
    verify(method, target, headers, host=host)
    changed = headers | {"authorization": headers["authorization"][:-2] + "x="}
    with pytest.raises(errors.SignatureDoesNotMatch):
        verify(method, target, changed, host=host)


def sign(string: str) -> str:
    return sigv2.sign(SECRET, string.encode())


DATE = "Tue, 27 Mar 2007 19:36:42 GMT"


@pytest.mark.parametrize(
    ("target", "host", "resource"),
    [
        ("/b/k", "h", "/b/k"),
        ("/b/b/k", "h", "/b/b/k"),
        ("/b/k", "b.s3.test", "/b/b/k"),
        ("/k%20%2b+", "b.s3.test", "/b/k%20%2b+"),
        ("/", "b.s3.test", "/b/"),
        ("/?acl", "b.s3.test", "/b/?acl"),
        ("/b", "h", "/b"),
        ("/b", "h", "/b/"),
        ("/b/", "h", "/b"),
        ("/b?acl", "h", "/b/?acl"),
        ("/api/v1/s3/b/k", "h", "/b/k"),
        ("/api/v1/s3/b/k", "h", "/api/v1/s3/b/k"),
        ("/api/v1/s3/b", "h", "/b/"),
        ("/api/v1/s3", "h", "/"),
        ("/b/k?uploadId=a%2Fb&partNumber=1&x=2", "h", "/b/k?partNumber=1&uploadId=a/b"),
        ("/b?delete&x-amz-y=1", "h", "/b?delete"),
        ("/b/k?tagging=", "h", "/b/k?tagging"),
        ("/b/k?tagging=", "h", "/b/k?tagging="),
        ("/b/k?ACL&prefix=x", "h", "/b/k"),
        ("/b/k?response-content-type=text%2Fplain", "h", "/b/k?response-content-type=text/plain"),
    ],
)
def test_how_the_resource_may_be_written(target, host, resource):
    amz = "x-amz-y:1\n" if "x-amz-y" in target else ""
    string = f"GET\n\n\n{DATE}\n{amz}{resource}"
    verify("GET", target, signed(sign(string), date=DATE), host=host)


@pytest.mark.parametrize(
    ("target", "host", "resource"),
    [
        ("/b/k", "h", "/b/b/k"),
        ("/b/b/k", "h", "/b/k"),
        ("/b/k", "b.s3.test", "/b/k"),
        ("/b/k/", "h", "/b/k"),
        ("/b/k", "h", "/b/k/"),
        ("/b/k?acl", "h", "/b/k"),
        ("/b/k?partNumber=1", "h", "/b/k?partNumber=2"),
    ],
)
def test_a_signature_for_something_else(target, host, resource):
    string = f"GET\n\n\n{DATE}\n{resource}"
    with pytest.raises(errors.SignatureDoesNotMatch):
        verify("GET", target, signed(sign(string), date=DATE), host=host)


def test_fields_that_are_signed():
    string = (
        f"PUT\nmd5==\ntext/plain\n\nx-amz-acl:private\nx-amz-date:{DATE}\nx-amz-meta-a:1,2\n/b/k"
    )
    headers = signed(
        sign(string),
        x_amz_date=DATE,
        date="whatever",
        content_md5="md5==",
        content_type="text/plain",
        x_amz_meta_a="1,2",
        x_amz_acl="private",
    )
    verify("PUT", "/b/k", headers, host="h")
    for name in ("content-md5", "content-type", "x-amz-meta-a", "x-amz-acl"):
        with pytest.raises(errors.SignatureDoesNotMatch):
            verify("PUT", "/b/k", headers | {name: "x"}, host="h")


def test_presigned():
    signature = sign("GET\n\n\n1175139620\n/b/k").replace("+", "%2B").replace("=", "%3D")
    target = f"/b/k?AWSAccessKeyId={ACCESS_KEY}&Expires=1175139620&Signature={signature}"
    verify("GET", target, {}, host="h")
    _, claim = read("GET", target, {}, host="h")
    check_time(claim, 1175139619)
    with pytest.raises(errors.AccessDenied, match="Request has expired") as caught:
        check_time(claim, 1175139620)
    assert caught.value.detail == {
        "Expires": "2007-03-29T03:40:20Z",
        "ServerTime": "2007-03-29T03:40:20Z",
    }
    with pytest.raises(errors.SignatureDoesNotMatch):
        verify("GET", target.replace("9620", "9621"), {}, host="h")


@pytest.mark.parametrize("seconds", [-901, 901])
def test_clocks(seconds):
    _, claim = read("GET", "/b/k", signed("x", date=DATE), host="h")
    assert claim.time is not None
    check_time(claim, claim.time + 900)
    with pytest.raises(errors.RequestTimeTooSkewed):
        check_time(claim, claim.time + seconds)


def test_what_a_refusal_shows():
    with pytest.raises(errors.SignatureDoesNotMatch) as caught:
        verify("GET", "/b/k", signed("bogus", date=DATE), host="h")
    string = f"GET\n\n\n{DATE}\n/b/k"
    assert caught.value.detail == {
        "AWSAccessKeyId": ACCESS_KEY,
        "StringToSign": string,
        "SignatureProvided": "bogus",
        "StringToSignBytes": string.encode().hex(" "),
    }


def test_every_sub_resource_is_signed() -> None:
    """Else a URL that was signed for an object would be good for what is kept beside it, too."""
    here = {name.partition("=")[0] for row in OPERATIONS for name in row.required}
    assert (here | UNSUPPORTED) - {"list-type"} <= sigv2.SIGNED
