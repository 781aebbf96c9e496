"""Ways to damage a store: each does what a bad disk, a crash or another program may do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from s3daemon.store.posix.records import ATTRIBUTE
from s3daemon.store.posix.scrub.findings import KINDS

Damage = Callable[[Path], None]

#: The kinds that a crash leaves.
LEFTOVERS = frozenset(kind.name for kind in KINDS if kind.level == "leftover")


def only(directory: Path, pattern: str) -> Path:
    """The one entry of a directory that matches."""
    (found,) = directory.glob(pattern)
    return found


def upload_of(root: Path, bucket: str = "bucket") -> Path:
    """The upload that is under way."""
    return only(root / bucket / "_s3_multipart_tmp", "?" * 32)


def same_size(path: Path, data: bytes) -> None:
    """Change the bytes of a file as a bad disk would: nothing else tells."""
    st = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))


def new_inode(path: Path) -> None:
    """Replace a file by a copy with the same times and attributes, as a restore does."""
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    for name in os.listxattr(path):
        os.setxattr(copy, name, os.getxattr(path, name))
    st = path.stat()
    os.utime(copy, ns=(st.st_atime_ns, st.st_mtime_ns))
    copy.rename(path)


def record(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(os.getxattr(path, ATTRIBUTE))
    return found


def rewrite(path: Path, **fields: object) -> None:
    """Change fields of a record; None removes one."""
    changed = {**record(path), **fields}
    kept = {name: value for name, value in changed.items() if value is not None}
    os.setxattr(path, ATTRIBUTE, json.dumps(kept).encode())


def damage_content(root: Path) -> None:
    same_size(root / "bucket" / "plain", b"hellO")


def damage_part_of_object(root: Path) -> None:
    same_size(root / "bucket" / "parts", b"hellohellOhello")


def wrong_checksum(root: Path) -> None:
    rewrite(root / "bucket" / "summed", checksums={"CRC32": "AAAAAA=="})


def wrong_composite(root: Path) -> None:
    rewrite(root / "bucket" / "parts", checksums={"CRC32": "AAAAAA==-3"})


def wrong_checksum_of_part(root: Path) -> None:
    rewrite(root / "bucket" / "parts", partsums="NhCmhg==AAAAAA==NhCmhg==")


def wrong_parts(root: Path) -> None:
    rewrite(root / "bucket" / "parts", parts=[[5, 2]])


def damage_record(root: Path) -> None:
    os.setxattr(root / "bucket" / "plain", ATTRIBUTE, b'{"v":1,"etag":7}')


def damage_record_of_directory(root: Path) -> None:
    os.setxattr(root / "bucket" / "folder", ATTRIBUTE, b"\xff")


def damage_record_of_bucket(root: Path) -> None:
    os.setxattr(root / "bucket", ATTRIBUTE, b"")


def later_record(root: Path) -> None:
    os.setxattr(root / "bucket" / "plain", ATTRIBUTE, b'{"v":2,"etag":[]}')


def lose_spill(root: Path) -> None:
    only(root / "bucket" / ".s3gate" / "spill", "*").unlink()


def damage_spill(root: Path) -> None:
    only(root / "bucket" / ".s3gate" / "spill", "*").write_bytes(b"{}")


def orphan_spill(root: Path) -> None:
    (root / "bucket" / "long").unlink()


def restore(root: Path) -> None:
    new_inode(root / "bucket" / "plain")


def restore_parts(root: Path) -> None:
    new_inode(root / "bucket" / "parts")


def touch(root: Path) -> None:
    (root / "bucket" / "within" / "k").touch()


def two_files(root: Path) -> None:
    (root / "bucket" / ".s3gate%f+plain").write_bytes(b"old")


def two_directories(root: Path) -> None:
    escaped = root / "bucket" / ".s3gate%d+within"
    escaped.mkdir()
    os.setxattr(escaped, ATTRIBUTE, b'{"v":1,"implicit":true}')
    (root / "bucket" / ".s3gate%d+within" / "k").write_bytes(b"old")


def bad_escape(root: Path) -> None:
    (root / "bucket" / ".s3gate%x+plain").touch()


def escape_of_the_other_kind(root: Path) -> None:
    (root / "bucket" / ".s3gate%d+file").touch()


def digest_of_nothing(root: Path) -> None:
    (root / "bucket" / (".s3gate%F+" + "0" * 64)).touch()


def digest_of_something_else(root: Path) -> None:
    rewrite(only(root / "bucket", ".s3gate%D+*"), name="other")


def private_where_none_is(root: Path) -> None:
    (root / "bucket" / "a" / ".s3gate").mkdir()


def strange(root: Path) -> None:
    (root / "bucket" / ".s3gate" / "notes").touch()


def strange_in_root(root: Path) -> None:
    (root / ".s3gate" / "notes").touch()


def strange_upload(root: Path) -> None:
    (root / "bucket" / "_s3_multipart_tmp" / "notes").touch()


def strange_spill(root: Path) -> None:
    (root / "bucket" / ".s3gate" / "spill" / "notes").touch()


def staged(root: Path) -> None:
    (root / "bucket" / ".s3gate" / "staging" / ("0" * 32)).touch()


def staged_bucket(root: Path) -> None:
    (root / ".s3gate" / "staging" / ("0" * 32)).mkdir(parents=True)


def trial(root: Path) -> None:
    (root / ".s3gate" / ("sync-" + "0" * 32)).touch()


def trash(root: Path) -> None:
    (root / ".s3gate" / "trash" / ("0" * 32)).mkdir(parents=True)


def gone(root: Path) -> None:
    upload_of(root).rename(root / "bucket" / "_s3_multipart_tmp" / (".gone-" + "0" * 32))


def stateless(root: Path) -> None:
    (upload_of(root) / "upload.json").unlink()


def damage_state(root: Path) -> None:
    (upload_of(root, "bucket/within") / "upload.json").write_text("{}")


def lose_part(root: Path) -> None:
    only(upload_of(root), "own.*").unlink()


def shorten_part(root: Path) -> None:
    os.truncate(only(upload_of(root, "bucket/within"), "data.*"), 4)


def damage_part(root: Path) -> None:
    only(upload_of(root), "own.*").write_bytes(b"Again")


def wrong_checksum_of_upload(root: Path) -> None:
    upload = upload_of(root)
    newest = max(upload.glob("part.*"), key=lambda path: int(path.name.split(".")[2]))
    newest.rename(newest.with_name(newest.name + ".crc32-00000000"))


def orphan_own(root: Path) -> None:
    (upload_of(root) / ("own." + "0" * 32)).touch()


def seal(root: Path) -> None:
    (upload_of(root) / "sealed").touch()


def finished(root: Path) -> None:
    upload = upload_of(root, "bucket/within")
    (upload / "sealed").touch()
    only(upload, "data.*").unlink()


def pointer(root: Path) -> None:
    pointer = only(root / "bucket" / "_s3_multipart_tmp", ".within-*")
    pointer.with_name(".within-" + "0" * 32).write_text("bucket:gone")


def empty_directory(root: Path) -> None:
    (root / "bucket" / "a" / "b" / ".s3gate%d+" / "c").unlink()


def nameless_directory(root: Path) -> None:
    (root / "bucket" / (".s3gate%D+" + "0" * 64)).mkdir()


#: How to damage a root of :func:`tools.fill`, and what a scrub is to find then.
DAMAGE: list[tuple[Damage, str]] = [
    (damage_content, "content-mismatch"),
    (damage_part_of_object, "content-mismatch"),
    (wrong_checksum, "content-mismatch"),
    (wrong_composite, "content-mismatch"),
    (wrong_checksum_of_part, "content-mismatch"),
    (wrong_parts, "content-mismatch"),
    (damage_record, "damaged-record"),
    (damage_record_of_directory, "damaged-record"),
    (damage_record_of_bucket, "damaged-bucket"),
    (later_record, "later-record"),
    (lose_spill, "lost-spill"),
    (damage_spill, "lost-spill"),
    (orphan_spill, "orphan-spill"),
    (restore, "stale-stamp"),
    (restore_parts, "stale-stamp"),
    (touch, "stale-stamp"),
    (two_files, "hidden-form"),
    (two_directories, "hidden-form"),
    (bad_escape, "bad-name"),
    (escape_of_the_other_kind, "bad-name"),
    (digest_of_nothing, "bad-name"),
    (digest_of_something_else, "bad-name"),
    (private_where_none_is, "strange-entry"),
    (strange, "strange-entry"),
    (strange_in_root, "strange-entry"),
    (strange_upload, "strange-entry"),
    (strange_spill, "strange-entry"),
    (staged, "staged"),
    (staged_bucket, "staged"),
    (trial, "staged"),
    (trash, "trash"),
    (gone, "gone-upload"),
    (stateless, "stateless-upload"),
    (damage_state, "damaged-upload"),
    (lose_part, "lost-part"),
    (shorten_part, "lost-part"),
    (damage_part, "part-mismatch"),
    (wrong_checksum_of_upload, "part-mismatch"),
    (orphan_own, "orphan-content"),
    (seal, "abandoned-seal"),
    (finished, "finished-upload"),
    (pointer, "stale-pointer"),
    (empty_directory, "empty-directory"),
    (nameless_directory, "empty-directory"),
]
