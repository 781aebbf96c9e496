"""Ways to change a store, and the one that calls it directly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from s3daemon.store.interfaces import ALWAYS, Condition, IStore, UploadInfo
from tests.crash.versions import OWNER, Version, list_of
from tests.store import tools


class Hands(Protocol):
    """One connection.  What returns was acknowledged; whatever is raised was not.

    All raise :class:`NotDone`.
    """

    def create_bucket(self, bucket: str) -> None: ...

    def tag_bucket(self, bucket: str, tags: tuple[tuple[str, str], ...]) -> None: ...

    def delete_bucket(self, bucket: str) -> None: ...

    def put(self, bucket: str, key: str, version: Version, condition: Condition) -> None: ...

    def copy(self, bucket: str, source: str, key: str, version: Version) -> None: ...

    def delete(self, bucket: str, key: str) -> None: ...

    def delete_all(self, bucket: str, keys: Sequence[str]) -> None: ...

    def tag(self, bucket: str, key: str, tags: tuple[tuple[str, str], ...]) -> None: ...

    def publish(self, bucket: str, key: str) -> None:
        """Let everybody read it."""

    def begin(self, bucket: str, key: str, version: Version) -> str:
        """The id of an upload that is going to be this version."""

    def part(self, bucket: str, key: str, upload: str, number: int, body: bytes) -> None: ...

    def complete(
        self, bucket: str, key: str, upload: str, parts: Sequence[tuple[int, str]]
    ) -> None: ...

    def abort(self, bucket: str, key: str, upload: str) -> None: ...


class NotDone(Exception):
    """It was refused for now; nothing was changed, and it may be tried again."""


class StoreHands:
    """Calls a store."""

    def __init__(self, store: IStore) -> None:
        self._store = store

    def create_bucket(self, bucket: str) -> None:
        self._store.buckets.create(bucket, OWNER)

    def tag_bucket(self, bucket: str, tags: tuple[tuple[str, str], ...]) -> None:
        self._store.buckets.set_tags(bucket, tags)

    def delete_bucket(self, bucket: str) -> None:
        self._store.buckets.delete(bucket)

    def put(self, bucket: str, key: str, version: Version, condition: Condition = ALWAYS) -> None:
        writer = self._store.objects.create(bucket, key, version.attributes, OWNER, condition)
        try:
            if version.body:
                middle = len(version.body) // 2
                writer.write([version.body[:middle]])
                writer.write([version.body[middle:]])
            writer.commit(version.etag, version.checksum)
        finally:
            writer.abort()

    def copy(self, bucket: str, source: str, key: str, version: Version) -> None:
        reader = self._store.objects.open(bucket, source)
        try:
            algorithm = "SHA256" if version.sha256 else None
            self._store.objects.copy(
                reader, bucket, key, version.attributes, OWNER, ALWAYS, algorithm
            )
        finally:
            reader.close()

    def delete(self, bucket: str, key: str) -> None:
        self._store.objects.delete(bucket, key)

    def delete_all(self, bucket: str, keys: Sequence[str]) -> None:
        for key in sorted(keys, reverse=True):
            self._store.objects.delete(bucket, key)

    def tag(self, bucket: str, key: str, tags: tuple[tuple[str, str], ...]) -> None:
        self._store.objects.set_tags(bucket, key, tags)

    def publish(self, bucket: str, key: str) -> None:
        self._store.objects.set_acl(bucket, key, lambda info: list_of(True))

    def begin(self, bucket: str, key: str, version: Version) -> str:
        return tools.begin(self._store, bucket, key, version.attributes, OWNER).upload_id

    def part(self, bucket: str, key: str, upload: str, number: int, body: bytes) -> None:
        tools.put_part(self._store, bucket, _upload(key, upload), number, body, bool(number % 3))

    def complete(
        self, bucket: str, key: str, upload: str, parts: Sequence[tuple[int, str]]
    ) -> None:
        tools.complete(self._store, bucket, _upload(key, upload), parts)

    def abort(self, bucket: str, key: str, upload: str) -> None:
        self._store.uploads.abort(bucket, key, upload)


def _upload(key: str, upload: str) -> UploadInfo:
    return UploadInfo(key, upload, OWNER, 0)
