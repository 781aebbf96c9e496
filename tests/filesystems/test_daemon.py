"""The daemon on each file system: a stock client, a kill in the middle, a disk that is full."""

from __future__ import annotations

import hashlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from tests.filesystems.mounting import BOUNDED, ENGINES, LOCAL, Mounted, mounted
from tests.history.gateways import Gateway

pytestmark = [pytest.mark.filesystems, pytest.mark.timeout(600)]

BIG = bytes(range(256)) * 4096 * 6


@pytest.fixture(params=[*LOCAL, *ENGINES])
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mounted]:
    """Each of them."""
    with mounted(request.param, tmp_path / request.param) as found:
        yield found


@pytest.fixture(params=BOUNDED)
def bounded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mounted]:
    """Those that can be filled."""
    with mounted(request.param, tmp_path / request.param) as found:
        yield found


class Daemon:
    """A daemon with its root there, and a client of it with a bucket."""

    def __init__(self, folder: Path, mount: Path) -> None:
        self.root = mount / "root"
        self.root.mkdir()
        self.gateway = Gateway(folder, self.root)
        self.start()
        self.s3.create_bucket(Bucket="bucket")

    def start(self) -> None:
        """With a client that has no connections of before."""
        self.gateway.start()
        self.s3 = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{self.gateway.port}",
            region_name="us-east-1",
            aws_access_key_id="alice",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def get(self, key: str) -> bytes:
        """The content, which is that of the ETag where this is a digest."""
        answer = self.s3.get_object(Bucket="bucket", Key=key)
        data: bytes = answer["Body"].read()
        etag = answer["ETag"].strip('"')
        assert "-" in etag or etag == hashlib.md5(data, usedforsecurity=False).hexdigest()
        return data

    def listed(self) -> list[str]:
        """All of them."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket="bucket", PaginationConfig={"PageSize": 7}
        )
        return [one["Key"] for page in pages for one in page.get("Contents", [])]


@pytest.fixture
def daemon(here: Mounted, tmp_path: Path) -> Iterator[Daemon]:
    """One on each file system."""
    made = Daemon(tmp_path / "daemon", here.path)
    yield made
    made.gateway.stop(signal.SIGKILL)


def _fails(call: Any, **arguments: Any) -> int:
    with pytest.raises(ClientError) as failed:
        call(Bucket="bucket", **arguments)
    status: int = failed.value.response["ResponseMetadata"]["HTTPStatusCode"]
    return status


def test_a_round_of_a_stock_client(daemon: Daemon) -> None:
    s3 = daemon.s3
    long = "é" * 127 + "/" + "x" * 255 + "/" + "z" * 300
    keys = ["a", "a/b", "a/c/d", "file.txt", "folder/", long]
    for key in keys:
        body = b"" if key == "folder/" else key.encode()
        s3.put_object(
            Bucket="bucket", Key=key, Body=body, Metadata={"number": "1"}, ContentType="text/x"
        )
    assert daemon.listed() == sorted(keys, key=str.encode)
    assert daemon.get(long) == long.encode()
    head = s3.head_object(Bucket="bucket", Key="a/b")
    assert (head["Metadata"], head["ContentType"]) == ({"number": "1"}, "text/x")
    assert _fails(s3.put_object, Key="a", Body=b"2", IfNoneMatch="*") == 412
    s3.put_object(
        Bucket="bucket",
        Key="a",
        Body=b"2",
        IfMatch=s3.head_object(Bucket="bucket", Key="a")["ETag"],
    )
    assert daemon.get("a") == b"2"
    s3.put_object_tagging(
        Bucket="bucket", Key="a", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]}
    )
    assert s3.get_object_tagging(Bucket="bucket", Key="a")["TagSet"] == [{"Key": "k", "Value": "v"}]
    upload = s3.create_multipart_upload(Bucket="bucket", Key="big")["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": s3.upload_part(
                Bucket="bucket", Key="big", UploadId=upload, PartNumber=number, Body=BIG
            )["ETag"],
        }
        for number in (2, 1)
    ]
    s3.complete_multipart_upload(
        Bucket="bucket", Key="big", UploadId=upload, MultipartUpload={"Parts": parts[::-1]}
    )
    assert daemon.get("big") == BIG * 2
    s3.copy_object(Bucket="bucket", Key="copy", CopySource="bucket/big")
    assert daemon.get("copy") == BIG * 2
    ranged = s3.get_object(Bucket="bucket", Key="copy", Range=f"bytes={len(BIG) - 1}-{len(BIG)}")
    assert ranged["Body"].read() == BIG[-1:] + BIG[:1]
    (daemon.root / "bucket" / "theirs").write_bytes(b"of another program")
    assert s3.get_object(Bucket="bucket", Key="theirs")["Body"].read() == b"of another program"
    assert (daemon.root / "bucket" / "file.txt").read_bytes() == b"file.txt"
    s3.delete_objects(
        Bucket="bucket", Delete={"Objects": [{"Key": key} for key in daemon.listed()]}
    )
    assert daemon.listed() == []
    s3.delete_bucket(Bucket="bucket")
    assert sorted(path.name for path in daemon.root.iterdir()) == [".s3gate"]


def test_killed_in_the_middle(daemon: Daemon) -> None:
    acknowledged: dict[str, bytes] = {}
    for turn in range(3):
        stop = threading.Event()

        def write(turn: int = turn, stop: threading.Event = stop) -> None:
            number = 0
            while not stop.is_set():
                number += 1
                key, body = f"k{turn}/{number % 5}/{number}", b"%d" % number * (number % 7 * 5000)
                try:
                    daemon.s3.put_object(Bucket="bucket", Key=key, Body=body)
                except (HTTPClientError, ClientError):
                    return
                acknowledged[key] = body

        writer = threading.Thread(target=write)
        writer.start()
        while len(acknowledged) < 20 * (turn + 1):
            assert writer.is_alive()
            stop.wait(0.01)
        daemon.gateway.stop(signal.SIGKILL)
        stop.set()
        writer.join()
        daemon.start()
        listed = daemon.listed()
        assert set(acknowledged) <= set(listed)
        assert len(listed) <= len(acknowledged) + turn + 1
        for key in listed:
            body = daemon.get(key)
            assert acknowledged.setdefault(key, body) == body


def test_full_and_read_only_and_back(bounded: Mounted, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "daemon", bounded.path)
    try:
        daemon.s3.put_object(Bucket="bucket", Key="old", Body=BIG)
        bounded.do("full")
        assert _fails(daemon.s3.put_object, Key="old", Body=BIG + b"new") == 507
        assert _fails(daemon.s3.put_object, Key="new", Body=BIG) == 507
        assert daemon.get("old") == BIG
        assert daemon.listed() == ["old"]
        daemon.s3.delete_object(Bucket="bucket", Key="old")
        bounded.do("room")
        daemon.s3.put_object(Bucket="bucket", Key="old", Body=BIG)
        bounded.do("ro")
        assert _fails(daemon.s3.put_object, Key="new", Body=b"x") == 503
        assert _fails(daemon.s3.delete_object, Key="old") == 503
        assert daemon.get("old") == BIG
        bounded.do("rw")
        daemon.s3.put_object(Bucket="bucket", Key="new", Body=b"x")
        assert daemon.listed() == ["new", "old"]
    finally:
        daemon.gateway.stop(signal.SIGKILL)
