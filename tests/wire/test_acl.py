"""Access control lists on the wire."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import acl, errors
from s3daemon.wire.acl import Given
from s3daemon.wire.acl_errors import MalformedACLError
from s3daemon.wire.grants import PERMISSIONS, Grant, Grants, permits
from s3daemon.wire.message import S3Request

ALL = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
LOGS = "http://acs.amazonaws.com/groups/s3/LogDelivery"
OWNER = Grant("user", "o", "FULL_CONTROL")


def request(**headers: str) -> S3Request:
    return S3Request("PUT", headers={k.replace("_", "-"): v for k, v in headers.items()})


# ---------------------------------------------------------------- header fields


def test_nothing_is_said() -> None:
    assert acl.from_headers(request()) == Given()
    assert not Given()
    assert Given("private")


@pytest.mark.parametrize(
    "name",
    [
        *("private", "public-read", "public-read-write", "authenticated-read"),
        *("bucket-owner-read", "bucket-owner-full-control", "log-delivery-write"),
    ],
)
def test_canned(name: str) -> None:
    assert acl.from_headers(request(x_amz_acl=name)) == Given(name)


@pytest.mark.parametrize("name", ["Private", "public", "private ", "FULL_CONTROL", "*"])
def test_no_canned_acl(name: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        acl.from_headers(request(x_amz_acl=name))
    assert caught.value.detail == {"ArgumentName": "x-amz-acl", "ArgumentValue": name}


def test_what_is_amazons() -> None:
    with pytest.raises(errors.NotImplemented):
        acl.from_headers(request(x_amz_acl="aws-exec-read"))


@pytest.mark.parametrize(
    ("value", "grantees"),
    [
        ("id=a", [("user", "a")]),
        ('id="a"', [("user", "a")]),
        (' id = "a" ,id=b', [("user", "a"), ("user", "b")]),
        ('ID="a, b=c"', [("user", "a, b=c")]),
        ("id=a=b", [("user", "a=b")]),
        ("id=ä", [("user", "ä")]),
        ('emailAddress="a@b.c",id=d', [("email", "a@b.c"), ("user", "d")]),
        ("emailaddress=a@b.c", [("email", "a@b.c")]),
        (f'uri="{ALL}"', [("group", "AllUsers")]),
        (
            f"uri={AUTHENTICATED},uri={LOGS}",
            [("group", "AuthenticatedUsers"), ("group", "LogDelivery")],
        ),
        ("id=a,", [("user", "a")]),
        ('id=""', [("user", "")]),
        ("", []),
    ],
)
def test_grants(value: str, grantees: list[tuple[str, str]]) -> None:
    found = acl.from_headers(request(x_amz_grant_read=value))
    assert found == Given("", tuple(Grant(*grantee, "READ") for grantee in grantees))


def test_grants_of_all_fields_in_order() -> None:
    fields = {
        f"x_amz_grant_{name}": "id=a"
        for name in ("full_control", "write_acp", "read_acp", "write", "read")
    }
    found = acl.from_headers(request(**fields)).grants
    assert tuple(grant.permission for grant in found) == PERMISSIONS


@pytest.mark.parametrize(
    "value",
    [
        "a",
        "=a",
        "id",
        "id=",
        "id=a id=b",
        'id="a',
        'id="a"b',
        "name=a",
        "id=a,,id=b",
        ",id=a",
        "é=a",
    ],
)
def test_no_grants(value: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        acl.from_headers(request(x_amz_grant_write=value))
    assert caught.value.detail == {"ArgumentName": "x-amz-grant-write", "ArgumentValue": value}


@pytest.mark.parametrize("uri", ["AllUsers", ALL.lower(), ALL + "/", "", "x"])
def test_no_group(uri: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        acl.from_headers(request(x_amz_grant_write=f'uri="{uri}"'))


def test_both_ways_and_too_many() -> None:
    with pytest.raises(errors.InvalidRequest):
        acl.from_headers(request(x_amz_acl="private", x_amz_grant_read="id=a"))
    hundred = ",".join(["id=a"] * 100)
    assert len(acl.from_headers(request(x_amz_grant_read=hundred)).grants) == 100
    with pytest.raises(errors.InvalidRequest):
        acl.from_headers(request(x_amz_grant_read=hundred, x_amz_grant_write="id=a"))


@given(st.text(st.sampled_from('id="a", ur\t=é'), max_size=30))
def test_any_field_is_read_or_refused(value: str) -> None:
    try:
        found = acl.from_headers(request(x_amz_grant_read=value))
    except errors.InvalidArgument:
        return
    assert all(grant.permission == "READ" for grant in found.grants)


# ---------------------------------------------------------------- canned lists


@pytest.mark.parametrize("of_bucket", [True, False], ids=["bucket", "object"])
@pytest.mark.parametrize(
    ("canned", "groups"),
    [
        ("", []),
        ("private", []),
        ("public-read", [("AllUsers", "READ")]),
        ("public-read-write", [("AllUsers", "READ"), ("AllUsers", "WRITE")]),
        ("authenticated-read", [("AuthenticatedUsers", "READ")]),
    ],
)
def test_expand(canned: str, groups: list[tuple[str, str]], of_bucket: bool) -> None:
    lines = tuple(Grant("group", *line) for line in groups)
    assert acl.expand(canned, "o", "b", of_bucket) == ((*lines, OWNER) if lines else None)


@pytest.mark.parametrize(
    ("canned", "permission"),
    [("bucket-owner-read", "READ"), ("bucket-owner-full-control", "FULL_CONTROL")],
)
def test_expand_for_the_owner_of_the_bucket(canned: str, permission: str) -> None:
    assert acl.expand(canned, "o", "b", False) == (OWNER, Grant("user", "b", permission))
    # They own it themselves, there is nobody, or it is the bucket.
    assert acl.expand(canned, "o", "o", False) is None
    assert acl.expand(canned, "o", None, False) is None
    assert acl.expand(canned, "o", "b", True) is None


def test_expand_for_logs() -> None:
    found = acl.expand("log-delivery-write", "o", None, True)
    logs = tuple(Grant("group", "LogDelivery", name) for name in ("WRITE", "READ_ACP"))
    assert found == (*logs, OWNER)
    assert not permits(found, "anybody", "WRITE")
    with pytest.raises(errors.InvalidArgument):
        acl.expand("log-delivery-write", "o", "b", False)


# ---------------------------------------------------------------- documents


def policy(*grants: str, owner: str = "<Owner><ID>o</ID></Owner>") -> bytes:
    lines = "".join(grants)
    return (
        '<AccessControlPolicy xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"{owner}<AccessControlList>{lines}</AccessControlList></AccessControlPolicy>"
    ).encode()


def line(kind: str, inner: str, permission: str = "READ") -> str:
    return (
        '<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:type="{kind}">{inner}</Grantee><Permission>{permission}</Permission></Grant>'
    )


def test_parse() -> None:
    document = policy(
        line("CanonicalUser", "<ID> a </ID><DisplayName>A</DisplayName>", "FULL_CONTROL"),
        line("AmazonCustomerByEmail", "<EmailAddress>a@b.c</EmailAddress>", "WRITE_ACP"),
        line("Group", f"<URI>{LOGS}</URI>", "READ_ACP"),
    )
    assert acl.parse(document) == (
        "o",
        (
            Grant("user", "a", "FULL_CONTROL"),
            Grant("email", "a@b.c", "WRITE_ACP"),
            Grant("group", "LogDelivery", "READ_ACP"),
        ),
    )
    assert acl.parse(document.replace(b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"', b""))
    assert acl.parse(policy()) == ("o", ())


USER = "<ID>a</ID>"


@pytest.mark.parametrize(
    "document",
    [
        b"<AccessControlPolicy/>",
        b"<AccessControlPolicy",
        b"x",
        b"<!DOCTYPE a [<!ENTITY e 'x'>]><AccessControlPolicy>&e;</AccessControlPolicy>",
        b"<Tagging><TagSet/></Tagging>",
        policy(owner=""),
        policy(owner="<Owner/>"),
        policy(owner="<Owner><ID>o</ID></Owner>" * 2),
        policy().replace(b"AccessControlList", b"List"),
        policy(line("CanonicalUser", "")),
        policy(line("CanonicalUser", USER * 2)),
        policy(line("CanonicalUser", USER, "READ_ALL")),
        policy(line("CanonicalUser", USER, "")),
        policy(line("Group", USER)),
        policy(line("Somebody", USER)),
        policy(line("", USER)),
        policy(f"<Grant><Grantee>{USER}</Grantee><Permission>READ</Permission></Grant>"),
        policy("<Grant><Permission>READ</Permission></Grant>"),
        policy("<Grant/>"),
        policy(line("CanonicalUser", USER) * 101),
    ],
)
def test_no_policy(document: bytes) -> None:
    with pytest.raises(MalformedACLError):
        acl.parse(document)


def test_as_long_as_can_be() -> None:
    assert len(acl.parse(policy(line("CanonicalUser", USER) * 100))[1]) == 100
    with pytest.raises(errors.MissingRequestBodyError):
        acl.parse(b"")
    with pytest.raises(errors.InvalidArgument):
        acl.parse(policy(line("Group", "<URI>x</URI>")))


names = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1).map(str.strip)
grants = st.one_of(
    st.builds(Grant, st.just("user"), names.filter(bool), st.sampled_from(PERMISSIONS)),
    st.builds(
        Grant,
        st.just("group"),
        st.sampled_from(["AllUsers", "AuthenticatedUsers", "LogDelivery"]),
        st.sampled_from(PERMISSIONS),
    ),
)


@given(names.filter(bool), st.lists(grants, max_size=5).map(tuple))
def test_what_is_shown_can_be_put(owner: str, lines: Grants) -> None:
    """Clients read a list, add a line, and put it."""
    shown: Any = acl.render(owner, lines, str.title)
    if "\ufffe" in owner or any("\uffff" in x.grantee or "\ufffe" in x.grantee for x in lines):
        return  # no XML can hold that
    in_order = sorted(lines, key=lambda grant: grant.kind)
    assert acl.parse(shown) == (owner, tuple(in_order))


def test_what_nobody_can_be_shown() -> None:
    shown = acl.render("o", (Grant("later", "x", "READ"), Grant("group", "Later", "READ")), str)
    assert b"later" not in shown
    assert b"<URI>Later</URI>" in shown
