"""Claims: what is read, and what is refused with which error."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import errors
from s3daemon.wire.authorization import parse_claim
from s3daemon.wire.claim import AccessClaim
from s3daemon.wire.message import Personality, S3Request
from s3daemon.wire.target import Endpoint, request_from

SIG = "0123456789abcdef" * 4
SCOPE = "20261124/us-east-1/s3/aws4_request"
TIME = 1795482123
SIGNED = {"x-amz-date": "20261124T010203Z", "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}


def header(text: str | None, query: dict[str, str] | None = None, **more: str) -> S3Request:
    headers = SIGNED | {name.replace("_", "-"): value for name, value in more.items()}
    if text is not None:
        headers["authorization"] = text
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


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("text", [None, ""])
def test_nothing_given(text, lenient):
    assert parse_claim(header(text), lenient) is None
    assert parse_claim(header(text, {"prefix": "x", "Expires": "1"}), lenient) is None


WHOLE = AccessClaim(
    access_key="AK",
    scheme="AWS4-HMAC-SHA256",
    presigned=False,
    date="20261124",
    region="us-east-1",
    service="s3",
    terminal="aws4_request",
    signed_headers=("host", "x-amz-date"),
    signature=SIG,
    signed_at="20261124T010203Z",
    time=TIME,
)


@pytest.mark.parametrize(
    "text",
    [
        v4(),
        v4().replace(", ", ","),
        v4().replace(", ", " ,\t "),
        v4().replace("256 ", "256   "),
        v4() + ",",
        v4() + ", X=y",
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
    "headers",
    [
        {"x-amz-date": "20261124T010203Z", "date": "Bad Date"},
        {"x-amz-date": "Tue, 24 Nov 2026 01:02:03 GMT"},
        {"date": "20261124T010203Z"},
        {"date": "Tue, 24 Nov 2026 01:02:03 GMT"},
        {"date": "Tue Nov 24 01:02:03 2026"},
    ],
)
def test_when_it_was_signed(headers):
    fields = {"authorization": v4(), "x-amz-content-sha256": "a" * 64, **headers}
    claim = parse_claim(S3Request("GET", headers=fields))
    assert claim is not None
    assert claim.signed_at == headers.get("x-amz-date", headers.get("date"))
    assert claim.time == TIME


THREE = "requires three components: Credential, SignedHeaders, and Signature"
MALFORMED = errors.AuthorizationHeaderMalformed


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("AWS", errors.InvalidArgument, "one and only one ' ' (space) required"),
        ("x", errors.InvalidArgument, "one and only one ' ' (space) required"),
        ("AWS4-HMAC-SHA256", errors.InvalidArgument, "one and only one ' ' (space) required"),
        ("AWS ", errors.InvalidArgument, "Expected AwsAccessKeyId:signature"),
        ("AWS HAHAHA", errors.InvalidArgument, "Expected AwsAccessKeyId:signature"),
        ("AWS :sig", errors.InvalidArgument, "Expected AwsAccessKeyId:signature"),
        ("AWS key:", errors.InvalidArgument, "Expected AwsAccessKeyId:signature"),
        ("AWS  key:sig", errors.InvalidArgument, "Expected AwsAccessKeyId:signature"),
        ("Bearer x", errors.InvalidArgument, "Unsupported Authorization Type"),
        ("Basic dXNlcjpwYXNz", errors.InvalidArgument, "Unsupported Authorization Type"),
        ("AWS4-HMAC-SHA512 x", errors.InvalidArgument, "Unsupported Authorization Type"),
        ("AWS4-ECDSA-P256-SHA256 x", errors.NotImplemented, "4A"),
        ("AWS4-HMAC-SHA256 ", MALFORMED, THREE),
        (v4().replace(", ", " "), MALFORMED, THREE),
        (v4().replace("SignedHeaders", "signedheaders"), MALFORMED, THREE),
        (v4().rpartition(",")[0], MALFORMED, THREE),
        (v4("", ""), MALFORMED, 'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request"'),
        (v4(scope="20261124/us-east-1/s3"), MALFORMED, "the Credential is mal-formed"),
        (v4(""), MALFORMED, "a non-empty Access Key (AKID) must be provided"),
        (v4(scope="2026112/us-east-1/s3/aws4_request"), MALFORMED, 'date format "2026112"'),
        (v4(scope="20261301/us-east-1/s3/aws4_request"), MALFORMED, 'format "yyyyMMdd"'),
        (v4(scope=SCOPE + "/"), MALFORMED, "incorrect date format"),
        (v4(scope="20261124//s3/aws4_request"), MALFORMED, "a non-empty region"),
        (v4(names=""), MALFORMED, "SignedHeaders has to be"),
        (v4(names="Host"), MALFORMED, "SignedHeaders has to be"),
        (v4(names="host;"), MALFORMED, "SignedHeaders has to be"),
    ],
)
def test_malformed_headers(text, error, says):
    with pytest.raises(error) as caught:
        parse_claim(header(text))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("headers", "error", "says"),
    [
        ({"x-amz-date": SIGNED["x-amz-date"]}, errors.InvalidRequest, "x-amz-content-sha256"),
        ({"x-amz-content-sha256": "a" * 64}, errors.AccessDenied, "Date or x-amz-date"),
        (SIGNED | {"x-amz-date": ""}, errors.AccessDenied, "Date or x-amz-date"),
        (SIGNED | {"x-amz-date": "Bad Date"}, errors.AccessDenied, "Date or x-amz-date"),
        (SIGNED | {"x-amz-date": "20261131T010203Z"}, errors.AccessDenied, "Date or x-amz-date"),
        (SIGNED | {"x-amz-date": "2026-11-24T01:02:03Z"}, errors.AccessDenied, "Date or x-am"),
        (
            {"x-amz-content-sha256": "a" * 64, "date": "Tue, 07 Jul 1950 21:53:04 GMT"},
            errors.AccessDenied,
            "Date or x-amz-date",
        ),
    ],
)
def test_what_a_header_of_version_4_needs_besides(headers, error, says):
    with pytest.raises(error, match=says):
        parse_claim(S3Request("GET", headers=headers | {"authorization": v4()}))


@pytest.mark.parametrize(
    "value",
    ["", "unsigned-payload", "a" * 63, "a" * 65, "g" * 64, "STREAMING-", "a" * 64 + "\n"],
)
def test_what_is_no_hash_of_a_body(value):
    with pytest.raises(errors.InvalidArgument, match="must be UNSIGNED-PAYLOAD, STR") as caught:
        parse_claim(header(v4(), x_amz_content_sha256=value))
    assert caught.value.detail == {
        "ArgumentName": "x-amz-content-sha256",
        "ArgumentValue": value,
    }


def test_a_refusal_does_not_repeat_what_was_sent():
    with pytest.raises(errors.InvalidArgument) as caught:
        parse_claim(header("Bearer very-secret"))
    assert "very-secret" not in str(caught.value) + str(caught.value.detail)
    assert SIG not in repr(WHOLE)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(("text", "key"), [("AWS AK:c2ln", "AK"), ("AWS a:b:c2ln", "a:b")])
def test_header_of_version_2(text, key, lenient):
    claim = parse_claim(header(text), lenient)
    assert claim is not None
    assert (claim.access_key, claim.scheme, claim.presigned) == (key, "AWS", False)
    assert claim.signature == "c2ln"
    assert claim.time == (None if lenient else TIME)


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
        access_key="AK",
        presigned=True,
        date="20261124",
        region="us-east-1",
        service="s3",
        terminal="aws4_request",
        signed_headers=("host",),
        signature=SIG,
        signed_at="20261124T010203Z",
        time=TIME,
        expires=300,
    )
    lower = {name.lower(): value for name, value in presigned().items()}
    assert parse_claim(header(None, lower)) == parse_claim(header(None, presigned()))


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("+300", 300), ("0300", 300), ("604800", 604800), ("-0", 0)]
)
def test_for_how_long(text, seconds):
    claim = parse_claim(header(None, presigned(Expires=text)))
    assert claim is not None
    assert claim.expires == seconds


NEEDS = "requires the X-Amz-Algorithm, X-Amz-Credential"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"Algorithm": "AWS4-HMAC-SHA1"}, "X-Amz-Algorithm only supports"),
        ({"Credential": None}, NEEDS),
        ({"Date": None}, NEEDS),
        ({"Expires": None}, NEEDS),
        ({"SignedHeaders": None}, NEEDS),
        ({"Signature": None}, NEEDS),
        ({"Credential": "AK"}, "Error parsing the X-Amz-Credential parameter; the Credential is"),
        ({"Credential": "/" + SCOPE}, "X-Amz-Credential parameter; a non-empty Access Key"),
        ({"Credential": "AK/x/r/s3/aws4_request"}, 'incorrect date format "x"'),
        ({"Credential": "AK/20261124//s3/aws4_request"}, "a non-empty region"),
        ({"Date": "20261124"}, "X-Amz-Date must be in the ISO8601 Long Format"),
        ({"Date": "20261124T019903Z"}, "X-Amz-Date must be in the ISO8601 Long Format"),
        ({"Expires": ""}, "X-Amz-Expires should be a number"),
        ({"Expires": "1.5"}, "X-Amz-Expires should be a number"),
        ({"Expires": "-1"}, "X-Amz-Expires must be non-negative"),
        ({"Expires": "-" + "9" * 400}, "X-Amz-Expires must be non-negative"),
        ({"Expires": "604801"}, "X-Amz-Expires must be less than a week"),
        ({"Expires": "9" * 400}, "X-Amz-Expires must be less than a week"),
        ({"SignedHeaders": ""}, "X-Amz-SignedHeaders has to be"),
    ],
)
def test_malformed_presigned_queries(changes, says):
    with pytest.raises(errors.AuthorizationQueryParametersError) as caught:
        parse_claim(header(None, presigned(**changes)))
    assert says in str(caught.value)


def test_presigned_with_version_4a():
    with pytest.raises(errors.NotImplemented):
        parse_claim(header(None, presigned(Algorithm="AWS4-ECDSA-P256-SHA256")))


def test_parameters_without_an_algorithm_are_no_signature():
    assert parse_claim(header(None, presigned(Algorithm=None))) is None


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
    assert parse_claim(header(None, V2_QUERY)) == AccessClaim(
        "AK", "AWS", True, signature="c2ln", signed_at="1795494015", expires=1795494015
    )
    lenient = parse_claim(header(None, V2_QUERY), lenient=True)
    assert lenient is not None
    assert lenient.access_key == "AK"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"Signature": ""}, "requires the Signature, Expires and AWSAccessKeyId"),
        ({"AWSAccessKeyId": ""}, "requires the Signature, Expires and AWSAccessKeyId"),
        ({"Expires": ""}, "should be seconds since epoch"),
        ({"Expires": "x"}, "should be seconds since epoch"),
        ({"Expires": "2147483648"}, "should be seconds since epoch"),
    ],
)
def test_malformed_presigned_version_2(change, says):
    with pytest.raises(errors.AccessDenied, match=says):
        parse_claim(header(None, V2_QUERY | change))


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("name", ["Signature", "AWSAccessKeyId", "Expires"])
def test_a_presigned_version_2_that_is_not_whole(name, lenient):
    query = {key: value for key, value in V2_QUERY.items() if key != name}
    if lenient and name != "AWSAccessKeyId":
        assert parse_claim(header(None, query), lenient) is not None
        return
    with pytest.raises(errors.AccessDenied):
        parse_claim(header(None, query), lenient)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("text", "query"),
    [
        (v4(), presigned()),
        (v4(), V2_QUERY),
        ("", presigned()),
        ("AWS a:b", {"X-Amz-Algorithm": "x"}),
        (None, presigned() | V2_QUERY),
    ],
)
def test_only_one_claim(text, query, lenient):
    with pytest.raises(errors.InvalidArgument, match="Only one auth mechanism allowed"):
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
    except (
        errors.AccessDenied,
        errors.AuthorizationHeaderMalformed,
        errors.InvalidArgument,
    ):
        pass
    else:
        assert claim is None or claim.access_key
