"""The store on disk does what the model does, whatever is asked of both.

Every step is taken on both, and gives the same result or the same error; after every step both hold
the same.  What depends on the moment or on chance (times, tokens, upload ids) is left out.
"""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from s3daemon.store.interfaces import (
    ALWAYS,
    Attributes,
    BucketInfo,
    Checksum,
    Condition,
    IReader,
    IStore,
    IUploads,
    ListQuery,
    ObjectInfo,
    PartInfo,
    StorageError,
    UploadInfo,
    UploadsQuery,
)
from s3daemon.store.memory import MemoryStore
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import SIDECAR, Probe
from s3daemon.store.posix.store import PosixStore
from s3daemon.wire import checksums
from s3daemon.wire.grants import Grant, Grants
from tests.store.tools import NOTHING, copy, get, md5, put

# No key is the name of a bucket within its bucket: whether a file has that name on disk depends on
# what came first.
BUCKETS = ["b", "c", "b:in", "b:in:y"]
#: Most of what happens, happens in one bucket.
OFTEN = ["b", "b", "b", "b", "c", "b:in", "b:in:y"]
KEYS = [
    "a",
    "a/",
    "a/b",
    "a/b/",
    "a/b/c",
    "a//",
    "a//b",
    "/",
    "/x",
    "..",
    "../x",
    "a/../b",
    ".s3gate/x",
    ".s3gate%f+a",
    "_s3_multipart_tmp/x",
    "in/",
    "in/x",
    "in/y/z",
    "l" * 300,
    "l" * 300 + "/x",
    "l" * 900 + "/",
    "é b",
]
DELIMITERS = ["", "/", "b", "//"]

names = st.sampled_from(BUCKETS)
buckets = st.sampled_from(OFTEN)
keys = st.sampled_from(KEYS)
anywhere = st.tuples(buckets, keys)
#: Few sizes, so that parts often are of one size.
contents = st.sampled_from([b"", b"1", b"2222", b"3333", b"4444", b"55555"])
tag_sets = st.sampled_from([(), (("t", "1"),), (("b", "é"), ("a", ""))])
acls = st.sampled_from([None, None, (), (Grant("user", "bob", "READ"),)])
attributes = st.builds(
    Attributes,
    system=st.sampled_from([{}, {"content-type": "text/x"}]),
    metadata=st.sampled_from([{}, {"m": "1"}]),
    tags=tag_sets,
    acl=acls,
)
owners = st.sampled_from(["alice", "bob", None])
#: What an upload asks for.
checksum_kinds = st.sampled_from(
    [(None, None), ("CRC32", "FULL_OBJECT"), ("CRC32", "COMPOSITE"), ("SHA256", "COMPOSITE")]
)

Pair = tuple[Any, Any]
Where = tuple[str, str]

#: What a write may demand of the object that is there.
demands = st.sampled_from(
    ["nothing"] * 6
    + ["new", "any", "same", "other", "not same", "not other", "size", "another size"]
)


def demanded(store: IStore, where: Where, demand: str) -> Condition:
    """A demand in the words of a store, which may hold it or not."""
    try:
        info = store.objects.stat(*where)
        etag, size = info.etag, info.size
    except StorageError:
        etag, size = md5(b"nothing"), 0
    return {
        "nothing": ALWAYS,
        "new": Condition(create_only=True),
        "any": Condition(etag="*"),
        "same": Condition(etag=etag),
        "other": Condition(etag=md5(b"something else")),
        "not same": Condition(not_etag=etag),
        "not other": Condition(not_etag=md5(b"something else")),
        "size": Condition(size=size),
        "another size": Condition(etag="*", size=size + 1),
    }[demand]


@functools.cache
def known() -> Probe:
    """What the file system of the tests can do, tried once."""
    with tempfile.TemporaryDirectory() as root:
        return probe(Path(root))


def plain(value: object) -> object:
    """A result without what depends on the moment or on chance."""
    if isinstance(value, ObjectInfo):
        etag = "-" if value.folder else value.etag
        made_by = None if value.upload_id is None else "some upload"
        return attrs.evolve(value, modified_ns=0, etag=etag, upload_id=made_by)
    if isinstance(value, BucketInfo):
        return attrs.evolve(value, created_ns=0)
    if isinstance(value, UploadInfo):
        return attrs.evolve(value, initiated_ns=0, upload_id="")
    if isinstance(value, PartInfo):
        return attrs.evolve(value, modified_ns=0)
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if attrs.has(type(value)):
        return [plain(item) for item in attrs.astuple(value, recurse=False)]  # type: ignore[arg-type]
    return value


def checksum_of(upload: UploadInfo, data: bytes) -> Checksum | None:
    """The checksum of a part of an upload; None where nobody asked and there is no library."""
    algorithm = upload.checksum_algorithm or (checksums.DEFAULT and checksums.DEFAULT.name)
    if algorithm is None:
        return None
    hasher = checksums.hasher(algorithm)
    hasher.update(data)
    return Checksum(algorithm, checksums.encode(hasher.digest()))


class Stores(RuleBasedStateMachine):
    """The model and the disk, side by side."""

    places = Bundle("places")
    readers = Bundle("readers")
    writers = Bundle("writers")
    uploads = Bundle("uploads")
    part_writers = Bundle("part_writers")

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.model = MemoryStore()
        self.disk = PosixStore(self.root, "relaxed", self.probe())
        self.open: list[Any] = []
        self.create_bucket("b", "alice")

    def probe(self) -> Probe:
        """What the store on disk may use."""
        return known()

    def teardown(self) -> None:
        for one in self.open:
            getattr(one, "abort", getattr(one, "close", None))()
        self.disk.close()
        shutil.rmtree(self.root)

    def both(
        self,
        model: Callable[[], Any],
        disk: Callable[[], Any],
        compare: Callable[[Any], object] = plain,
    ) -> Pair | None:
        """Do the same to both; what they give, or None if both refuse for the same reason."""
        results: list[Any] = []
        errors: list[type[StorageError] | None] = []
        for call in (model, disk):
            try:
                results.append(call())
                errors.append(None)
            except StorageError as exc:
                results.append(None)
                errors.append(type(exc))
        assert errors[0] == errors[1], f"model {errors[0]}, disk {errors[1]}: {results}"
        if errors[0] is not None:
            return None
        assert compare(results[0]) == compare(results[1])
        return results[0], results[1]

    def ask(self, call: Callable[[IStore], Any]) -> Pair | None:
        """Do the same to both stores."""
        return self.both(lambda: call(self.model), lambda: call(self.disk))

    def store_of(self, uploads: IUploads) -> IStore:
        """The store that uploads are of."""
        return self.model if uploads is self.model.uploads else self.disk

    def keep(self, call: Callable[[IStore], Any]) -> Any:
        """Begin something on both that is gone on with later: for a bundle."""
        pair = self.both(lambda: call(self.model), lambda: call(self.disk), lambda _: None)
        if pair is None:
            return multiple()
        self.open += pair
        return pair

    # ------------------------------------------------------------ buckets

    @rule(name=names, owner=owners)
    def create_bucket(self, name: str, owner: str | None) -> None:
        self.ask(lambda store: store.buckets.create(name, owner))

    @rule(name=names, again=st.sampled_from([True, True, False]))
    def delete_bucket(self, name: str, again: bool) -> None:
        self.ask(lambda store: store.buckets.delete(name))
        if again:
            self.create_bucket(name, "carol")

    @rule(name=names, tags=st.none() | tag_sets)
    def set_bucket_tags(self, name: str, tags: tuple[tuple[str, str], ...] | None) -> None:
        self.ask(lambda store: store.buckets.set_tags(name, tags))

    @rule(name=names, acl=acls)
    def set_bucket_acl(self, name: str, acl: Grants | None) -> None:
        self.ask(lambda store: store.buckets.set_acl(name, lambda _: acl))

    # ------------------------------------------------------------ objects

    @rule(
        target=places,
        bucket=buckets,
        key=keys,
        data=contents,
        given=attributes,
        owner=owners,
        demand=demands,
    )
    def put(
        self,
        bucket: str,
        key: str,
        data: bytes,
        given: Attributes,
        owner: str | None,
        demand: str,
    ) -> Where:
        self.ask(
            lambda store: put(
                store,
                bucket,
                key,
                data,
                given,
                owner,
                condition=demanded(store, (bucket, key), demand),
            )
        )
        return bucket, key

    @rule(target=writers, bucket=buckets, key=keys, given=attributes, demand=demands)
    def begin_put(self, bucket: str, key: str, given: Attributes, demand: str) -> Any:
        return self.keep(
            lambda store: store.objects.create(
                bucket, key, given, "alice", demanded(store, (bucket, key), demand)
            )
        )

    @rule(pair=consumes(writers), data=contents, commit=st.booleans())
    def end_put(self, pair: Pair, data: bytes, commit: bool) -> None:
        def end(writer: Any) -> object:
            # One store may find out in the first step what the other finds out in the second.
            writer.write([data])
            return writer.commit(md5(data))

        if commit:
            self.both(lambda: end(pair[0]), lambda: end(pair[1]))
        for writer in pair:
            writer.abort()

    @rule(where=anywhere | places)
    def get(self, where: Where) -> None:
        self.ask(lambda store: get(store, *where))

    @rule(target=readers, where=places)
    def open_object(self, where: Where) -> Any:
        return self.keep(lambda store: store.objects.open(*where))

    @rule(pair=consumes(readers), offset=st.integers(0, 6), size=st.integers(0, 6))
    def read(self, pair: tuple[IReader, IReader], offset: int, size: int) -> None:
        model, disk = pair
        assert plain(model.info) == plain(disk.info)
        self.both(lambda: model.read(offset, size), lambda: disk.read(offset, size))
        for reader in pair:
            reader.close()

    @rule(
        target=places,
        source=places,
        where=anywhere | places,
        given=attributes,
        demand=demands,
    )
    def copy(self, source: Where, where: Where, given: Attributes, demand: str) -> Where:
        self.ask(
            lambda store: copy(
                store, source, where, given, "bob", condition=demanded(store, where, demand)
            )
        )
        return where

    @rule(where=anywhere | places, tags=tag_sets)
    def set_tags(self, where: Where, tags: tuple[tuple[str, str], ...]) -> None:
        self.ask(lambda store: store.objects.set_tags(*where, tags))

    @rule(where=anywhere | places, acl=acls)
    def set_acl(self, where: Where, acl: Grants | None) -> None:
        self.ask(lambda store: store.objects.set_acl(*where, lambda _: acl))

    @rule(
        where=places,
        prune=st.sampled_from([True, True, False]),
        demand=demands,
    )
    def delete(self, where: Where, prune: bool, demand: str) -> None:
        self.ask(lambda store: store.objects.delete(*where, prune, demanded(store, where, demand)))

    @rule(where=anywhere, prune=st.booleans())
    def delete_anything(self, where: Where, prune: bool) -> None:
        self.ask(lambda store: store.objects.delete(*where, prune))

    @rule(
        bucket=buckets,
        prefix=st.sampled_from(KEYS).flatmap(
            lambda key: st.integers(0, len(key)).map(lambda cut: key[:cut])
        ),
        delimiter=st.sampled_from(DELIMITERS),
        after=st.sampled_from(["", *KEYS, "a/b/c/d", "b"]),
        max_keys=st.integers(0, 5),
        folders=st.booleans(),
    )
    def list_page(
        self, bucket: str, prefix: str, delimiter: str, after: str, max_keys: int, folders: bool
    ) -> None:
        query = ListQuery(prefix, delimiter, after, max_keys, folders)
        self.ask(lambda store: store.objects.list(bucket, query))

    # ------------------------------------------------------------ uploads

    @rule(
        target=uploads,
        bucket=buckets,
        key=keys,
        given=attributes,
        owner=owners,
        checksum=checksum_kinds,
    )
    def begin_upload(
        self,
        bucket: str,
        key: str,
        given: Attributes,
        owner: str | None,
        checksum: tuple[str | None, str | None],
    ) -> Any:
        pair = self.ask(lambda store: store.uploads.create(bucket, key, given, owner, *checksum))
        return multiple() if pair is None else (bucket, pair)

    def of_upload(self, upload: tuple[str, Pair], call: Callable[..., Any]) -> Pair | None:
        """Do the same to one upload of both."""
        bucket, (model, disk) = upload
        return self.both(
            lambda: call(self.model.uploads, bucket, model.key, model.upload_id),
            lambda: call(self.disk.uploads, bucket, disk.key, disk.upload_id),
        )

    @rule(
        upload=uploads,
        number=st.integers(1, 4),
        data=contents,
        announce=st.booleans(),
        summed=st.sampled_from([True, True, True, False]),
    )
    def put_part(
        self, upload: tuple[str, Pair], number: int, data: bytes, announce: bool, summed: bool
    ) -> None:
        def call(uploads: Any, *where: str) -> PartInfo:
            writer = uploads.write_part(*where, number, len(data) if announce else None)
            try:
                writer.write([data])
                checksum = checksum_of(upload[1][0], data) if summed else None
                part: PartInfo = writer.commit(md5(data), checksum)
                return part
            finally:
                writer.abort()

        self.of_upload(upload, call)

    @rule(
        target=part_writers,
        upload=uploads,
        number=st.integers(1, 4),
        size=st.sampled_from([None, 1, 4, 5]),
        data=contents,
    )
    def begin_part(
        self, upload: tuple[str, Pair], number: int, size: int | None, data: bytes
    ) -> Any:
        bucket, (model, disk) = upload
        pair = self.both(
            lambda: self.model.uploads.write_part(bucket, model.key, model.upload_id, number, size),
            lambda: self.disk.uploads.write_part(bucket, disk.key, disk.upload_id, number, size),
            lambda _: None,
        )
        if pair is None:
            return multiple()
        self.open += pair
        try:
            pair[1].write([data])
        except StorageError:
            return multiple()  # found out at once what the model finds out at the end
        pair[0].write([data])
        return pair, data

    @rule(begun=consumes(part_writers), commit=st.booleans())
    def end_part(self, begun: tuple[Pair, bytes], commit: bool) -> None:
        (model, disk), data = begun
        if commit:
            checksum = checksum_of(model.upload, data)
            self.both(
                lambda: model.commit(md5(data), checksum), lambda: disk.commit(md5(data), checksum)
            )
        model.abort()
        disk.abort()

    @rule(upload=uploads, after=st.integers(0, 4), limit=st.integers(0, 4))
    def list_parts(self, upload: tuple[str, Pair], after: int, limit: int) -> None:
        self.of_upload(upload, lambda uploads, *at: uploads.list_parts(*at, after, limit))

    @rule(
        upload=uploads,
        numbers=st.none() | st.sets(st.integers(1, 4)),
        wrong=st.sampled_from([None] * 5 + [0]),
        least=st.sampled_from([0, 0, 0, 4]),
        demand=demands,
    )
    def complete(
        self,
        upload: tuple[str, Pair],
        numbers: set[int] | None,
        wrong: int | None,
        least: int,
        demand: str,
    ) -> None:
        """With all parts that are there, or some numbers, of which there may be no part."""
        bucket, (model, _) = upload
        try:
            parts = self.model.uploads.list_parts(bucket, model.key, model.upload_id, 0, 100).parts
        except StorageError:
            parts = ()
        etags = {part.number: part.etag for part in parts}
        chosen = [
            (n, etags.get(n, md5(b""))) for n in sorted(etags if numbers is None else numbers)
        ]
        if wrong is not None and chosen:
            chosen[wrong] = (chosen[wrong][0], md5(b"wrong"))
        done = self.of_upload(
            upload,
            lambda uploads, *at: uploads.complete(
                *at, chosen, least, demanded(self.store_of(uploads), at[:2], demand)
            ),
        )
        if done is not None:
            if done[0].checksum is not None and done[0].checksum.kind == checksums.FULL_OBJECT:
                assert done[0].checksum == checksum_of(model, get(self.model, bucket, model.key)[1])
            assert done[0].upload_id == model.upload_id
            assert done[1].upload_id == upload[1][1].upload_id

    @rule(upload=uploads)
    def abort_upload(self, upload: tuple[str, Pair]) -> None:
        self.of_upload(upload, lambda uploads, *at: uploads.abort(*at))

    @rule(
        bucket=buckets,
        prefix=st.sampled_from(["", "a", "a/", "l"]),
        delimiter=st.sampled_from(DELIMITERS),
        after=st.sampled_from(["", *KEYS]),
        limit=st.integers(0, 4),
        owner=owners,
    )
    def list_uploads(
        self, bucket: str, prefix: str, delimiter: str, after: str, limit: int, owner: str | None
    ) -> None:
        query = UploadsQuery(prefix, delimiter, after, "", limit, owner)

        def call(store: IStore) -> list[Any]:
            found = store.uploads.list(bucket, query)
            # The id of a marker is a different one on both.
            return [found.uploads, found.prefixes, found.next_key]

        self.ask(call)

    @rule(
        target=places,
        where=anywhere | places,
        data=st.lists(contents, min_size=1, max_size=4),
        announce=st.booleans(),
        backwards=st.booleans(),
        checksum=checksum_kinds,
    )
    def put_in_parts(
        self,
        where: Where,
        data: list[bytes],
        announce: bool,
        backwards: bool,
        checksum: tuple[str | None, str | None],
    ) -> Where:
        begun = self.begin_upload(*where, NOTHING, "alice", checksum)
        if isinstance(begun, tuple):
            for number, part in sorted(enumerate(data, 1), reverse=backwards):
                self.put_part(begun, number, part, announce, True)
            self.complete(begun, None, None, 0, "nothing")
        return where

    @rule(old=st.sampled_from([False] * 5 + [True]))
    def expire(self, old: bool) -> None:
        self.ask(lambda store: store.uploads.expire(1 << 62 if old else 0))

    # ------------------------------------------------------------ both hold the same

    @invariant()
    def same_buckets(self) -> None:
        self.ask(lambda store: list(store.buckets.list()))
        for name in BUCKETS:
            self.ask(lambda store, name=name: store.buckets.get(name))

    @invariant()
    def same_objects(self) -> None:
        for name, folders in itertools.product(BUCKETS, (False, True)):
            query = ListQuery(folders=folders)
            self.ask(lambda store, n=name, q=query: store.objects.list(n, q))

    @invariant()
    def same_uploads(self) -> None:
        for name in BUCKETS:
            self.ask(lambda store, name=name: store.uploads.list(name, UploadsQuery()))


#: More of them look for longer, and every time elsewhere: S3GATE_TEST_EXAMPLES=3000 pytest ...
_USUAL = 60
_EXAMPLES = int(os.environ.get("S3GATE_TEST_EXAMPLES", _USUAL))


class SidecarStores(Stores):
    """The same on a disk that keeps records beside what they speak of."""

    def probe(self) -> Probe:
        """See :meth:`Stores.probe`."""
        return attrs.evolve(known(), metadata=SIDECAR, xattr_bytes=0)


Stores.TestCase.settings = SidecarStores.TestCase.settings = settings(
    max_examples=_EXAMPLES,
    derandomize=_EXAMPLES == _USUAL,
    stateful_step_count=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
test_stores = Stores.TestCase
test_sidecar_stores = SidecarStores.TestCase
