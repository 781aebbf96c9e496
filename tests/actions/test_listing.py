"""Parameters of the list actions, and their owners."""

from __future__ import annotations

import pytest

from s3daemon.actions import listing
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import errors
from s3daemon.wire.message import S3Request
from tests.support.actions import World


def asked(**query: str) -> S3Request:
    return S3Request("GET", "b", query={name.replace("_", "-"): v for name, v in query.items()})


@pytest.mark.parametrize(
    ("text", "size"),
    [("", 1000), ("0", 0), ("1", 1), ("1000", 1000), ("1001", 1000), ("2147483647", 1000)],
)
def test_page_size(text: str, size: int) -> None:
    assert listing.page_size(asked(max_keys=text), "max-keys") == size


def test_page_size_not_given() -> None:
    assert listing.page_size(asked(), "max-keys") == 1000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blah", "Provided max-keys not an integer or within integer range"),
        ("1.5", "Provided max-keys not an integer or within integer range"),
        (" 1", "Provided max-keys not an integer or within integer range"),
        ("+1", "Provided max-keys not an integer or within integer range"),
        ("\u0661", "Provided max-keys not an integer or within integer range"),
        ("99999999999999999999", "Provided max-keys not an integer or within integer range"),
        ("-1", "Argument max-keys must be an integer between 0 and 2147483647"),
        ("2147483648", "Argument max-keys must be an integer between 0 and 2147483647"),
    ],
)
def test_page_size_refused(text: str, message: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        listing.page_size(asked(max_keys=text), "max-keys")
    assert str(caught.value) == message
    assert caught.value.detail == {"ArgumentName": "max-keys", "ArgumentValue": text}


@pytest.mark.parametrize("text", ["", "url"])
def test_encoding_type(text: str) -> None:
    assert listing.encoding_type(asked(encoding_type=text)) == text


@pytest.mark.parametrize("text", ["URL", "foo", "url "])
def test_encoding_type_refused(text: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="Invalid Encoding Method specified"):
        listing.encoding_type(asked(encoding_type=text))


def test_owners() -> None:
    context = World(MemoryStore()).context("ListObjects", "alice")
    owners = listing.OwnerElements(context, "id-alice")
    alice = "<Owner><ID>id-alice</ID><DisplayName>Alice</DisplayName></Owner>"
    bob = "<Owner><ID>id-bob</ID><DisplayName>Bob</DisplayName></Owner>"
    assert [owners("id-bob"), owners(None), owners("id-bob")] == [bob, alice, bob]
    assert listing.OwnerElements(context, None)(None) == ""
    initiator = listing.OwnerElements(context, None, "Initiator")("id-bob")
    assert initiator == bob.replace("Owner", "Initiator")
