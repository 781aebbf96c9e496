"""Acceptance items 21-32, 44-47, 55-61: objects, tags, identity."""

from __future__ import annotations

import shutil

import pytest

from tests.acceptance.conftest import md5_base64, md5_hex, texts, tree

SMALL = b"Hello World!"
LARGE = bytes(range(256)) * 1024


def test_21_put_with_trailing_slash_makes_a_folder(api):
    api.bucket("b")
    api.put("b", "folder/")
    assert (api.root / "b" / "folder").is_dir()


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_22_put_keeps_content_and_etag_is_the_md5(api, body):
    api.bucket("b")
    got = api.put("b", "object.txt", body)
    assert got.headers["etag"] == f'"{md5_hex(body)}"'
    assert (api.root / "b" / "object.txt").read_bytes() == body
    assert api.ok("HEAD", "b", "object.txt").headers["etag"] == f'"{md5_hex(body)}"'


@pytest.mark.parametrize("key", ["object.txt", "folder/"])
def test_23_put_under_a_missing_bucket_fails(api, key):
    api.refused(404, "NoSuchBucket", "PUT", "missing", key, body=b"")
    api.bucket("b")
    shutil.rmtree(api.root / "b")
    api.refused(404, "NoSuchBucket", "PUT", "b", key, body=b"")
    assert not (api.root / "b").exists()


def test_24_wrong_content_md5_fails_and_absent_is_fine(api):
    api.bucket("b")
    api.put("b", "k", b"old")
    wrong = {"Content-MD5": md5_base64(b"something else")}
    api.refused(400, "BadDigest", "PUT", "b", "k", headers=wrong, body=b"new")
    assert api.get("b", "k") == b"old"
    api.put("b", "k", b"new", headers={"Content-MD5": md5_base64(b"new")})
    api.put("b", "k", b"newer")
    assert api.get("b", "k") == b"newer"


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
def test_25_get_gives_what_was_put(api, body):
    api.bucket("b")
    api.put("b", "k", body)
    assert api.get("b", "k") == body
    api.refused(404, "NoSuchKey", "GET", "b", "missing")


def test_26_get_as_another_user(api):
    api.bucket("b")
    api.put("b", "k", b"x")
    api.refused(403, "AccessDenied", "GET", "b", "k", user="other")


def test_27_get_after_the_backing_file_vanished(api):
    api.bucket("b")
    api.put("b", "k", b"x")
    (api.root / "b" / "k").unlink()
    api.refused(404, "NoSuchKey", "GET", "b", "k")


def test_28_head_object(api):
    api.bucket("b")
    api.put("b", "k", SMALL)
    got = api.ok("HEAD", "b", "k")
    assert got.headers["content-length"] == "12"
    assert got.headers["last-modified"].endswith(" GMT")
    assert got.body == b""
    assert api.refused(404, "NoSuchKey", "HEAD", "b", "missing").body == b""


def test_29_content_type_is_kept(api):
    api.bucket("b")
    api.put("b", "k", SMALL, headers={"Content-Type": "text/plain"})
    assert api.ok("GET", "b", "k").headers["content-type"] == "text/plain"


def test_30_delete(api):
    api.bucket("b")
    api.put("b", "file", b"x")
    api.ok("DELETE", "b", "file", status=204)
    assert not (api.root / "b" / "file").exists()
    api.put("b", "empty/")
    api.ok("DELETE", "b", "empty/", status=204)
    assert not (api.root / "b" / "empty").exists()
    api.put("b", "full/")
    api.put("b", "full/child", b"x")
    api.ok("DELETE", "b", "full/", status=204)
    assert api.get("b", "full/child") == b"x"
    api.ok("DELETE", "b", "missing", status=204)


def test_31_copy_into_a_new_folder(api):
    api.bucket("b")
    api.put("b", "source", LARGE)
    got = api.ok("PUT", "b", "new/folder/target", headers={"x-amz-copy-source": "/b/source"})
    assert texts(got.body, "ETag") == [f'"{md5_hex(LARGE)}"']
    assert api.get("b", "new/folder/target") == LARGE
    assert api.ok("HEAD", "b", "new/folder/target").headers["etag"] == f'"{md5_hex(LARGE)}"'


@pytest.mark.parametrize("metadata", ["COPY", "REPLACE"])
@pytest.mark.parametrize("tagging", ["COPY", "REPLACE"])
def test_32_copy_directives(api, metadata, tagging):
    api.bucket("b")
    api.put("b", "s", SMALL, headers={"Content-Type": "text/plain", "x-amz-tagging": "a=1"})
    api.ok(
        "PUT",
        "b",
        "t",
        headers={
            "x-amz-copy-source": "b/s",
            "x-amz-metadata-directive": metadata,
            "x-amz-tagging-directive": tagging,
            "Content-Type": "text/html",
            "x-amz-tagging": "b=2",
        },
    )
    got = api.ok("GET", "b", "t")
    assert got.body == SMALL
    assert got.headers["content-type"] == ("text/plain" if metadata == "COPY" else "text/html")
    assert api.tags("b", "t") == ([("a", "1")] if tagging == "COPY" else [("b", "2")])


@pytest.mark.parametrize("key", ["", "object", "folder/"], ids=["bucket", "object", "folder"])
def test_44_tagging_life(api, key):
    api.bucket("b")
    if key:
        api.put("b", key)
    assert api.tags("b", key) == []
    tags = [("foo", "bar"), ("baz", ""), ("k", "v w")]
    assert api.put_tags("b", key, tags).status in (200, 204)
    assert sorted(api.tags("b", key)) == sorted(tags)
    api.ok("DELETE", "b", key, "tagging", status=204)
    assert api.tags("b", key) == []


def test_45_tagging_header_and_folders_do_not_inherit(api):
    api.bucket("b")
    api.put("b", "folder/object", SMALL, headers={"x-amz-tagging": "foo=bar&baz"})
    assert sorted(api.tags("b", "folder/object")) == [("baz", ""), ("foo", "bar")]
    assert api.tags("b", "folder/") == []
    assert api.ok("GET", "b", "folder/object").headers["x-amz-tagging-count"] == "2"


@pytest.mark.parametrize(
    "tags",
    [
        [(f"key{n}", "v") for n in range(11)],
        [("k" * 129, "v")],
        [("k", "v" * 257)],
    ],
    ids=["eleven", "key-129", "value-257"],
)
def test_46_tag_limits(api, tags):
    """The reference can switch its limits off; here they are S3's, always."""
    api.bucket("b")
    api.put("b", "k", SMALL)
    got = api.put_tags("b", "k", tags)
    assert got.status == 400
    assert texts(got.body, "Code")[0] in ("InvalidTag", "BadRequest")
    assert api.tags("b", "k") == []


@pytest.mark.parametrize("header", ["", "AWS testuser:c2lnbmF0dXJl"], ids=["empty", "sigv2"])
def test_47_empty_and_sigv2_authorization(api, header):
    api.bucket("b")
    api.refused(400, "AuthorizationHeaderMalformed", "GET", "b", headers={"Authorization": header})


def test_55_missing_and_deleted_objects_and_folders(api):
    api.bucket("b")
    for key in ("k", "folder/"):
        api.refused(404, "NoSuchKey", "GET", "b", key)
        api.refused(404, "NoSuchKey", "HEAD", "b", key)
        api.put("b", key)
        api.ok("HEAD", "b", key)
        api.ok("DELETE", "b", key, status=204)
        api.refused(404, "NoSuchKey", "GET", "b", key)
        api.refused(404, "NoSuchKey", "HEAD", "b", key)


def test_56_default_type_and_overwrite(api):
    api.bucket("b")
    api.put("b", "k", SMALL)
    got = api.ok("GET", "b", "k")
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-length"] == "12"
    api.put("b", "k", LARGE)
    got = api.ok("GET", "b", "k")
    assert got.headers["content-length"] == str(len(LARGE))
    assert got.body == LARGE


def test_57_put_of_a_deep_folder_makes_its_parents(api):
    api.bucket("b")
    api.put("b", "a/b/")
    api.ok("HEAD", "b", "a/")
    api.ok("HEAD", "b", "a/b/")
    api.refused(404, "NoSuchKey", "HEAD", "b", "a")
    assert api.get("b", "a/b/") == b""


@pytest.mark.parametrize("key", ["object", "folder/"])
def test_58_put_into_a_missing_or_deleted_bucket(api, key):
    api.refused(404, "NoSuchBucket", "PUT", "b", key)
    api.bucket("b")
    api.ok("DELETE", "b", status=204)
    api.refused(404, "NoSuchBucket", "PUT", "b", key)


def test_59_blank_md5_is_refused_and_none_is_fine(api):
    api.bucket("b")
    got = api.call("PUT", "b", "k", headers={"Content-MD5": ""}, body=SMALL)
    assert got.status == 400
    assert texts(got.body, "Code")[0] in ("BadDigest", "InvalidDigest")
    api.put("b", "k", SMALL)


def test_60_copy_cases(api):
    api.bucket("b")
    api.put("b", "one", b"1")
    api.put("b", "two", b"2")
    api.ok("PUT", "b", "renamed", headers={"x-amz-copy-source": "/b/one"})
    assert api.get("b", "renamed") == b"1"
    api.ok("PUT", "b", "renamed", headers={"x-amz-copy-source": "/b/two"})
    assert api.get("b", "renamed") == b"2"
    source = {"x-amz-copy-source": "/b/missing"}
    api.refused(404, "NoSuchKey", "PUT", "b", "t", headers=source)
    api.ok("DELETE", "b", "one", status=204)
    source = {"x-amz-copy-source": "/b/one"}
    api.refused(404, "NoSuchKey", "PUT", "b", "t", headers=source)
    source = {"x-amz-copy-source": "/b/two"}
    api.refused(404, "NoSuchBucket", "PUT", "missing", "t", headers=source)
    api.bucket("gone")
    api.ok("DELETE", "gone", status=204)
    api.refused(404, "NoSuchBucket", "PUT", "gone", "t", headers=source)


def test_61_deletes_that_change_nothing(api):
    api.bucket("b")
    api.put("b", "full/child", b"x")
    api.ok("DELETE", "b", "full/", status=204)
    assert api.get("b", "full/child") == b"x"
    api.put("b", "k", b"x")
    api.ok("DELETE", "b", "k", status=204)
    api.ok("DELETE", "b", "k", status=204)
    api.refused(404, "NoSuchBucket", "DELETE", "missing", "k")


def test_delete_objects_is_verbose_unless_asked(api):
    api.bucket("b")
    api.put("b", "d1", b"x")
    api.put("b", "d/")
    api.put("b", "d/child", b"x")
    body = b"<Delete>%s<Object><Key>%s</Key></Object><Object><Key>%s</Key></Object></Delete>"
    got = api.ok("POST", "b", query="delete", body=body % (b"", b"d1", b"missing"))
    assert tree(got.body) == (
        "DeleteResult",
        [("Deleted", [("Key", "d1")]), ("Deleted", [("Key", "missing")])],
    )
    got = api.ok(
        "POST", "b", query="delete", body=body % (b"<Quiet>true</Quiet>", b"d/", b"d/child")
    )
    assert tree(got.body) == ("DeleteResult", "")
    assert not (api.root / "b" / "d").exists()
