"""The way to a store in this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from s3daemon.store.interfaces import (
    Attributes,
    Busy,
    Condition,
    ConditionConflict,
    ConditionFailed,
    IStore,
    ListQuery,
    NoSuchKey,
    ObjectExists,
    ObjectInfo,
)
from tests.history.clients import If, Missing, NotDone, Refused
from tests.history.contents import Content, verify
from tests.store.tools import begin, put_part

BUCKET = "bucket"


@contextmanager
def _answers() -> Iterator[None]:
    try:
        yield
    except (ObjectExists, ConditionFailed) as exc:
        raise Refused from exc
    except NoSuchKey as exc:
        raise Missing from exc
    except (Busy, ConditionConflict) as exc:
        raise NotDone from exc


def _condition(condition: If) -> Condition:
    return Condition(create_only=condition.free, etag=condition.etag)


def _verified(info: ObjectInfo, data: bytes | None) -> str:
    if info.folder:
        raise Missing
    verify(info.etag, info.size, info.attributes.metadata, data)
    return info.etag


class StoreConnection:
    """See :class:`~tests.history.clients.Connection`."""

    def __init__(self, store: IStore) -> None:
        self._store = store

    def put(self, key: str, content: Content, condition: If) -> str:
        attributes = Attributes(metadata=content.metadata)
        with _answers():
            writer = self._store.objects.create(
                BUCKET, key, attributes, "alice", _condition(condition)
            )
            try:
                writer.write([content.data])
                return writer.commit(content.etag).etag
            finally:
                writer.abort()

    def put_in_parts(self, key: str, content: Content, condition: If) -> str:
        store = self._store
        with _answers():
            upload = begin(store, BUCKET, key, Attributes(metadata=content.metadata))
            parts = [
                put_part(store, BUCKET, upload, number, part)
                for number, part in enumerate(content.parts, 1)
            ]
            listed = [(part.number, part.etag) for part in parts]
            return store.uploads.complete(
                BUCKET, key, upload.upload_id, listed, condition=_condition(condition)
            ).etag

    def get(self, key: str) -> str:
        with _answers():
            reader = self._store.objects.open(BUCKET, key)
            try:
                half = reader.info.size // 2
                data = reader.read(0, half)
                data += reader.read(len(data), reader.info.size)
                return _verified(reader.info, data)
            finally:
                reader.close()

    def head(self, key: str) -> str:
        with _answers():
            return _verified(self._store.objects.stat(BUCKET, key), None)

    def copy(self, source: str, key: str) -> tuple[str | None, str]:
        objects = self._store.objects
        with _answers():
            reader = objects.open(BUCKET, source)
            try:
                old = _verified(reader.info, None)
                attributes = reader.info.attributes
                return old, objects.copy(reader, BUCKET, key, attributes, "alice").etag
            finally:
                reader.close()

    def delete(self, key: str, condition: If) -> None:
        with _answers():
            self._store.objects.delete(BUCKET, key, condition=_condition(condition))

    def list(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        after: str | None = ""
        with _answers():
            while after is not None:
                page = self._store.objects.list(BUCKET, ListQuery(after=after, max_keys=3))
                for info in page.objects:
                    found[info.key] = _verified(info, None)
                after = page.next_after
        return found
