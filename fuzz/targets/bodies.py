"""Bodies with a grammar: documents, and aws-chunked."""

from __future__ import annotations

from collections.abc import Callable

from fuzz.target import Target, promise
from s3daemon.actions import complete_multipart_upload, delete_objects
from s3daemon.wire import acl, tagging, xmlio
from s3daemon.wire.awschunked import Decoder
from s3daemon.wire.errors import S3Error
from s3daemon.wire.grants import GROUP, USER


def _document(name: str, parse: Callable[[bytes], object], *words: bytes) -> Target:
    def run(data: bytes) -> str:
        try:
            found = parse(data)
        except S3Error as error:
            # 501 is for what S3 has and is not here.
            promise(error.status in (400, 501), "a bad document is the client's fault")
            return error.code
        size = len(found) if isinstance(found, list | tuple) else 0
        return f"read {size}"

    return Target(name, run, (*_MARKUP, *words), 16384)


_MARKUP = (
    *(b"<", b"</", b"/>", b"<!--", b"-->", b"<![CDATA[", b"]]>", b"<?x ", b"?>", b"&amp;", b"&#0;"),
    *(b"<!DOCTYPE x [", b'<!ENTITY a "b">', b"&a;", b"&#x10ffff;", b' a="b"', b" xmlns:a='u'"),
    *(
        b'<?xml version="1.0" encoding="UTF-8"?>',
        b'encoding="utf-16"',
        b"\xef\xbb\xbf",
        b"\xff\xfe",
    ),
    b' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"',
)


def _any_document(data: bytes) -> object:
    root = xmlio.parse(data, "D")
    for element in root.iter():
        xmlio.local(element)
        for name in ("K", "N"):
            xmlio.children(element, name)
    xmlio.integer(root, "N", 0)
    return xmlio.child_text(root, "K", "")


def _acl(data: bytes) -> object:
    owner, grants = acl.parse(data)
    if owner and all(grant.kind in (USER, GROUP) for grant in grants):
        said = acl.parse(acl.render(owner, grants, lambda canonical_id: canonical_id))
        promise(said == (owner, grants), "a list can be said back")
    return grants


def _aws_chunked(data: bytes) -> str:
    outcome = ""
    for signed, trailer in ((False, True), (True, False), (True, True)):

        def read(step: int, signed: bool = signed, trailer: bool = trailer) -> object:
            decoder, content = Decoder(10, signed, trailer), b""
            try:
                for at in range(0, len(data), step):
                    content += b"".join(decoder.feed(data[at : at + step]))
                decoder.finish()
            except S3Error as error:
                return type(error)
            promise(len(content) == 10, "as long as was announced")
            return content, tuple(decoder.trailers.items())

        whole = read(max(1, len(data)))
        for step in (1, 3, 64):
            promise(read(step) == whole, "how it is cut does not matter")
        outcome += f"{whole.__name__ if isinstance(whole, type) else 'read'} "
    return outcome


_SIGNATURE = b";chunk-signature=" + b"0123456789abcdef" * 4

TARGETS = (
    _document("xml", _any_document, b"<D>", b"</D>", b"<K>", b"</K>", b"<N>1</N>"),
    _document(
        "xml_delete",
        delete_objects.parse_document,
        *(b"<Delete>", b"<Object>", b"<Key>k</Key>", b"<Quiet>true</Quiet>", b"<VersionId>"),
    ),
    _document(
        "xml_complete",
        complete_multipart_upload.listed_parts,
        *(
            b"<CompleteMultipartUpload>",
            b"<Part>",
            b"<PartNumber>1</PartNumber>",
            b"<ETag>e</ETag>",
        ),
    ),
    _document(
        "xml_tagging",
        lambda data: tagging.parse_document(data),
        *(b"<Tagging>", b"<TagSet>", b"<Tag>", b"<Key>k</Key>", b"<Value>v</Value>"),
    ),
    _document(
        "xml_acl",
        _acl,
        *(
            b"<AccessControlPolicy>",
            b"<Owner><ID>o</ID></Owner>",
            b"<AccessControlList>",
            b"<Grant>",
        ),
        *(b"<Permission>READ</Permission>", b"<ID>i</ID>", b'<Grantee xsi:type="CanonicalUser">'),
        b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
        b"<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>",
    ),
    Target(
        "aws_chunked",
        _aws_chunked,
        (
            b"0\r\n\r\n",
            b"a\r\n0123456789\r\n",
            _SIGNATURE,
            b"\r\n",
            b"x-amz-checksum-crc32:AAAA\r\n",
        ),
        2048,
    ),
)
