"""The command line of ``twistd s3gate``, and the daemon as a process."""

from __future__ import annotations

import http.client
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python import usage

import s3daemon
from s3daemon import tap
from s3daemon.ops.listening import CannotStart
from tests.support.process import process, read_until
from tests.support.signing import Signer

ROOT = Path(__file__).parent.parent


def options(*arguments: str, parent: Any = None) -> tap.Options:
    found = tap.Options()
    found.parent = parent
    found.parseOptions(arguments)
    return found


def test_twistd_finds_it() -> None:
    import twisted.plugins

    assert str(ROOT / "twisted" / "plugins") in twisted.plugins.__path__
    (maker,) = [maker for maker in getPlugins(IServiceMaker) if maker.tapname == "s3gate"]
    assert maker.options is tap.Options
    assert maker.makeService is tap.makeService


def test_options_become_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = options(
        "--root=data",
        "--listen=tcp:1:interface=127.0.0.1",
        "-l",
        "unix:/run/s",
        "--credentials=users.toml",
        "--auth=simple",
        "--workers=1",
    ).config
    assert config.store.root == tmp_path / "data"
    assert config.auth.credentials == str(tmp_path / "users.toml")
    assert config.server.listen == ("tcp:1:interface=127.0.0.1", "unix:/run/s")


def test_a_credential_of_systemd_is_no_path() -> None:
    config = options("--root=/r", "--credentials=credential:users.toml").config
    assert config.auth.credentials == "credential:users.toml"


def test_the_command_line_comes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text('[store]\nroot = "/a"\ndurability = "relaxed"\n')
    config = options(f"--config={file}", "--root=/b").config
    assert config.store.root == Path("/b")
    assert config.store.durability == "relaxed"


def test_check_prints_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        options("--root=/r", "--check")
    assert caught.value.code == 0
    file = tmp_path / "f.toml"
    file.write_text(capsys.readouterr().out)
    assert options(f"--config={file}").config == options("--root=/r").config


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        options("--version")
    assert not caught.value.code
    assert capsys.readouterr().out == f"s3gate {s3daemon.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "store.root: is missing"),
        (["--root=/r", "--workers=many"], "--workers: server.workers: has to be a whole number"),
        (["--root=/r", "--workers=-1"], "--workers: server.workers: has to be a whole number"),
        (["--root=/r", "--auth=none"], '--auth: auth.mode: has to be "sigv4" or "simple"'),
        (
            ["--root=/r", "--auth=simple", "--listen=tcp:80"],
            "--listen: server.listen: tcp:80 can be reached",
        ),
        (["--config=/nonexistent"], "/nonexistent: cannot be read"),
    ],
)
def test_what_is_refused(
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
    with pytest.raises(SystemExit) as caught:
        options(*arguments)
    assert caught.value.code == 1
    assert f"s3gate: {says}" in capsys.readouterr().err


@pytest.mark.parametrize(("given", "workers"), [("auto", 0), ("0", 0), ("1", 1), ("12", 12)])
def test_how_many_workers(given: str, workers: int) -> None:
    assert options("--root=/r", f"--workers={given}").config.server.workers == workers


def test_settings_are_read_again_from_wherever_the_daemon_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.toml").write_text('[server]\nregion = "one"\n')
    found = options("--config=f.toml", "--root=data", "--workers=3")
    (tmp_path / "f.toml").write_text('[server]\nregion = "two"\nworkers = 5\n')
    monkeypatch.chdir("/")
    again = found.reload()
    assert (found.config.server.region, again.server.region) == ("one", "two")
    assert again.server.workers == 3, "the command line still comes first"
    assert again.store.root == tmp_path / "data"


@pytest.mark.parametrize(
    ("workers", "names"), [("2", ["supervisor"]), ("1", ["storage", "hang-up"])]
)
def test_one_process_or_several(workers: str, names: list[str], tmp_path: Path) -> None:
    arguments = (f"--root={tmp_path}", "--auth=simple", f"--workers={workers}")
    service = tap.makeService(options(*arguments, parent={"nodaemon": True}))
    assert [child.name for child in service][:2] == names


def test_a_failure_under_way_ends_with_status_1() -> None:
    code = (
        "from twisted.internet import reactor; from s3daemon import tap;"
        " reactor.callWhenRunning(tap._fail, reactor); reactor.run(); print('stopped')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "stopped\n")


def test_what_is_no_option() -> None:
    with pytest.raises(usage.UsageError):
        options("--root=/r", "--nonsense")


@pytest.mark.parametrize(
    ("twistd", "logger"),
    [
        ({"nodaemon": True}, "s3daemon.ops.logformat.info"),
        ({"nodaemon": True, "logger": "mine"}, "mine"),
        ({"nodaemon": True, "logfile": "f"}, None),
        ({"nodaemon": True, "syslog": True}, None),
        ({"nodaemon": False}, None),
    ],
)
def test_our_log_lines_unless_twistd_was_told_otherwise(
    twistd: dict[str, object], logger: str | None
) -> None:
    options("--root=/r", parent=twistd)
    assert twistd.get("logger") == logger


@pytest.mark.parametrize(("nodaemon", "error"), [(True, SystemExit), (False, CannotStart)])
def test_a_daemon_that_cannot_listen(
    nodaemon: bool,
    error: type[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
    listen = f"--listen=unix:{tmp_path}/none/socket"
    arguments = (f"--root={tmp_path}", "--auth=simple", listen)
    service = tap.makeService(options(*arguments, parent={"nodaemon": nodaemon}))
    with pytest.raises(error):
        service.privilegedStartService()
    said = capfd.readouterr().err
    assert "s3gate: cannot listen on" in said
    assert said.endswith("the directory of the socket has to exist\n"), "not cut off"


def test_a_root_that_cannot_hold_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
    with pytest.raises(SystemExit) as caught:
        tap.makeService(options(f"--root={tmp_path}/none", "--auth=simple"))
    assert caught.value.code == 1
    assert "none does not exist" in capsys.readouterr().err


# ---------------------------------------------------------------- the process


def test_a_daemon_lives_and_dies(tmp_path: Path) -> None:
    root, users = tmp_path / "data", tmp_path / "users.toml"
    root.mkdir()
    users.touch(mode=0o600)
    users.write_text(
        '[[user]]\nname = "alice"\nid = "a"\n'
        'keys = [{access_key = "AK1", secret_key = "sesame-8"}]\n'
    )
    with process(
        f"--root={root}", f"--credentials={users}", "--listen=tcp:0:interface=127.0.0.1"
    ) as running:
        port = int(read_until(running, "listening on 127.0.0.1:").rpartition(":")[2])
        client = http.client.HTTPConnection("127.0.0.1", port)
        signer = Signer("AK1", "sesame-8", now=time.time())

        def ask(method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
            signed = signer.headers(method, path, body=body, host=f"127.0.0.1:{port}")
            client.request(method, path, body, signed)
            answer = client.getresponse()
            return answer.status, answer.read()

        assert ask("PUT", "/first") == (200, b"")
        assert ask("PUT", "/first/key", b"content")[0] == 200
        assert (root / "first" / "key").read_bytes() == b"content"
        assert ask("GET", "/first/key") == (200, b"content")

        users.write_text('[[user]]\nname = "Alice"\nid = "a"\nkeys = [{access_key = "AK1",')
        running.send_signal(signal.SIGHUP)
        assert "users.toml:" in read_until(running, "stay as they were")
        users.write_text(
            '[[user]]\nname = "bob"\nkeys = [{access_key = "AK1", secret_key = "sesame-8"}]\n'
        )
        running.send_signal(signal.SIGHUP)
        read_until(running, "new: bob")
        assert ask("GET", "/first/key")[0] == 403
        client.close()

        running.send_signal(signal.SIGTERM)
        read_until(running, "Server Shut Down")
        # twistd ends by the signal that ended it, which supervisors take for a clean end.
        assert running.wait() == -signal.SIGTERM


def test_a_process_that_cannot_listen_ends_with_status_1(tmp_path: Path) -> None:
    listen = f"--listen=unix:{tmp_path}/none/socket"
    with process(f"--root={tmp_path}", "--auth=simple", listen) as running:
        read_until(running, "s3gate: cannot listen on")
        assert running.wait() == 1
