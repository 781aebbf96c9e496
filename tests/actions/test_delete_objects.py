"""DeleteObjects."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from s3daemon.actions.base import Answer
from s3daemon.actions.delete_objects import ACTION, Entry, parse_document
from s3daemon.store.interfaces import NoSuchBucket, Unavailable
from s3daemon.store.memory_objects import MemoryObjects
from s3daemon.wire.errors import AccessDenied, BadDigest, InvalidDigest, MalformedXML
from s3daemon.wire.message import Personality


def document(*keys: str, more: str = "", extra: str = "") -> bytes:
    """A ``Delete`` document; ``more`` is inside of it, ``extra`` inside each object."""
    objects = "".join(f"<Object><Key>{key}</Key>{extra}</Object>" for key in keys)
    return (
        f'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{objects}{more}</Delete>'
    ).encode()


@pytest.fixture
def delete(world: Any, make_request: Any, parsed: Any) -> Any:
    """``delete(document, **head)``: what botocore makes of the answer."""

    def perform(body: bytes, **head: Any) -> dict[str, Any]:
        answer: Answer = world.perform(
            ACTION, make_request("POST", query={"delete": ""}, **head), body
        )
        assert answer.status == 200
        found: dict[str, Any] = parsed("DeleteObjects", answer)
        del found["ResponseMetadata"]
        return found

    return perform


def test_delete(world: Any, delete: Any) -> None:
    """Those that are there and those that are not, in the order of the request."""
    for key in ("key0", "key1", "keep"):
        world.put(key)
    for _ in range(2):
        assert delete(document("key1", "key0", "never")) == {
            "Deleted": [{"Key": "key1"}, {"Key": "key0"}, {"Key": "never"}]
        }
        assert world.keys() == ["keep"]


@pytest.mark.parametrize("text", ["true", "1", " true "])
def test_quiet(world: Any, delete: Any, text: str) -> None:
    """Only errors are told."""
    world.put("k")
    found = delete(document("k", "secret", more=f"<Quiet>{text}</Quiet>"))
    assert "Deleted" not in found
    assert [error["Key"] for error in found["Errors"]] == ["secret"]
    assert world.keys() == []


@pytest.mark.parametrize("more", ["", "<Quiet>false</Quiet>", "<Quiet>0</Quiet>"])
def test_not_quiet(delete: Any, more: str) -> None:
    """Which is what S3 does unless told otherwise."""
    assert delete(document("k", more=more)) == {"Deleted": [{"Key": "k"}]}


def test_one_bucket_look_up_and_each_key_asked(world: Any, delete: Any) -> None:
    """A key that may not be deleted does not keep the others."""
    world.put("k")
    world.put("secret")
    found = delete(document("secret", "k"))
    assert found["Deleted"] == [{"Key": "k"}]
    assert found["Errors"] == [
        {"Key": "secret", "Code": "AccessDenied", "Message": "Access Denied"}
    ]
    assert world.keys() == ["secret"]
    assert sorted(world.asked) == [
        ("alice", "DeleteObject", "b", "k"),
        ("alice", "DeleteObject", "b", "secret"),
    ]


def test_stranger(world: Any, delete: Any) -> None:
    """Each key is denied."""
    world.put("k")
    world.caller = world.bob
    assert [error["Code"] for error in delete(document("k", "x"))["Errors"]] == ["AccessDenied"] * 2
    assert world.keys() == ["k"]


def test_directory_as_a_bucket(world: Any, delete: Any) -> None:
    """Its keys are as much its owner's as those of the bucket it is in."""
    world.put("dir/k")
    world.caller = world.bob
    assert delete(document("k"), bucket="b:dir")["Errors"][0]["Code"] == "AccessDenied"
    assert world.keys() == ["dir/k"]
    world.caller = world.alice
    delete(document("k"), bucket="b:dir")
    assert world.keys() == []


def test_expected_owner(world: Any, delete: Any) -> None:
    """Of another's bucket nothing is deleted."""
    world.put("k")
    world.expected_owner = "bob-id"
    with pytest.raises(AccessDenied):
        delete(document("k"))
    assert world.keys() == ["k"]
    world.expected_owner = "alice-id"
    delete(document("k"))
    assert world.keys() == []


def test_folder_and_children(world: Any, delete: Any) -> None:
    """All go in one request, whatever the order in it."""
    for key in ("a/", "a/b/", "a/b/c"):
        world.put(key)
    assert len(delete(document("a/", "a/b/", "a/b/c"))["Deleted"]) == 3
    assert world.keys() == []


def test_folder_and_children_that_stay_as_folders(world: Any, delete: Any) -> None:
    """Also where parents are not pruned: those that are named go, others stay."""
    world.put("a/b/c")
    delete(document("a/b/", "a/b/c"), personality=Personality.ALLUXIO)
    assert world.store.objects.stat("b", "a/").folder
    assert world.keys() == []


def test_duplicates(world: Any, delete: Any) -> None:
    """Are told twice."""
    world.put("k")
    assert delete(document("k", "k")) == {"Deleted": [{"Key": "k"}] * 2}


def test_versions(world: Any, delete: Any) -> None:
    """There is only the null version."""
    world.put("k")
    found = delete(document("k", extra="<VersionId>abc</VersionId>"))
    assert found["Errors"][0]["Code"] == "NotImplemented"
    assert found["Errors"][0]["VersionId"] == "abc"
    assert world.keys() == ["k"]
    found = delete(document("k", extra="<VersionId>null</VersionId>"))
    assert found == {"Deleted": [{"Key": "k", "VersionId": "null"}]}
    assert world.keys() == []


def test_keys_that_are_none(delete: Any) -> None:
    """Are errors of their own."""
    found = delete(document("", "x" * 1025, "k"))
    assert [error["Code"] for error in found["Errors"]] == ["InvalidArgument", "KeyTooLongError"]
    assert found["Deleted"] == [{"Key": "k"}]


def test_store_trouble_is_told_per_key(
    world: Any, delete: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And without the text that is for the log."""
    world.put("good")
    plain = MemoryObjects.delete

    def fail(objects: Any, bucket: str, key: str, prune: bool, condition: Any) -> bool:
        if key == "bad":
            raise Unavailable("/dev/sda is on fire")
        return plain(objects, bucket, key, prune)

    monkeypatch.setattr(MemoryObjects, "delete", fail)
    found = delete(document("bad", "good"))
    assert found["Errors"][0]["Code"] == "ServiceUnavailable"
    assert "fire" not in found["Errors"][0]["Message"]
    assert world.keys() == []


def test_bucket_goes_meanwhile(world: Any, delete: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then no key is said to be deleted."""

    def gone(objects: Any, bucket: str, key: str, prune: bool, condition: Any) -> bool:
        raise NoSuchBucket(bucket)

    monkeypatch.setattr(MemoryObjects, "delete", gone)
    with pytest.raises(NoSuchBucket):
        delete(document("a", "b"))


def test_missing_bucket(delete: Any) -> None:
    """No list of keys, but one error."""
    with pytest.raises(NoSuchBucket):
        delete(document("k"), bucket="none")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"garbage",
        b"<Delete/>",
        b"<Remove><Object><Key>k</Key></Object></Remove>",
        b"<Delete><Object/></Delete>",
        b"<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
        b"<Delete><Object><Key>k</Key></Object><Quiet>boolean</Quiet></Delete>",
        document(*map(str, range(1001))),
    ],
)
def test_bad_documents(world: Any, delete: Any, text: bytes) -> None:
    """Delete nothing."""
    for key in ("k", "a", "0"):
        world.put(key)
    with pytest.raises(Exception) as caught:
        delete(text)
    assert getattr(caught.value, "status", None) == 400
    assert world.keys() == ["0", "a", "k"]


def test_a_thousand(delete: Any) -> None:
    """Is allowed."""
    assert len(delete(document(*map(str, range(1000))))["Deleted"]) == 1000


def test_digest(world: Any, delete: Any) -> None:
    """Checked when it is given."""
    world.put("k")
    text = document("k")
    with pytest.raises(BadDigest):
        delete(text, headers={"content-md5": "rL0Y20xC+Fzt72VPzMSk2A=="})
    with pytest.raises(InvalidDigest):
        delete(text, headers={"content-md5": ""})
    assert world.keys() == ["k"]
    digest = base64.b64encode(hashlib.md5(text).digest()).decode()
    delete(text, headers={"content-md5": digest})
    assert world.keys() == []


def test_parse_document() -> None:
    """Names in the S3 namespace or in none; blanks and markup in keys are kept."""
    assert parse_document(b"<Delete><Object><Key> a&amp;b </Key></Object></Delete>") == (
        (Entry(" a&b "),),
        False,
    )
    with pytest.raises(MalformedXML):
        parse_document(b"<Delete></Delete>")
