"""One line per request: who asked for what, and what came of it.

Targets are shown without their query's signatures and tokens, and with everything that could fake
a line escaped.
"""

from __future__ import annotations

import re

import attrs
from twisted.logger import Logger

_SECRET = re.compile(
    r"(?i)((?:X-Amz-Signature|X-Amz-Security-Token|X-Amz-Credential|Signature|AWSAccessKeyId)=)[^&]*"
)


def printable(target: bytes, limit: int = 2048) -> str:
    """The raw target for a log line: ASCII, no blanks, no secrets, bounded."""
    text = target.decode("ascii", "backslashreplace")
    if "=" in text:
        text = _SECRET.sub(r"\1...", text)
    text = printable_text(text)
    return text if len(text) <= limit else text[:limit] + "..."


def printable_text(text: str) -> str:
    """Text that cannot fake a line or a field of it."""
    if text.isprintable() and " " not in text:
        return text
    return "".join(c if c.isprintable() and c != " " else f"\\x{ord(c):02x}" for c in text)


@attrs.define
class Entry:
    """What is known of a request so far; times in seconds.

    :ivar error: S3 error code, or what ended the connection; ``-`` when all is well.
    """

    request_id: str
    peer: str
    method: str
    target: bytes
    begin: float
    operation: str = "-"
    user: str = "-"
    error: str = "-"

    def write(self, log: Logger, status: int, received: int, sent: int, now: float) -> None:
        """Write the line.

        :param status: of the answer; 0 when none was begun.

        It is formatted here: twisted.logger takes ten times as long for a format of eleven names.
        """
        shown = status or "-"
        ms = (now - self.begin) * 1000
        log.info(
            "{line}",
            line=f"request_id={self.request_id} peer={self.peer} user={printable_text(self.user)}"
            f" operation={self.operation} method={self.method} target={printable(self.target)}"
            f" status={shown} error={self.error} received={received} sent={sent} ms={ms:.1f}",
        )
