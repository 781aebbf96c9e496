"""Signatures of version 4: S3's own examples, every refusal, and that nothing signed may change."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import awschunked, errors, sigv4
from s3daemon.wire.authorization import parse_claim
from s3daemon.wire.message import UNVERIFIED, Payload, Personality, S3Request
from s3daemon.wire.target import Endpoint, request_from
from tests.support.signing import Signer, signature_of

SIGNER = Signer()
EMPTY = hashlib.sha256().hexdigest()
ENDPOINTS = [Endpoint("", Personality.AWS), Endpoint("/api/v1/s3", Personality.ALLUXIO)]

Fields = list[tuple[bytes, bytes]]


def verify(
    method: str,
    target: str | bytes,
    fields: Fields | dict[str, str],
    *,
    secret: str = SIGNER.secret_key,
    now: float = SIGNER.now,
    region: str = "us-east-1",
    length: int | None = None,
) -> Payload:
    """What the door does, with one key for everybody."""
    raw = target.encode() if isinstance(target, str) else target
    if isinstance(fields, dict):
        fields = [(b"host", b"gateway.test")] + [
            (name.lower().encode(), value.encode()) for name, value in fields.items()
        ]
    request = request_from(method.encode(), raw, fields, ENDPOINTS, length=length)
    claim = parse_claim(request)
    assert claim is not None
    unverified = sigv4.examine(request, raw, fields, claim, region, now)
    return sigv4.verify(
        unverified, sigv4.signing_key(secret, claim.date, claim.region, claim.service)
    )


# ---------------------------------------------------------------- the examples of the documentation

EXAMPLE_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
EXAMPLE_NOW = 1369353600  # 20130524T000000Z
_CREDENTIAL = "AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request"
_HOST = (b"host", b"examplebucket.s3.amazonaws.com")
_DATE = (b"x-amz-date", b"20130524T000000Z")


def _signed_with(names: str, signature: str) -> tuple[bytes, bytes]:
    text = f"AWS4-HMAC-SHA256 Credential={_CREDENTIAL},SignedHeaders={names},Signature={signature}"
    return b"authorization", text.encode()


def _example(method: str, target: str, fields: Fields, length: int | None = None) -> Payload:
    return verify(
        method, target, [_HOST, *fields], secret=EXAMPLE_SECRET, now=EXAMPLE_NOW, length=length
    )


def test_example_get_object():
    payload = _example(
        "GET",
        "/test.txt",
        [
            _signed_with(
                "host;range;x-amz-content-sha256;x-amz-date",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (b"range", b"bytes=0-9"),
            (b"x-amz-content-sha256", EMPTY.encode()),
            _DATE,
        ],
    )
    assert payload is UNVERIFIED


def test_example_put_object():
    payload = _example(
        "PUT",
        "/test%24file.text",
        [
            (b"date", b"Fri, 24 May 2013 00:00:00 GMT"),
            _signed_with(
                "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
            _DATE,
            (b"x-amz-storage-class", b"REDUCED_REDUNDANCY"),
            (
                b"x-amz-content-sha256",
                b"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            ),
        ],
        length=21,
    )
    assert payload == Payload(sha256=hashlib.sha256(b"Welcome to Amazon S3.").digest())


def test_example_get_bucket_lifecycle():
    payload = _example(
        "GET",
        "/?lifecycle",
        [
            _signed_with(
                "host;x-amz-content-sha256;x-amz-date",
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (b"x-amz-content-sha256", EMPTY.encode()),
            _DATE,
        ],
    )
    assert payload is UNVERIFIED


def test_example_list_objects():
    payload = _example(
        "GET",
        "/?max-keys=2&prefix=J",
        [
            _signed_with(
                "host;x-amz-content-sha256;x-amz-date",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
            (b"x-amz-content-sha256", EMPTY.encode()),
            _DATE,
        ],
    )
    assert payload is UNVERIFIED


def test_example_presigned():
    payload = _example(
        "GET",
        "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        [],
    )
    assert payload is UNVERIFIED


def _chunked_example(fields: Fields, body: bytes) -> bytes:
    target = b"/examplebucket/chunkObject.txt"
    fields = [(b"host", b"s3.amazonaws.com"), *fields]
    request = request_from(b"PUT", target, fields, ENDPOINTS, length=len(body))
    claim = parse_claim(request)
    assert claim is not None
    unverified = sigv4.examine(request, target, fields, claim, "us-east-1", EXAMPLE_NOW)
    payload = sigv4.verify(unverified, sigv4.signing_key(EXAMPLE_SECRET, claim.date, claim.region))
    assert payload.sha256 is None
    decoder = awschunked.decoder_for(
        S3Request("PUT", headers=request.headers, length=66560, chunked_body=True, payload=payload)
    )
    assert decoder is not None
    content = decoder.feed(body)
    decoder.finish()
    return b"".join(content)


_CHUNKS = (
    b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
    + b"a" * 65536
    + b"\r\n400;chunk-signature="
    b"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
    + b"a" * 1024
    + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n"
)
_CHUNKED_FIELDS: Fields = [
    _DATE,
    (b"x-amz-storage-class", b"REDUCED_REDUNDANCY"),
    _signed_with(
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
        "x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    ),
    (b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
    (b"content-encoding", b"aws-chunked"),
    (b"x-amz-decoded-content-length", b"66560"),
    (b"content-length", b"66824"),
]


def test_example_chunks():
    assert _chunked_example(_CHUNKED_FIELDS, _CHUNKS + b"\r\n") == b"a" * 66560


def test_an_example_with_another_byte():
    with pytest.raises(errors.SignatureDoesNotMatch) as caught:
        _chunked_example(_CHUNKED_FIELDS, _CHUNKS.replace(b"a\r\n0;", b"b\r\n0;") + b"\r\n")
    detail = caught.value.detail
    assert detail["StringToSign"].startswith("AWS4-HMAC-SHA256-PAYLOAD\n20130524T000000Z\n")
    assert detail["SignatureProvided"].startswith("0055627c9e19")


def test_example_chunks_and_trailer():
    fields: Fields = [
        _DATE,
        (b"x-amz-storage-class", b"REDUCED_REDUNDANCY"),
        _signed_with(
            "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
            "x-amz-storage-class;x-amz-trailer",
            "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
        ),
        (b"x-amz-content-sha256", b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        (b"content-encoding", b"aws-chunked"),
        (b"x-amz-decoded-content-length", b"66560"),
        (b"x-amz-trailer", b"x-amz-checksum-crc32c"),
    ]
    body = (
        b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
        + b"a" * 65536
        + b"\r\n400;chunk-signature="
        b"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
        + b"a"
        * 1024
        + b"\r\n0;chunk-signature="
        b"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
        b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
        b"x-amz-trailer-signature:"
        b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )
    assert _chunked_example(fields, body) == b"a" * 66560


# ---------------------------------------------------------------- targets and fields


TARGETS = [
    "/",
    "/b",
    "/b/",
    "/b/k",
    "/b/a=b+c",
    "/b/a%2Bb",
    "/b/a%2Fb%2fc",
    "/b//a///b/./../c",
    "/b/a%20b",
    "/b/%E4%BD%A0%C3%A9",
    "/b/~tilde%7Etilde",
    "/b/(1)*!'$&,;:@",
    "/b/%61%2d%2E%5f",
    "/api/v1/s3/b/k",
    "/?x",
    "/b?list-type=2&prefix=a%2Fb&delimiter=%2F",
    "/b?versions&prefix=",
    "/b?prefix=a+b&marker=c%20d",
    "/b?z=1&a=2&A=3&a=1&a-b=1&a=",
    "/b?prefix=%c3%a9",
    "/b?prefix=caf\xe9",
    "/b/k?partNumber=1&uploadId=a~b.c_d-e",
    "/b/k?response-content-disposition=attachment%3B%20filename%3D%22a%26b%22",
    "/b?x=a=b",
    "/b?x&&y",
]


@pytest.mark.parametrize("target", TARGETS)
def test_targets(target):
    headers = SIGNER.headers("GET", target)
    assert verify("GET", target, headers) is UNVERIFIED
    with pytest.raises(errors.SignatureDoesNotMatch):
        verify("HEAD", target, headers)


@pytest.mark.parametrize("target", TARGETS)
def test_presigned_targets(target):
    presigned = SIGNER.presigned("GET", target)
    assert verify("GET", presigned, {}) is UNVERIFIED
    with pytest.raises(errors.SignatureDoesNotMatch):
        verify("PUT", presigned, {})


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-meta-a": "  a   b  c "},
        {"x-amz-meta-a": "a\t b"},
        {"x-amz-meta-a": '"a  b"'},
        {"x-amz-meta-a": ""},
        {"x-amz-meta-a": "caf\xe9"},
        {"range": "bytes=0-1", "content-type": "text/plain", "content-md5": "x=="},
        {"X-Amz-Meta-UPPER": "x"},
        {"expect": "100-continue", "user-agent": "x  y", "accept-encoding": "identity"},
    ],
)
def test_fields(headers):
    sent = SIGNER.headers("PUT", "/b/k", headers)
    fields = [(b"host", b"gateway.test")] + [
        (name.encode(), value.strip().encode()) for name, value in sent.items()
    ]
    assert verify("PUT", "/b/k", fields) is UNVERIFIED


def test_a_repeated_field_is_signed_as_one():
    sent = SIGNER.headers("PUT", "/b/k", {"x-amz-meta-a": "1,2  3,1"})
    fields = [(name.encode(), value.encode()) for name, value in sent.items()]
    fields = [field for field in fields if field[0] != b"x-amz-meta-a"] + [
        (b"host", b"gateway.test"),
        (b"x-amz-meta-a", b"1"),
        (b"x-amz-meta-a", b"2   3"),
        (b"x-amz-meta-a", b"1"),
    ]
    assert verify("PUT", "/b/k", fields) is UNVERIFIED
    with pytest.raises(errors.SignatureDoesNotMatch):
        verify("PUT", "/b/k", fields[:-1])


def test_what_is_not_signed_may_be_there():
    sent = SIGNER.headers("GET", "/b/k") | {"range": "bytes=0-1", "via": "1.1 proxy", "cookie": "x"}
    assert verify("GET", "/b/k", sent) is UNVERIFIED


def test_a_proxy_may_have_dealt_with_expect():
    sent = SIGNER.headers("PUT", "/b/k", {"expect": "100-continue"})
    del sent["expect"]
    assert verify("PUT", "/b/k", sent) is UNVERIFIED


@pytest.mark.parametrize(
    ("sent", "signed"),
    [
        ("Gateway.Test:80", "gateway.test:80"),
        ("Gateway.Test", "Gateway.Test"),
        ("127.0.0.1:39999", "127.0.0.1:39999"),
        ("[::1]:39999", "[::1]:39999"),
    ],
)
def test_hosts(sent, signed):
    headers = SIGNER.headers("GET", "/b/k", host=signed)
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert verify("GET", "/b/k", [*fields, (b"host", sent.encode())]) is UNVERIFIED
    with pytest.raises(errors.SignatureDoesNotMatch):
        verify("GET", "/b/k", [*fields, (b"host", b"other.test")])


@pytest.mark.parametrize("raw", ["/b/a(1)", "/b/a%2fb", "/b/%7Ea", "/b/a+b"])
def test_clients_that_sign_the_path_as_they_send_it(raw):
    """They get what they asked for, as the path stands for one key either way."""
    stamp = SIGNER.stamp
    canonical = (
        f"GET\n{raw}\n\nhost:gateway.test\nx-amz-content-sha256:{EMPTY}\nx-amz-date:{stamp}\n\n"
        f"host;x-amz-content-sha256;x-amz-date\n{EMPTY}"
    )
    signature = SIGNER.signature(SIGNER.string(canonical))
    headers = SIGNER.headers("GET", raw)
    headers["authorization"] = headers["authorization"].replace(signature_of(headers), signature)
    assert verify("GET", raw, headers) is UNVERIFIED
    with pytest.raises(errors.SignatureDoesNotMatch):
        verify("GET", raw.replace("a", "b"), headers)


@pytest.mark.parametrize("basic", [True, False])
def test_a_date_of_http(basic):
    """Some sign the time in the basic form whatever they send, some what they send."""
    sent = "Mon, 24 Nov 2025 16:00:00 GMT"
    headers = SIGNER.headers("GET", "/b/k", {"x-amz-date": sent})
    if not basic:
        canonical = (
            f"GET\n/b/k\n\nhost:gateway.test\nx-amz-content-sha256:{EMPTY}\nx-amz-date:{sent}\n\n"
            f"host;x-amz-content-sha256;x-amz-date\n{EMPTY}"
        )
        string = SIGNER.string(canonical).replace(SIGNER.stamp, sent)
        headers["authorization"] = headers["authorization"].replace(
            signature_of(headers), SIGNER.signature(string)
        )
    assert verify("GET", "/b/k", headers) is UNVERIFIED


# ---------------------------------------------------------------- refusals


def test_a_wrong_secret():
    headers = SIGNER.headers("GET", "/b/k?x=%3C")
    with pytest.raises(errors.SignatureDoesNotMatch) as caught:
        verify("GET", "/b/k?x=%3C", headers, secret="another")
    canonical = (
        f"GET\n/b/k\nx=%3C\nhost:gateway.test\nx-amz-content-sha256:{EMPTY}\n"
        f"x-amz-date:{SIGNER.stamp}\n\nhost;x-amz-content-sha256;x-amz-date\n{EMPTY}"
    )
    string = SIGNER.string(canonical)
    assert caught.value.status == 403
    assert caught.value.detail == {
        "AWSAccessKeyId": SIGNER.access_key,
        "StringToSign": string,
        "SignatureProvided": signature_of(headers),
        "StringToSignBytes": string.encode().hex(" "),
        "CanonicalRequest": canonical,
        "CanonicalRequestBytes": canonical.encode().hex(" "),
    }
    assert "another" not in str(caught.value.detail)


@pytest.mark.parametrize("seconds", [-900, -899, 0, 900])
def test_clocks_that_are_near_enough(seconds):
    headers = SIGNER.headers("GET", "/b/k")
    assert verify("GET", "/b/k", headers, now=SIGNER.now + seconds) is UNVERIFIED


@pytest.mark.parametrize(
    ("seconds", "server_time"), [(-901, "2025-11-24T15:44:59Z"), (901, "2025-11-24T16:15:01Z")]
)
def test_clocks_that_are_not(seconds, server_time):
    headers = SIGNER.headers("GET", "/b/k")
    with pytest.raises(errors.RequestTimeTooSkewed) as caught:
        verify("GET", "/b/k", headers, now=SIGNER.now + seconds)
    assert caught.value.status == 403
    assert caught.value.detail == {
        "RequestTime": "20251124T160000Z",
        "ServerTime": server_time,
        "MaxAllowedSkewMilliseconds": "900000",
    }


@pytest.mark.parametrize("seconds", [-900, 0, 299])
def test_a_presigned_url_in_its_time(seconds):
    target = SIGNER.presigned("GET", "/b/k", 300)
    assert verify("GET", target, {}, now=SIGNER.now + seconds) is UNVERIFIED


@pytest.mark.parametrize(("expires", "seconds"), [(300, 300), (300, 10_000), (0, 0), (604800, 1e6)])
def test_a_presigned_url_that_has_expired(expires, seconds):
    target = SIGNER.presigned("GET", "/b/k", expires)
    with pytest.raises(errors.AccessDenied, match="Request has expired") as caught:
        verify("GET", target, {}, now=SIGNER.now + seconds)
    detail = caught.value.detail
    assert list(detail) == ["X-Amz-Expires", "Expires", "ServerTime"]
    assert detail["X-Amz-Expires"] == str(expires)


def test_a_presigned_url_that_is_not_valid_yet():
    target = SIGNER.presigned("GET", "/b/k")
    with pytest.raises(errors.AccessDenied, match="Request is not yet valid") as caught:
        verify("GET", target, {}, now=SIGNER.now - 901)
    assert caught.value.detail == {
        "X-Amz-Date": "1764000000000",
        "Expires": "2025-11-24T16:05:00Z",
        "ServerTime": "2025-11-24T15:44:59Z",
    }


SCOPES = [
    (
        Signer(region="eu-west-1"),
        "the region 'eu-west-1' is wrong; expecting 'us-east-1'",
        {"Region": "us-east-1"},
    ),
    (
        Signer(service="sts"),
        'incorrect service "sts". This endpoint belongs to "s3".',
        {},
    ),
]


@pytest.mark.parametrize(("signer", "says", "detail"), SCOPES)
def test_scopes_that_are_not_for_here(signer, says, detail):
    with pytest.raises(errors.AuthorizationHeaderMalformed) as caught:
        verify("GET", "/b/k", signer.headers("GET", "/b/k"))
    assert str(caught.value) == "The authorization header is malformed; " + says
    assert caught.value.detail == detail
    with pytest.raises(errors.AuthorizationQueryParametersError) as caught_too:
        verify("GET", signer.presigned("GET", "/b/k"), {})
    assert str(caught_too.value) == "Error parsing the X-Amz-Credential parameter; " + says
    assert caught_too.value.detail == detail


def test_another_terminal():
    headers = SIGNER.headers("GET", "/b/k")
    headers["authorization"] = headers["authorization"].replace("aws4_request", "aws5_request")
    with pytest.raises(errors.AuthorizationHeaderMalformed, match='incorrect terminal "aws5_requ'):
        verify("GET", "/b/k", headers)


def test_the_day_of_the_scope_is_not_that_of_the_request():
    headers = SIGNER.headers("GET", "/b/k")
    headers["authorization"] = headers["authorization"].replace("20251124", "20251123")
    with pytest.raises(errors.AuthorizationHeaderMalformed, match="Invalid credential date"):
        verify("GET", "/b/k", headers)
    query = {"X-Amz-Credential": f"{SIGNER.access_key}/20251123/us-east-1/s3/aws4_request"}
    with pytest.raises(errors.AuthorizationQueryParametersError) as caught:
        verify("GET", SIGNER.presigned("GET", "/b/k", query=query), {})
    assert str(caught.value) == (
        'Invalid credential date "20251123". This date is not the same as X-Amz-Date: "20251124".'
    )


NOT_SIGNED = "There were headers present in the request which were not signed"


@pytest.mark.parametrize(
    ("extra", "names"),
    [
        ({"x-amz-acl": "public-read"}, "x-amz-acl"),
        ({"X-Amz-Meta-B": "2", "x-amz-meta-a": "1"}, "x-amz-meta-a, x-amz-meta-b"),
        ({"content-md5": "x"}, "content-md5"),
        ({"x-amz-copy-source": "/b/other"}, "x-amz-copy-source"),
        ({"x-amz-security-token": "x"}, "x-amz-security-token"),
    ],
)
def test_fields_that_have_to_be_signed(extra, names):
    headers = SIGNER.headers("PUT", "/b/k") | extra
    with pytest.raises(errors.AccessDenied, match=NOT_SIGNED) as caught:
        verify("PUT", "/b/k", headers)
    assert caught.value.detail == {"HeadersNotSigned": names}
    with pytest.raises(errors.AccessDenied, match=NOT_SIGNED) as caught:
        verify("PUT", SIGNER.presigned("PUT", "/b/k"), extra)
    assert caught.value.detail == {"HeadersNotSigned": names}


def test_the_host_has_to_be_signed():
    headers = SIGNER.headers("GET", "/b/k", sign=["x-amz-content-sha256", "x-amz-date"])
    with pytest.raises(errors.AccessDenied, match=NOT_SIGNED) as caught:
        verify("GET", "/b/k", headers)
    assert caught.value.detail == {"HeadersNotSigned": "host"}


def test_the_hash_of_the_body_is_signed_in_any_case():
    headers = SIGNER.headers("GET", "/b/k", sign=["host", "x-amz-date"])
    assert verify("GET", "/b/k", headers) is UNVERIFIED
    with pytest.raises(errors.SignatureDoesNotMatch):
        verify("GET", "/b/k", headers | {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"})


@pytest.mark.parametrize("presigned", [True, False])
def test_session_tokens(presigned):
    token = {"x-amz-security-token": "FwoGZXIvYXdzE"}
    with pytest.raises(errors.InvalidToken) as caught:
        if presigned:
            verify("GET", SIGNER.presigned("GET", "/b/k", query={"X-Amz-Security-Token": "x"}), {})
        else:
            verify("GET", "/b/k", SIGNER.headers("GET", "/b/k", token))
    assert caught.value.status == 400


@pytest.mark.parametrize("signature", ["", "x", "0" * 64, "0" * 63, "\udcff" * 64, "\xe9" * 64])
def test_what_is_no_signature(signature):
    headers = SIGNER.headers("GET", "/b/k")
    whole = headers["authorization"].replace(signature_of(headers), signature)
    fields = [(b"host", b"gateway.test")] + [
        (name.encode(), value.encode("utf-8", "surrogateescape"))
        for name, value in (headers | {"authorization": whole}).items()
    ]
    with pytest.raises(errors.SignatureDoesNotMatch):
        verify("GET", "/b/k", fields)


# ---------------------------------------------------------------- the body


def test_a_signed_hash_is_what_the_body_has_to_have():
    headers = SIGNER.headers("PUT", "/b/k", body=b"hello")
    payload = verify("PUT", "/b/k", headers, length=5)
    assert payload == Payload(sha256=hashlib.sha256(b"hello").digest())
    upper = SIGNER.headers("PUT", "/b/k", payload=hashlib.sha256(b"hello").hexdigest().upper())
    assert verify("PUT", "/b/k", upper, length=5) == payload


def test_a_hash_and_no_body():
    headers = SIGNER.headers("PUT", "/b/k", body=b"hello")
    for length in (0, None):
        with pytest.raises(errors.XAmzContentSHA256Mismatch) as caught:
            verify("PUT", "/b/k", headers, length=length)
        assert caught.value.detail == {
            "ClientComputedContentSHA256": hashlib.sha256(b"hello").hexdigest(),
            "S3ComputedContentSHA256": EMPTY,
        }
    chunked = SIGNER.headers("PUT", "/b/k", {"transfer-encoding": "chunked"}, body=b"hello")
    assert verify("PUT", "/b/k", chunked).sha256 is not None


@pytest.mark.parametrize(
    "value", ["UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "a" * 64]
)
def test_presigned_with_something_said_of_the_body(value):
    in_field = SIGNER.presigned(
        "PUT", "/b/k", headers={"x-amz-content-sha256": value}, payload=value
    )
    in_query = SIGNER.presigned("PUT", "/b/k", payload=value, query={"X-Amz-Content-Sha256": value})
    expected = bytes.fromhex(value) if len(value) == 64 else None
    more = {"x-amz-decoded-content-length": "5"} if "STREAMING" in value else {}
    if not more:
        headers = {"x-amz-content-sha256": value}
        assert verify("PUT", in_field, headers, length=5).sha256 == expected
        assert verify("PUT", in_query, {}, length=5).sha256 == expected
        with pytest.raises(errors.SignatureDoesNotMatch):
            verify("PUT", SIGNER.presigned("PUT", "/b/k", payload="x"), headers, length=5)


def test_presigned_with_nonsense_about_the_body():
    target = SIGNER.presigned("PUT", "/b/k", payload="x", query={"X-Amz-Content-Sha256": "x"})
    with pytest.raises(errors.InvalidArgument):
        verify("PUT", target, {}, length=5)


STREAMING = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"


def _stream(trailers: dict[str, str]) -> tuple[dict[str, str], bytes, int]:
    """A signed upload: its headers, its body, bytes of its content."""
    headers = SIGNER.headers(
        "PUT",
        "/b/k",
        {"x-amz-decoded-content-length": "9", "content-encoding": "aws-chunked"},
        payload=STREAMING + ("-TRAILER" if trailers else ""),
    )
    return headers, SIGNER.chunked(signature_of(headers), [b"hello", b"\r\n;="], trailers), 9


def _decode(headers: dict[str, str], body: bytes) -> bytes:
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    request = request_from(b"PUT", b"/b/k", fields, ENDPOINTS)
    payload = verify("PUT", "/b/k", headers)
    decoder = awschunked.decoder_for(
        S3Request(
            "PUT",
            headers=request.headers,
            length=request.length,
            chunked_body=True,
            payload=payload,
        )
    )
    assert decoder is not None
    content = decoder.feed(body)
    decoder.finish()
    return b"".join(content)


TRAILERS = [{}, {"x-amz-checksum-crc32": "AAAAAA=="}, {"x-b": "1", "x-a": "2"}]


@pytest.mark.parametrize("trailers", TRAILERS)
def test_signed_streams(trailers):
    headers, body, _ = _stream(trailers)
    assert _decode(headers, body) == b"hello\r\n;="
    # A retry of the same request has a verifier of its own.
    assert _decode(headers, body) == b"hello\r\n;="


@given(st.sampled_from(TRAILERS), st.data())
def test_no_byte_of_a_signed_stream_may_change(trailers, data):
    headers, body, _ = _stream(trailers)
    index = data.draw(st.integers(0, len(body) - 1))
    changed = bytearray(body)
    changed[index] ^= data.draw(st.integers(1, 255))
    try:
        content = _decode(headers, bytes(changed))
    except errors.S3Error:
        return
    # What is left may have other letters for the same numbers and names, and nothing else.
    assert content == b"hello\r\n;="
    assert bytes(changed).lower() == body.lower()


def test_chunks_in_another_order():
    headers, body, _ = _stream({})
    first, second = body[:91], body[91:181]
    assert (first[-7:], second[-6:]) == (b"hello\r\n", b"\r\n;=\r\n")
    with pytest.raises(errors.SignatureDoesNotMatch):
        _decode(headers, second + first + body[181:])


def test_a_stream_that_ends_early():
    headers, body, _ = _stream({})
    with pytest.raises(errors.IncompleteBody):
        _decode(headers, body[:91])
    last = body[181:]
    with pytest.raises(errors.SignatureDoesNotMatch):
        _decode(headers, body[:91] + last)


# ---------------------------------------------------------------- nothing signed may change


@given(st.data())
def test_no_byte_of_a_signed_head_may_change(data):
    target = "/bucket/key%20of?partNumber=1&uploadId=a%2Fb"
    headers = SIGNER.headers("PUT", target, {"x-amz-meta-a": "some value", "range": "bytes=0-1"})
    fields = [(b"host", b"gateway.test")] + [
        (name.encode(), value.encode()) for name, value in headers.items()
    ]
    parts = [target.encode(), *(value for _, value in fields)]
    which = data.draw(st.integers(0, len(parts) - 1))
    changed = bytearray(parts[which])
    index = data.draw(st.integers(0, len(changed) - 1))
    changed[index] = data.draw(st.integers(0x21, 0x7E).filter(lambda c: c != changed[index]))
    before = request_from(b"PUT", parts[0], fields, ENDPOINTS)
    parts[which] = bytes(changed)
    fields = [(name, value) for (name, _), value in zip(fields, parts[1:], strict=True)]
    try:
        verify("PUT", parts[0], fields, length=None)
    except errors.S3Error:
        return
    # The same in other letters: another request would be another key, query or field.
    after = request_from(b"PUT", parts[0], fields, ENDPOINTS)
    assert (after.bucket, after.key, after.query) == (before.bucket, before.key, before.query)
    unsigned = ("authorization", "host")
    for name, value in before.headers.items():
        if name not in unsigned:
            assert after.headers[name] == value
    assert after.headers["host"].lower() == before.headers["host"]
