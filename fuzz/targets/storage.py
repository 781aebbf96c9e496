"""What lies on the disk and may have been written by anybody: names, records."""

from __future__ import annotations

from fuzz.target import Target, promise
from s3daemon.store.facts import BadKey, Corrupt, KeyTooLong
from s3daemon.store.posix import metadata, names, packing, upload_names, upload_state


def _record(data: bytes) -> str:
    record = packing.parse(data)
    if record in (metadata.DAMAGED, metadata.LATER):
        return "later" if record.later else "damaged"
    sizes = metadata.part_sizes(record.parts)
    promise(len(sizes) <= metadata.MAX_PARTS and all(s >= 0 for s in sizes), "parts are possible")
    for text in (record.etag, record.owner, record.name, record.spill, record.upload_id):
        promise(text is None or isinstance(text, str), "text is text")
    promise(packing.parse(packing.dump(record)) == record, "what is read is what is written")
    said = [name for name, value in vars_of(record).items() if value]
    return f"{said} {len(sizes)}"


def vars_of(record: metadata.Record) -> dict[str, object]:
    """The fields of a record."""
    return {name: getattr(record, name) for name in type(record).__slots__ if name[0] != "_"}


def _names(data: bytes) -> str:
    """Names of directory entries, and keys."""
    found = names.decode(data) if b"/" not in data and b"\0" not in data else None
    outcome = "no name"
    if found is not None:
        outcome = f"{found.kind} {found.segment is None}"
        if found.segment is not None and found.kind != "natural" and len(data) <= 255:
            written = names.file_name if found.kind == "file" else names.dir_name
            if len(found.segment) <= 244:
                promise(written(found.segment) == data, "a name stands for one segment")
    try:
        parts = names.segments(data.decode("utf-8", "surrogateescape"))
    except (BadKey, KeyTooLong) as error:
        return f"{outcome} {type(error).__name__}"
    for segment in parts:
        for name, kind in ((names.file_name(segment), "file"), (names.dir_name(segment), "dir")):
            promise(len(name) <= 255 and b"/" not in name and name[0] == 0x2E, "a name of an entry")
            back = names.decode(name)
            promise(back is not None and back.kind == kind, "an escape is read as one")
            promise(back is None or back.segment in (None, segment), "and says its segment")
        if names.is_natural(segment):
            back = names.decode(segment)
            promise(back is not None and back.segment == segment, "a natural name is itself")
    return f"{outcome} {min(len(parts), 4)} {names.is_natural(parts[-1])}"


def _part_names(data: bytes) -> str:
    listed = data.split(b"\n")
    scan = upload_names.read_names(listed)
    for part in scan.all:
        promise(part.number <= 99_999 and part.size < 10**15, "numbers are bounded")
        promise(part.offset >= -(10**15) and b"/" not in part.file, "a file beside it")
        _ = part.info
    for number, part in scan.parts.items():
        of = scan.of(number)
        promise(part in of and all(p.time_ns <= part.time_ns for p in of), "the latest counts")
    again = upload_names.read_names(reversed(listed))
    promise(again.parts == scan.parts and again.published == scan.published, "in any order")
    return f"{min(len(scan.parts), 3)} {min(len(scan.claims), 2)} {scan.published}"


def _upload_state(data: bytes) -> str:
    try:
        upload = upload_state.parse_state("0" * 32, data)
    except Corrupt:
        return "corrupt"
    promise(isinstance(upload.key, str) and isinstance(upload.initiated_ns, int), "of their kinds")
    texts = [*upload.attributes.system.values(), *upload.attributes.metadata.values()]
    promise(all(isinstance(text, str) for text in texts), "text is text")
    return f"{bool(upload.owner)} {upload.checksum_algorithm} {len(texts)}"


TARGETS = (
    Target(
        "upload_state",
        _upload_state,
        (
            *(b'"v":1,', b'"key":"k",', b'"owner":"o",', b'"initiated":5,', b'"sys":{},', b"null"),
            *(
                b'"meta":{"a":"b"},',
                b'"tags":[["a","b"]]',
                b'"checksum":["CRC32","COMPOSITE"]',
                b"1e9",
            ),
        ),
    ),
    Target(
        "record",
        _record,
        (
            *(
                b'"v":1',
                b'"etag":"e"',
                b'"stamp":[1,2,3]',
                b'"parts":[[5,2]]',
                b'"tags":[["a","b"]]',
            ),
            *(
                b'"meta":{"a":"b"}',
                b'"sys":{}',
                b'"object":[1]',
                b'"bucket":{"created":1}',
                b"null",
            ),
            *(
                b'"checksums":{"CRC32":"x"}',
                b'"partsums":"x"',
                b"true",
                b"[",
                b"{",
                b"1e999",
                b"NaN",
            ),
        ),
    ),
    Target(
        "names",
        _names,
        (b".s3gate%f+", b".s3gate%d+", b".s3gate%F+", b".s3gate", b"/", b".", b"_s3_multipart_tmp"),
        2048,
    ),
    Target(
        "part_names",
        _part_names,
        (
            *(b"part.00001.", b"claim.00001", b"data.5242880", b"sealed", b"publishing", b"whole"),
            *(b"s5242880", b"o" + b"0" * 32, b".crc32-cbf43926", b"\n", b"again.00001"),
        ),
        2048,
    ),
)
