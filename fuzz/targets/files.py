"""Files of the operator, and lines of the log."""

from __future__ import annotations

from pathlib import Path

from fuzz.target import Target, promise
from s3daemon import config, toml_file
from s3daemon.auth import user_tables
from s3daemon.http import accesslog
from s3daemon.ops import logformat, user_file


def _users(data: bytes) -> str:
    try:
        users = user_tables.users(toml_file.decode(data, "users.toml"))
    except toml_file.SettingError as error:
        # Names of settings are shown, and a secret may stand in one: nobody can tell.
        if data.count(b"top-secret") == data.count(b'secret_key = "top-secret"'):
            promise("top-secret" not in str(error), "a secret is not shown")
        promise(error.where.startswith("users.toml"), "a fault has a place")
        return f"refused {error.key}"
    promise("top-secret" not in repr(users), "a secret is not shown")
    return f"{len(users)}"


def _user_edit(data: bytes) -> str:
    """A name, then a file: what the commands on users make of it."""
    name, _, text = data.decode("utf-8", "replace").partition("\n")
    changes = {
        "removed": lambda file: file.removed(name),
        "disabled": lambda file: file.changed(name, user_file.set_enabled(False)),
        "enabled": lambda file: file.changed(name, user_file.set_enabled(True)),
    }
    outcome = ""
    for what, change in changes.items():
        try:
            before = user_file.UserFile.read("users.toml", text)
            after = change(before)
        except toml_file.SettingError:
            outcome += "refused "
            continue
        others = [user for user in before.users if user.identity.name != name]
        promise([u for u in after.users if u.identity.name != name] == others, "others stay")
        if what != "removed":
            promise(after.user(name).enabled is (what == "enabled"), "and the one is changed")
        outcome += f"{what} "
    return outcome + text.count("#").__str__()[:1]


def _settings(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    try:
        document = toml_file.parse(text, "s3gate.toml")
        found = config.from_document(document, Path("/"))
        read = config.freeze(found)
    except toml_file.SettingError as error:
        promise(error.problem, "a fault has a reason")
        return f"refused {error.key[:24]}"
    again = toml_file.parse(config.describe(read), "described")
    promise(config.freeze(config.from_document(again, Path("/"))) == read, "it can be said again")
    return "settings"


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
    Target(
        "user_edit",
        _user_edit,
        (
            *(
                b"[[user]]\n",
                b'name = "a"\n',
                b'name = "b"\n',
                b"enabled = false\n",
                b"# comment\n",
            ),
            *(
                b'keys = [{ access_key = "A", secret_key = "s" }]\n',
                b"[user.x]\n",
                b"\n\n",
                b"\r\n",
            ),
        ),
    ),
    Target(
        "settings",
        _settings,
        (
            *(b"[server]\n", b"[store]\n", b"[auth]\n", b"[limits]\n", b'root = "/s3"\n', b'"1m"'),
            *(b'listen = ["tcp:1:interface=127.0.0.1"]\n', b'"64KiB"', b" = true\n", b" = 5\n"),
            *(b'endpoints = { "/" = "aws" }\n', b"connections = 5\n", b'mode = "simple"\n', b"''"),
        ),
    ),
    Target("log", _log, (b"\n", b"\x1b[31m", b"\x85", b"\xe2\x80\xa8", b"Signature=", b"X-Amz-")),
)
