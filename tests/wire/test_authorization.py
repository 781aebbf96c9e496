"""Claims: what is read, and what is refused with which error."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import errors
from s3daemon.wire.authorization import AccessClaim, parse_claim
from s3daemon.wire.message import Personality, S3Request
from s3daemon.wire.target import Endpoint, request_from

SIG = "0123456789abcdef" * 4
SCOPE = "20261124/us-east-1/s3/aws4_request"


def header(text: str | None, query: dict[str, str] | None = None) -> S3Request:
    headers = {} if text is None else {"authorization": text}
    return S3Request("GET", "b", "k", query=query or {}, headers=headers)


def v4(key: str = "AK", scope: str = SCOPE, names: str = "host;x-amz-date", sig: str = SIG) -> str:
    return f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={sig}"


def presigned(**changes: str | None) -> dict[str, str]:
    query = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"AK/{SCOPE}",
        "X-Amz-Date": "20261124T010203Z",
        "X-Amz-Expires": "300",
        "X-Amz-SignedHeaders": "host",
        "X-Amz-Signature": SIG,
    }
    for name, value in changes.items():
        full = "X-Amz-" + name
        if value is None:
            del query[full]
        else:
            query[full] = value
    return query


def test_nothing_given():
    assert parse_claim(header(None)) is None
    assert parse_claim(header(None, {"prefix": "x", "Signature": "x", "Expires": "1"})) is None


WHOLE = AccessClaim(
    "AK",
    "AWS4-HMAC-SHA256",
    False,
    "20261124",
    "us-east-1",
    "s3",
    ("host", "x-amz-date"),
    SIG,
)


@pytest.mark.parametrize(
    "text",
    [
        v4(),
        v4().replace(", ", ","),
        v4().replace(", ", " ,\t "),
        v4().replace("256 ", "256   "),
        f"AWS4-HMAC-SHA256 Signature={SIG},SignedHeaders=host;x-amz-date,Credential=AK/{SCOPE}",
    ],
)
def test_header_of_version_4(text):
    assert parse_claim(header(text)) == WHOLE


@pytest.mark.parametrize("key", ["AK", "a/b", "/", "user@host", "a=b", "caf\xe9"])
def test_access_keys(key):
    claim = parse_claim(header(v4(key)))
    assert claim is not None
    assert (claim.access_key, claim.date) == (key, "20261124")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "AWS",
        "AWS ",
        "AWS :sig",
        "AWS key",
        "AWS key:",
        "Bearer x",
        "Basic dXNlcjpwYXNz",
        "aws4-hmac-sha256 " + v4().partition(" ")[2],
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        "AWS4-ECDSA-P256-SHA256 " + v4().partition(" ")[2],
        v4().replace(", ", " "),
        v4() + ",",
        v4() + ", X=y",
        v4() + f", Signature={SIG}",
        v4().replace("SignedHeaders", "signedheaders"),
        v4().rpartition(",")[0],
        v4().replace("AK", ""),
        v4(key="a b"),
        v4(scope="2026112/us-east-1/s3/aws4_request"),
        v4(scope="20261124//s3/aws4_request"),
        v4(scope="20261124/us-east-1/s3/aws4"),
        v4(scope="20261124/us-east-1/s3/aws4_request/"),
        v4(scope="20261124/us-east-1/aws4_request"),
        v4(names=""),
        v4(names="Host"),
        v4(names="host;"),
        v4(sig=""),
        v4(sig=SIG[1:]),
        v4(sig=SIG.upper()),
        v4(sig="..."),
    ],
)
def test_malformed_headers(text):
    with pytest.raises(errors.AuthorizationHeaderMalformed):
        parse_claim(header(text))


def test_a_refusal_says_what_is_expected_and_not_what_was_sent():
    with pytest.raises(errors.AuthorizationHeaderMalformed, match="Credential=") as caught:
        parse_claim(header("Bearer very-secret"))
    assert "very-secret" not in str(caught.value)
    assert SIG not in repr(WHOLE)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("text", "key"), [("AWS AK:c2ln", "AK"), ("AWS  a:b:c2ln ", "a:b"), ("AWS u@h:x=", "u@h")]
)
def test_header_of_version_2(text, key, lenient):
    claim = parse_claim(header(text), lenient)
    assert claim is not None
    assert (claim.access_key, claim.scheme, claim.presigned) == (key, "AWS", False)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (v4("testuser"), "testuser"),
        ("AWS4-HMAC-SHA256 Credential=testuser/... SignedHeaders=... Signature=...", "testuser"),
        ("AWS4-HMAC-SHA256 Credential=testuser/", "testuser"),
        ("AWS4-HMAC-SHA256  Credential=testuser/x,SignedHeaders=,Signature=", "testuser"),
        ("AWS4-HMAC-SHA256 SignedHeaders=host, Credential=testuser/x", "testuser"),
        ("AWS4-HMAC-SHA256 Credential=a/b/" + SCOPE, "a"),
    ],
)
def test_the_lenient_form_reads_the_name_only(text, name):
    claim = parse_claim(header(text), lenient=True)
    assert claim == AccessClaim(name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Bearer testuser/",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 Credential=testuser",
        "AWS4-HMAC-SHA256 Credential=/20261124",
        "AWS4-HMAC-SHA256 Credential=test user/x",
        "AWS4-HMAC-SHA256 Credential=, SignedHeaders=a/b",
        "AWS4-HMAC-SHA256 xCredential=testuser/x",
        "AWS4-HMAC-SHA256Credential=testuser/x",
        "AWS testuser",
    ],
)
def test_malformed_lenient_headers(text):
    with pytest.raises(errors.AuthorizationHeaderMalformed):
        parse_claim(header(text), lenient=True)


def test_presigned_version_4():
    assert parse_claim(header(None, presigned())) == AccessClaim(
        "AK", "AWS4-HMAC-SHA256", True, "20261124", "us-east-1", "s3", ("host",), SIG
    )
    lower = {name.lower(): value for name, value in presigned().items()}
    assert parse_claim(header(None, lower)) == parse_claim(header(None, presigned()))


@pytest.mark.parametrize(
    "changes",
    [
        {"Algorithm": None},
        {"Algorithm": "AWS4-ECDSA-P256-SHA256"},
        {"Credential": None},
        {"Credential": "AK"},
        {"Credential": "/" + SCOPE},
        {"Date": None},
        {"Date": "20261124"},
        {"Expires": None},
        {"Expires": ""},
        {"Expires": "-1"},
        {"Expires": "1.5"},
        {"Expires": "604801"},
        {"Expires": "9" * 400},
        {"SignedHeaders": None},
        {"SignedHeaders": ""},
        {"Signature": None},
        {"Signature": "00"},
    ],
)
def test_malformed_presigned_queries(changes):
    with pytest.raises(errors.AuthorizationQueryParametersError):
        parse_claim(header(None, presigned(**changes)))


def test_presigned_leniently():
    query = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": "testuser/..."}
    assert parse_claim(header(None, query), lenient=True) == AccessClaim("testuser", presigned=True)


@pytest.mark.parametrize("credential", ["testuser", "/x", ""])
def test_malformed_lenient_presigned_queries(credential):
    query = {"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": credential}
    with pytest.raises(errors.AuthorizationQueryParametersError):
        parse_claim(header(None, query), lenient=True)


V2_QUERY = {"AWSAccessKeyId": "AK", "Signature": "c2ln", "Expires": "1795494015"}


def test_presigned_version_2():
    assert parse_claim(header(None, V2_QUERY)) == AccessClaim("AK", "AWS", True, signature="c2ln")


@pytest.mark.parametrize(
    "change", [{"Signature": ""}, {"Expires": ""}, {"Expires": "x"}, {"AWSAccessKeyId": ""}]
)
def test_malformed_presigned_version_2(change):
    with pytest.raises(errors.AccessDenied):
        parse_claim(header(None, V2_QUERY | change))


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("text", "query"),
    [
        (v4(), presigned()),
        (v4(), V2_QUERY),
        ("AWS a:b", {"x-amz-credential": "x"}),
        (None, presigned() | V2_QUERY),
    ],
)
def test_only_one_claim(text, query, lenient):
    with pytest.raises(errors.InvalidArgument):
        parse_claim(header(text, query), lenient)


def test_from_a_raw_target():
    target = "/b/k?" + urlencode(presigned())
    request = request_from(b"GET", target.encode(), [], [Endpoint("", Personality.AWS)])
    claim = parse_claim(request)
    assert claim is not None
    assert claim.access_key == "AK"


@given(st.text(max_size=60), st.sampled_from(["", "AWS ", "AWS4-HMAC-SHA256 "]), st.booleans())
def test_garbage_is_read_or_refused(noise, start, lenient):
    try:
        claim = parse_claim(header(start + noise), lenient)
    except errors.AuthorizationHeaderMalformed:
        pass
    else:
        assert claim is not None
        assert claim.access_key
