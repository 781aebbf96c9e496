"""The document that says what went wrong.

Source: S3 API reference, "Error responses".  S3 sends it without a namespace.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from s3daemon.wire.xmlio import element, group

# What XML 1.0 cannot hold in any form (section 2.2).  In a listing a client has asked for such
# keys; here it needs the code, so the document has to be well-formed.
_NO_CHAR = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def render(
    code: str,
    message: str,
    resource: str,
    request_id: str,
    host_id: str,
    detail: Mapping[str, str],
) -> bytes:
    """The error document, in UTF-8.

    Bytes of a header field that were no UTF-8, and characters that XML cannot hold, become question
    marks.

    :param detail: further elements by name, in order (``BucketName``, ``ArgumentName`` ...).
    """
    body = group(
        "Error",
        element("Code", code),
        element("Message", _NO_CHAR.sub("?", message)),
        *(element(name, _NO_CHAR.sub("?", value)) for name, value in detail.items()),
        element("Resource", _NO_CHAR.sub("?", resource)),
        element("RequestId", request_id),
        element("HostId", host_id),
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()
