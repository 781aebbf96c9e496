"""Acceptance items 33-43, 62-64: multipart uploads."""

from __future__ import annotations

import hashlib
import random

import pytest

from tests.acceptance.conftest import md5_hex, texts, tree


def staging(api, bucket="b"):
    folder = api.root / bucket / "_s3_multipart_tmp"
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


def combined(bodies) -> str:
    digests = b"".join(hashlib.md5(body).digest() for body in bodies)
    return f'"{hashlib.md5(digests).hexdigest()}-{len(bodies)}"'


@pytest.fixture
def b(api):
    api.bucket("b")
    return api


def test_33_create_returns_bucket_key_and_id(b):
    got = b.ok("POST", "b", "big/object", "uploads").body
    assert texts(got, "Bucket") == ["b"]
    assert texts(got, "Key") == ["big/object"]
    upload = texts(got, "UploadId")[0]
    assert upload
    assert len(staging(b)) == 1


def test_34_a_part_may_be_uploaded_again(b):
    upload = b.begin("b", "k")
    b.part("b", "k", upload, 1, b"first")
    etag = b.part("b", "k", upload, 1, b"again")
    assert etag == f'"{md5_hex(b"again")}"'
    assert b.complete("b", "k", upload, [(1, etag)]).status == 200
    assert b.get("b", "k") == b"again"


def test_35_a_part_without_an_upload_fails(b):
    for upload in ("unknown", "../../x", "0" * 32):
        b.refused(
            404, "NoSuchUpload", "PUT", "b", "k", f"partNumber=1&uploadId={upload}", body=b"x"
        )
    other = b.begin("b", "other")
    b.refused(404, "NoSuchUpload", "PUT", "b", "k", f"partNumber=1&uploadId={other}", body=b"x")


def test_36_upload_part_copy(b):
    source = bytes(range(256)) * 100
    b.put("b", "source", source)
    upload = b.begin("b", "k")
    got = b.ok(
        "PUT",
        "b",
        "k",
        f"partNumber=1&uploadId={upload}",
        headers={"x-amz-copy-source": "/b/source"},
    )
    etag = texts(got.body, "ETag")[0]
    assert etag == f'"{md5_hex(source)}"'
    assert texts(got.body, "LastModified")
    assert b.complete("b", "k", upload, [(1, etag)]).status == 200
    assert b.get("b", "k") == source


def test_37_list_parts(b):
    upload = b.begin("b", "k")
    got = b.ok("GET", "b", "k", f"uploadId={upload}").body
    assert texts(got, "Part/PartNumber") == []
    for number in (2, 1):
        b.part("b", "k", upload, number, b"x" * number)
    got = b.ok("GET", "b", "k", f"uploadId={upload}").body
    assert texts(got, "Part/PartNumber") == ["1", "2"]
    assert texts(got, "Part/Size") == ["1", "2"]
    assert texts(got, "Part/ETag") == [f'"{md5_hex(b"x")}"', f'"{md5_hex(b"xx")}"']
    assert all(t.endswith("Z") for t in texts(got, "Part/LastModified"))
    b.refused(403, "AccessDenied", "GET", "b", "k", f"uploadId={upload}", user="other")


def test_38_abort(b):
    upload = b.begin("b", "k")
    b.part("b", "k", upload, 1, b"x")
    wrong = ("0" if upload[0] != "0" else "1") + upload[1:]
    b.refused(404, "NoSuchUpload", "DELETE", "b", "k", f"uploadId={wrong}")
    assert len(staging(b)) == 1
    b.ok("DELETE", "b", "k", f"uploadId={upload}", status=204)
    assert staging(b) == []


def test_39_shuffled_parts_make_the_object_in_order(b):
    rng = random.Random(39)
    for turn in range(3):
        count = rng.randint(15, 50)
        bodies = [rng.randbytes(rng.randint(1, 3000)) for _ in range(count)]
        key = f"k{turn}"
        upload = b.begin("b", key)
        etags = {}
        for n in rng.sample(range(count), count):
            etags[n] = b.part("b", key, upload, n + 1, bodies[n])
        got = b.complete("b", key, upload, [(n + 1, etags[n]) for n in range(count)])
        root, fields = tree(got.body)
        assert root == "CompleteMultipartUploadResult"
        # Behind these stands the checksum, where there is a library for it.
        assert fields[:4] == [
            ("Location", f"http://gateway.test/api/v1/s3/b/{key}"),
            ("Bucket", "b"),
            ("Key", key),
            ("ETag", combined(bodies)),
        ]
        assert b.get("b", key) == b"".join(bodies)
        assert staging(b) == []


def test_40_two_uploads_of_one_key(b):
    one, two = b.begin("b", "k"), b.begin("b", "k")
    assert len(staging(b)) == 2
    etag_one = b.part("b", "k", one, 1, b"one")
    etag_two = b.part("b", "k", two, 1, b"two")
    first = b.complete("b", "k", one, [(1, etag_one)])
    assert b.get("b", "k") == b"one"
    assert len(staging(b)) == 1
    again = b.complete("b", "k", one, [(1, etag_one)])
    assert (again.status, again.body) == (200, first.body)
    assert b.complete("b", "k", two, [(1, etag_two)]).status == 200
    assert b.get("b", "k") == b"two"
    got = b.complete("b", "k", one, [(1, etag_one)])
    assert got.status == 404
    assert texts(got.body, "Code") == ["NoSuchUpload"]
    assert b.get("b", "k") == b"two"


def test_41_complete_with_an_empty_body(b):
    upload = b.begin("b", "k")
    b.part("b", "k", upload, 1, b"x")
    got = b.call("POST", "b", "k", f"uploadId={upload}")
    assert got.status == 400
    assert len(staging(b)) == 1


def test_42_bad_lists_are_refused_and_a_partial_list_works(b):
    upload = b.begin("b", "k")
    etags = {n: b.part("b", "k", upload, n, b"%d" % n) for n in (1, 2, 3)}

    def code(parts):
        got = b.complete("b", "k", upload, parts)
        assert got.status == 400
        return texts(got.body, "Code")[0]

    assert code([(1, etags[1]), (4, etags[1])]) == "InvalidPart"
    assert code([(2, etags[2]), (1, etags[1])]) == "InvalidPartOrder"
    assert b.complete("b", "k", upload, [(2, etags[2]), (3, etags[3])]).status == 200
    assert b.get("b", "k") == b"23"


def test_42_too_small_a_part_is_refused(aws):
    aws.bucket("b")
    upload = aws.begin("b", "k")
    etags = {n: aws.part("b", "k", upload, n, b"x") for n in (1, 2)}
    got = aws.complete("b", "k", upload, sorted(etags.items()))
    assert got.status == 400
    assert texts(got.body, "Code") == ["EntityTooSmall"]
    assert aws.complete("b", "k", upload, [(1, etags[1])]).status == 200


def test_43_list_multipart_uploads_shows_the_callers(b):
    def ids():
        return texts(b.ok("GET", "b", query="uploads").body, "Upload/UploadId")

    assert ids() == []
    one, two = b.begin("b", "a"), b.begin("b", "b")
    assert ids() == [one, two]
    b.ok("DELETE", "b", "a", f"uploadId={one}", status=204)
    assert ids() == [two]
    etag = b.part("b", "b", two, 1, b"x")
    b.complete("b", "b", two, [(1, etag)])
    assert ids() == []
    b.refused(403, "AccessDenied", "GET", "b", query="uploads", user="other")


def test_62_more_ways_to_complete(b):
    b.refused(404, "NoSuchUpload", "PUT", "b", "k", "partNumber=1&uploadId=no", body=b"x")
    upload = b.begin("b", "k")
    etags = {n: b.part("b", "k", upload, n, b"part%d" % n) for n in (1, 2, 3)}

    def refused(parts):
        got = b.complete("b", "k", upload, parts)
        assert got.status == 400
        assert len(staging(b)) == 1
        return texts(got.body, "Code")[0]

    assert refused([]) == "MalformedXML"
    assert refused([(2, etags[2]), (1, etags[1])]) == "InvalidPartOrder"
    assert refused([(2, etags[2]), (2, etags[2])]) == "InvalidPartOrder"
    assert refused([(1, etags[1]), (9, etags[1])]) == "InvalidPart"
    assert refused([(1, etags[2])]) == "InvalidPart"
    got = b.complete("b", "k", "0" * len(upload), [(1, etags[1])])
    assert texts(got.body, "Code") == ["NoSuchUpload"]
    assert b.complete("b", "k", upload, [(1, etags[1]), (3, etags[3])]).status == 200
    assert b.get("b", "k") == b"part1part3"


def test_63_nothing_after_abort(b):
    upload = b.begin("b", "k")
    etag = b.part("b", "k", upload, 1, b"x")
    b.ok("DELETE", "b", "k", f"uploadId={upload}", status=204)
    got = b.complete("b", "k", upload, [(1, etag)])
    assert texts(got.body, "Code") == ["NoSuchUpload"]
    b.refused(404, "NoSuchUpload", "DELETE", "b", "k", f"uploadId={upload}")
    b.refused(404, "NoSuchUpload", "GET", "b", "k", f"uploadId={upload}")


def test_64_list_parts_ten_and_wrong_places(b):
    upload = b.begin("b", "k")
    for n in random.Random(64).sample(range(1, 11), 10):
        b.part("b", "k", upload, n, b"x" * n)
    got = b.ok("GET", "b", "k", f"uploadId={upload}").body
    assert texts(got, "Part/PartNumber") == [str(n) for n in range(1, 11)]
    assert texts(got, "Part/Size") == [str(n) for n in range(1, 11)]
    b.refused(404, "NoSuchUpload", "GET", "b", "k", "uploadId=wrong")
    b.refused(404, "NoSuchUpload", "GET", "b", "k/", f"uploadId={upload}")
    b.refused(404, "NoSuchBucket", "GET", "missing", "k", f"uploadId={upload}")


def test_kept_attributes_of_create(b):
    upload = b.begin(
        "b",
        "k",
        headers={"Content-Type": "text/x", "x-amz-tagging": "a=1", "x-amz-meta-who": "me"},
    )
    etag = b.part("b", "k", upload, 1, b"x")
    b.complete("b", "k", upload, [(1, etag)])
    got = b.ok("GET", "b", "k")
    assert got.headers["content-type"] == "text/x"
    assert got.headers["x-amz-meta-who"] == "me"
    assert b.tags("b", "k") == [("a", "1")]
