"""The document that says what went wrong.

Source: S3 API reference, "Error responses".  S3 sends it without a namespace.
"""

from __future__ import annotations

from collections.abc import Mapping

from s3daemon.wire.xmlio import element, group


def render(
    code: str,
    message: str,
    resource: str,
    request_id: str,
    host_id: str,
    detail: Mapping[str, str],
) -> bytes:
    """The error document, in UTF-8.

    Bytes of a header field that were no UTF-8 become question marks.

    :param detail: further elements by name, in order (``BucketName``, ``ArgumentName`` ...).
    """
    body = group(
        "Error",
        element("Code", code),
        element("Message", message),
        *(element(name, value) for name, value in detail.items()),
        element("Resource", resource),
        element("RequestId", request_id),
        element("HostId", host_id),
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode("utf-8", "replace")
