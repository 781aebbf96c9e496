"""Acceptance items 1-10, 53: buckets, as the reference's own tests see them."""

from __future__ import annotations

from tests.acceptance.conftest import Api, texts


def names(api: Api, user="testuser") -> list[str]:
    return texts(api.ok("GET", user=user).body, "Buckets/Bucket/Name")


def test_01_list_buckets_shows_only_the_callers(api):
    api.bucket("mine")
    api.bucket("also-mine")
    api.bucket("theirs", user="other")
    assert names(api) == ["also-mine", "mine"]
    assert names(api, "other") == ["theirs"]
    assert names(api, "nobody") == []


def test_02_list_buckets_with_empty_authorization(api):
    api.refused(400, "AuthorizationHeaderMalformed", "GET", headers={"Authorization": ""})


def test_03_create_makes_an_empty_directory_for_any_user(api):
    for user in ("testuser", "another", "uSer-3"):
        api.bucket("of-" + user.lower(), user=user)
        made = api.root / ("of-" + user.lower())
        assert made.is_dir()
        assert [p for p in made.iterdir() if p.name not in (".s3gate", "_s3_multipart_tmp")] == []


def test_04_create_of_anothers_bucket_is_a_conflict(api):
    api.bucket("taken")
    got = api.refused(409, "BucketAlreadyExists", "PUT", "taken", user="other")
    assert texts(got.body, "Resource") == ["/taken"]


def test_05_head_bucket(api):
    api.bucket("b")
    api.ok("HEAD", "b")
    got = api.refused(404, "NoSuchBucket", "HEAD", "missing")
    assert got.body == b""


def test_06_delete_removes_the_directory(api):
    api.bucket("b")
    api.ok("DELETE", "b", status=204)
    assert not (api.root / "b").exists()


def test_07_delete_of_missing_or_full_bucket_fails(api):
    api.refused(404, "NoSuchBucket", "DELETE", "b")
    api.bucket("b")
    api.put("b", "key", b"x")
    api.refused(409, "BucketNotEmpty", "DELETE", "b")
    assert api.get("b", "key") == b"x"


def test_08_a_root_level_file_is_no_bucket(api):
    (api.root / "file").write_bytes(b"x")
    api.refused(404, "NoSuchBucket", "GET", "file")
    api.refused(400, "InvalidBucketName", "PUT", "file")
    assert (api.root / "file").read_bytes() == b"x"


def test_09_listing_without_permission(api):
    api.bucket("b")
    api.refused(403, "AccessDenied", "GET", "b", user="other")


def test_10_listing_a_missing_bucket(api):
    got = api.refused(404, "NoSuchBucket", "GET", "missing")
    assert texts(got.body, "Resource") == ["/missing"]


def test_53_life_of_a_bucket(api):
    api.refused(404, "NoSuchBucket", "HEAD", "b")
    api.ok("PUT", "b")
    api.ok("HEAD", "b")
    api.refused(409, "BucketAlreadyExists", "PUT", "b", user="other")
    api.ok("PUT", "b")
    api.refused(404, "NoSuchBucket", "DELETE", "other")
    api.ok("DELETE", "b", status=204)
    api.refused(404, "NoSuchBucket", "HEAD", "b")


def test_sub_directories_are_buckets_with_a_colon(api):
    api.bucket("top")
    api.put("top", "folder/inner.txt", b"inner")
    assert api.keys("top:folder") == ["inner.txt"]
    api.put("top:folder", "new.txt", b"new")
    assert api.get("top", "folder/new.txt") == b"new"
    api.ok("PUT", "top:made")
    assert (api.root / "top" / "made").is_dir()
    api.refused(404, "NoSuchBucket", "PUT", "top:no1:no2")
    assert names(api) == ["top"]
