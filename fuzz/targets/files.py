"""Files of the operator, and lines of the log."""

from __future__ import annotations

from fuzz.target import Target, promise
from s3daemon import toml_file
from s3daemon.auth import credentials_file
from s3daemon.http import accesslog
from s3daemon.ops import logformat


def _users(data: bytes) -> str:
    try:
        users = credentials_file.users(toml_file.decode(data, "users.toml"))
    except toml_file.SettingError as error:
        promise("top-secret" not in str(error), "a secret is not shown")
        promise(error.where.startswith("users.toml"), "a fault has a place")
        return f"refused {error.key}"
    promise("top-secret" not in repr(users), "a secret is not shown")
    return f"{len(users)}"


def _log(data: bytes) -> str:
    text = data.decode("utf-8", "surrogateescape")
    entry = accesslog.Entry("ID", "peer", "GET", data, 0.0, user=text)
    written: list[str] = []

    class Log:
        def info(self, template: str, line: str) -> None:
            event = {"log_format": template, "line": line, "log_time": 0.0}
            written.append(logformat.line(event) or "")

    entry.write(Log(), 200, 0, 0, 0.0)  # type: ignore[arg-type]
    written.append(logformat.line({"log_format": "{text}", "text": text, "log_time": 0.0}) or "\n")
    for line in written:
        promise(line.endswith("\n") and line[:-1].isprintable(), "one event, one line")
    promise(len(written[0]) < 300 + 2060 + 10 * len(text), "of a bounded length")
    fields = written[0].split()
    promise(len(fields) == 14, "each field is one word")
    return f"{text.isprintable()} {'...' in written[0]}"


TARGETS = (
    Target(
        "users_file",
        _users,
        (
            *(
                b"[[user]]\n",
                b'name = "a"\n',
                b'id = "0f"\n',
                b'display_name = "A"\n',
                b"keys = [\n",
            ),
            *(
                b'{ access_key = "AK", secret_key = "top-secret" },',
                b"]\n",
                b"[",
                b"{",
                b"= true\n",
            ),
            *(
                b'status = "active"',
                b"expires = 2024-01-01T00:00:00Z\n",
                b"uid = 1\n",
                b"#",
                b'"""',
            ),
        ),
        8192,
    ),
    Target("log", _log, (b"\n", b"\x1b[31m", b"\x85", b"\xe2\x80\xa8", b"Signature=", b"X-Amz-")),
)
