"""Conditions on writes and deletes: what a head says, and what each action answers."""

from __future__ import annotations

from typing import Any

import pytest

from s3daemon.actions import conditions, copy_object, delete_object, delete_objects, put_object
from s3daemon.actions.base import Context
from s3daemon.actions.translate import s3_error
from s3daemon.store.interfaces import ALWAYS, Condition, StorageError
from s3daemon.wire.errors import AccessDenied, InvalidArgument, NotImplemented, S3Error
from s3daemon.wire.message import S3Request

DATE = "Tue, 24 Nov 2026 04:12:42 GMT"
SECONDS = 1_795_493_562


def head(fields: dict[str, str]) -> S3Request:
    return S3Request("PUT", "b", "k", headers=fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ALWAYS),
        ({"if-none-match": "*"}, Condition(create_only=True)),
        ({"if-none-match": " * "}, Condition(create_only=True)),
        ({"if-none-match": '"x"'}, Condition(not_etag="x")),
        ({"if-none-match": "x"}, Condition(not_etag="x")),
        ({"if-none-match": 'W/"x"'}, Condition(not_etag="x")),
        ({"if-match": "*"}, Condition(etag="*")),
        ({"if-match": '"x-2"'}, Condition(etag="x-2")),
        ({"if-match": "x-2"}, Condition(etag="x-2")),
        ({"if-match": ' "x" '}, Condition(etag="x")),
        ({"if-match": '""'}, Condition(etag="")),
        ({"if-match": 'W/"x"'}, Condition(etag="W/x")),
        ({"if-modified-since": DATE}, ALWAYS),
        ({"x-amz-if-match-size": "1"}, ALWAYS),
    ],
)
def test_of_write(fields: dict[str, str], expected: Condition) -> None:
    assert conditions.of_write(head(fields)) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"if-match": '"x"', "if-none-match": "*"},
        {"if-match": '"x", "y"'},
        {"if-match": ""},
        {"if-none-match": '"x", "y"'},
        {"if-none-match": ""},
        {"if-unmodified-since": DATE},
    ],
)
def test_what_no_write_takes(fields: dict[str, str]) -> None:
    """Refused, and not ignored."""
    with pytest.raises(NotImplemented):
        conditions.of_write(head(fields))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ALWAYS),
        ({"if-match": '"x"'}, Condition(etag="x")),
        ({"if-match": "*"}, Condition(etag="*")),
        ({"x-amz-if-match-size": "12"}, Condition(size=12)),
        ({"x-amz-if-match-last-modified-time": DATE}, Condition(modified_s=SECONDS)),
        (
            {
                "if-match": '"x"',
                "x-amz-if-match-size": "0",
                "x-amz-if-match-last-modified-time": DATE,
            },
            Condition(etag="x", size=0, modified_s=SECONDS),
        ),
    ],
)
def test_of_delete(fields: dict[str, str], expected: Condition) -> None:
    assert conditions.of_delete(head(fields)) == expected


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"if-none-match": "*"}, NotImplemented),
        ({"if-unmodified-since": DATE}, NotImplemented),
        ({"if-match": '"x" "y"'}, NotImplemented),
        ({"x-amz-if-match-size": "-1"}, InvalidArgument),
        ({"x-amz-if-match-size": "x"}, InvalidArgument),
        ({"x-amz-if-match-size": ""}, InvalidArgument),
        ({"x-amz-if-match-last-modified-time": "yesterday"}, InvalidArgument),
    ],
)
def test_what_no_delete_takes(fields: dict[str, str], error: type[S3Error]) -> None:
    with pytest.raises(error):
        conditions.of_delete(head(fields))


@pytest.mark.parametrize("text", [DATE, "2026-11-24T04:12:42.000Z", "2026-11-24T04:12:42Z"])
def test_of_entry(text: str) -> None:
    """Times in documents are written in both ways."""
    expected = Condition(etag="x", size=3, modified_s=SECONDS)
    assert conditions.of_entry('"x"', "3", text) == expected
    assert conditions.of_entry(None, None, None) == ALWAYS


# ---------------------------------------------------------------- what the actions answer

#: The object ``there`` has two bytes; {etag} is its ETag.
WRITES = [
    ("there", {"if-match": '"{etag}"'}, None),
    ("there", {"if-match": "{etag}"}, None),
    ("there", {"if-match": "*"}, None),
    ("there", {"if-match": '"other"'}, ("PreconditionFailed", 412, "If-Match")),
    ("there", {"if-match": 'W/"{etag}"'}, ("PreconditionFailed", 412, "If-Match")),
    ("there", {"if-none-match": "*"}, ("PreconditionFailed", 412, "If-None-Match")),
    ("there", {"if-none-match": '"{etag}"'}, ("PreconditionFailed", 412, "If-None-Match")),
    ("there", {"if-none-match": 'W/"{etag}"'}, ("PreconditionFailed", 412, "If-None-Match")),
    ("there", {"if-none-match": '"other"'}, None),
    ("none", {"if-match": '"{etag}"'}, ("NoSuchKey", 404, None)),
    ("none", {"if-match": "*"}, ("NoSuchKey", 404, None)),
    ("none", {"if-none-match": "*"}, None),
    ("none", {"if-none-match": '"{etag}"'}, None),
    ("dir/", {"if-match": "*"}, ("NoSuchKey", 404, None)),
    ("dir/", {"if-none-match": "*"}, None),
]
DELETES = [
    ("there", {"if-match": '"{etag}"'}, None),
    ("there", {"if-match": "*"}, None),
    ("there", {"if-match": '"other"'}, ("PreconditionFailed", 412, "If-Match")),
    ("there", {"x-amz-if-match-size": "2"}, None),
    ("there", {"x-amz-if-match-size": "3"}, ("PreconditionFailed", 412, "x-amz-if-match-size")),
    (
        "there",
        {"x-amz-if-match-last-modified-time": DATE},
        ("PreconditionFailed", 412, "x-amz-if-match-last-modified-time"),
    ),
    ("there", {"x-amz-if-match-last-modified-time": "{modified}"}, None),
    (
        "there",
        {"if-match": '"{etag}"', "x-amz-if-match-size": "3"},
        ("PreconditionFailed", 412, "x-amz-if-match-size"),
    ),
    ("none", {"if-match": "*"}, ("NoSuchKey", 404, None)),
    ("none", {"if-match": '"{etag}"'}, ("NoSuchKey", 404, None)),
    ("none", {"x-amz-if-match-size": "2"}, None),
    ("none", {"x-amz-if-match-last-modified-time": DATE}, None),
    ("none", {"if-match": "*", "x-amz-if-match-size": "2"}, ("NoSuchKey", 404, None)),
]


@pytest.fixture
def there(world: Any) -> Any:
    world.put("dir/below")
    world.put("source", b"new")
    return world.put("there", b"12")


def filled(fields: dict[str, str], info: Any) -> dict[str, str]:
    from s3daemon.wire.dates import http_date

    modified = http_date(info.modified_ns)
    return {k: v.format(etag=info.etag, modified=modified) for k, v in fields.items()}


def contents(world: Any) -> dict[str, bytes]:
    names = world.keys()
    return {key: world.content(key) for key in names}


def outcome(world: Any, run: Any, key: str) -> tuple[str, int, str | None] | None:
    """Code, status and Condition of an error; a refusal changes nothing."""
    before = contents(world)
    try:
        run()
    except (S3Error, StorageError) as caught:
        error = s3_error(caught, bucket="b", key=key)
        assert contents(world) == before
        return error.code, error.status, error.detail.get("Condition")
    return None


@pytest.mark.parametrize(("key", "fields", "expected"), WRITES)
def test_put(
    world: Any, make_request: Any, there: Any, key: str, fields: dict[str, str], expected: Any
) -> None:
    """Refused before the body is asked for; and, where it slips by, at the end."""
    request = make_request("PUT", key=key, headers=filled(fields, there), length=3)
    wanted = put_object.parse(request)
    context = world.context("PutObject")
    assert outcome(world, lambda: put_object.begin(context, wanted).abort(), key) == expected

    def late() -> None:
        writer = world.store.objects.create(
            "b", key, wanted.attributes, "alice-id", wanted.condition
        )
        writer.write([b"new"])
        writer.commit("e")

    assert outcome(world, late, key) == expected
    assert expected is not None or world.content(key) == b"new"


@pytest.mark.parametrize(("key", "fields", "expected"), WRITES)
def test_copy(
    world: Any, make_request: Any, there: Any, key: str, fields: dict[str, str], expected: Any
) -> None:
    """The target's."""
    headers = {"x-amz-copy-source": "b/source", **filled(fields, there)}
    request = make_request("PUT", key=key, headers=headers)
    assert outcome(world, lambda: world.perform(copy_object.ACTION, request), key) == expected
    assert expected is not None or world.content(key) == b"new"


@pytest.mark.parametrize(("key", "fields", "expected"), DELETES)
def test_delete(
    world: Any, make_request: Any, there: Any, key: str, fields: dict[str, str], expected: Any
) -> None:
    request = make_request("DELETE", key=key, headers=filled(fields, there))
    assert outcome(world, lambda: world.perform(delete_object.ACTION, request), key) == expected
    assert expected is not None or key not in contents(world)


@pytest.mark.parametrize(("key", "fields", "expected"), DELETES)
def test_delete_many(
    world: Any, make_request: Any, there: Any, key: str, fields: dict[str, str], expected: Any
) -> None:
    """One that fails is told beside those that do not."""
    names = {
        "if-match": "ETag",
        "x-amz-if-match-size": "Size",
        "x-amz-if-match-last-modified-time": "LastModifiedTime",
    }
    given = filled(fields, there)
    inside = "".join(
        f"<{name}>{given[field]}</{name}>" for field, name in names.items() if field in given
    )
    document = (
        f"<Delete><Object><Key>{key}</Key>{inside}</Object>"
        "<Object><Key>source</Key></Object></Delete>"
    ).encode()
    request = make_request("POST", query={"delete": ""})
    answer = world.perform(delete_objects.ACTION, request, document).body.decode()
    assert "<Deleted><Key>source</Key></Deleted>" in answer
    if expected is None:
        assert f"<Deleted><Key>{key}</Key></Deleted>" in answer
    else:
        assert f"<Error><Key>{key}</Key><Code>{expected[0]}</Code>" in answer
    assert (key in contents(world)) is (expected is not None and key == "there")


@pytest.mark.parametrize("wrong", ["<Size>x</Size>", "<LastModifiedTime>x</LastModifiedTime>"])
def test_documents_that_are_none(world: Any, make_request: Any, there: Any, wrong: str) -> None:
    """Nothing is deleted then."""
    document = (
        f"<Delete><Object><Key>source</Key></Object><Object><Key>there</Key>{wrong}</Object>"
        "</Delete>"
    ).encode()
    with pytest.raises(S3Error) as caught:
        world.perform(delete_objects.ACTION, make_request("POST", query={"delete": ""}), document)
    assert caught.value.code == "MalformedXML"
    assert "source" in contents(world)


@pytest.mark.parametrize(
    ("fields", "asks"),
    [({}, False), ({"if-none-match": "*"}, False), ({"if-match": '"x"'}, True)],
)
def test_who_may_only_write_learns_nothing(
    world: Any,
    make_request: Any,
    there: Any,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, str],
    asks: bool,
) -> None:
    """Else anybody who may write could find ETags out by trying: S3 asks for s3:GetObject too."""

    def may(caller: Any, operation: str, *rest: Any) -> None:
        if operation == "GetObject":
            raise AccessDenied

    monkeypatch.setattr(world, "may", may)
    context: Context = world.context("PutObject")
    wanted = put_object.parse(make_request("PUT", key="new", headers=fields, length=0))
    if asks:
        with pytest.raises(AccessDenied):
            put_object.begin(context, wanted)
    else:
        put_object.begin(context, wanted).abort()
