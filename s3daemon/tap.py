"""``twistd s3gate``: options, and the composition of the daemon out of them."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.logger import Logger
from twisted.python import usage

from s3daemon import config as configuration
from s3daemon.auth.sources import CREDENTIAL
from s3daemon.config import Config
from s3daemon.config_listen import absolute
from s3daemon.ops import logformat, supervised
from s3daemon.ops.opening import CannotStart
from s3daemon.ops.root import Root
from s3daemon.ops.sharing import workers_of
from s3daemon.store.posix.probe import ProbeError
from s3daemon.toml_file import SettingError

#: Command line option -> the setting that it overrules.
_OPTIONS = {
    "root": ("store", "root"),
    "auth": ("auth", "mode"),
    "credentials": ("auth", "credentials"),
}


class Options(usage.Options):
    """What may stand on the command line.

    :ivar config: the settings that come out of it.
    :ivar reload: the settings that would come out of it now.
    :ivar own_log: the log is lines of our own format on standard output.
    """

    synopsis = "[--config FILE] [--root DIR] [options]"
    longdesc = (
        "Serve the sub-directories of a directory as S3 buckets.  Settings are taken from the"
        " command line, then from the file, then from the defaults."
    )
    optParameters = [
        ["config", "c", None, "Settings in TOML."],
        ["root", "r", None, "The directory whose sub-directories are the buckets."],
        [
            "auth",
            "a",
            None,
            "Who comes in: sigv4 (verify signatures), simple (the access key is the name).",
        ],
        [
            "credentials",
            None,
            None,
            "File of users, readable by its owner only; or credential:NAME, of systemd.",
        ],
        ["workers", "w", None, "Processes that serve; auto: one for each processor."],
    ]
    optFlags = [["check", None, "Check the settings, print them all, and exit."]]
    compData = usage.Completions(
        optActions={
            "config": usage.CompleteFiles("*.toml"),
            "root": usage.CompleteDirs(),
            "credentials": usage.CompleteFiles(),
        }
    )
    config: Config
    reload: Callable[[], Config]

    def __init__(self) -> None:
        usage.Options.__init__(self)
        self.own_log = False
        self._listen: list[str] = []

    def opt_listen(self, description: str) -> None:
        """Listen on a Twisted endpoint, tcp:39999:interface=127.0.0.1 for example; repeatable."""
        self._listen.append(description)

    opt_l = opt_listen

    def opt_version(self) -> None:
        """Print the version and exit."""
        import s3daemon

        print(f"s3gate {s3daemon.__version__}")
        sys.exit(0)

    def postOptions(self) -> None:
        """Read and check the settings; what is wrong in them ends the process with status 1."""
        given: dict[tuple[str, str], tuple[object, str]] = {}
        for name, setting in _OPTIONS.items():
            if self[name] is not None:
                value = self[name]
                if name != "auth" and not value.startswith(CREDENTIAL):
                    value = str(Path(value).absolute())
                given[setting] = (value, f"--{name}")
        if self._listen:
            here = Path.cwd()
            listen = [absolute(description, here) for description in self._listen]
            given["server", "listen"] = (listen, "--listen")
        if self["workers"] is not None:
            number = self["workers"]
            workers = int(number) if number.isascii() and number.isdigit() else number
            given["server", "workers"] = (workers, "--workers")
        file = None if self["config"] is None else Path(self["config"])
        # The daemon may go to another directory.
        self.reload = partial(configuration.load, file and file.absolute(), given)
        try:
            self.config = configuration.load(file, given)
        except SettingError as error:
            _refuse(error)
        if self["check"]:
            print(configuration.describe(self.config), end="")
            sys.exit(0)
        self._choose_log()

    def _choose_log(self) -> None:
        """Log lines of our own format, in the foreground, unless twistd was told otherwise."""
        twistd: Any = self.parent
        if twistd is None or not twistd.get("nodaemon"):
            return
        if not any(twistd.get(name) for name in ("logger", "logfile", "syslog")):
            self.own_log = True
            # twistd looks it up by its name, after this.
            twistd["logger"] = f"{logformat.__name__}.{self.config.server.log_level}"


class Foreground(Root):
    """Says in one line why it cannot start, where somebody looks on."""

    def privilegedStartService(self) -> None:
        """Open the ports, or end the process with status 1."""
        try:
            MultiService.privilegedStartService(self)
        except CannotStart as error:
            _refuse(error)


class Background(Root):
    """Says in one line why it cannot start, on the terminal that the daemon leaves behind.

    twistd itself shows no more than the first hundred bytes of an error.
    """

    def __init__(self) -> None:
        Root.__init__(self)
        self._terminal: int | None
        try:
            # By the time of an error 2 leads to /dev/null.
            self._terminal = os.dup(2)
        except OSError:
            self._terminal = None

    def privilegedStartService(self) -> None:
        """Open the ports.

        :raises CannotStart: they cannot be had; said already.
        """
        try:
            MultiService.privilegedStartService(self)
        except CannotStart as error:
            Logger(namespace="s3daemon.listen").critical("{error}", error=error)
            if self._terminal is not None:
                os.write(self._terminal, f"s3gate: {error}\n".encode())
            raise CannotStart("see the line above") from None
        finally:
            if self._terminal is not None:
                os.close(self._terminal)
                self._terminal = None


def makeService(options: Options) -> Root:
    """The daemon, for twistd to start."""
    from twisted.internet import reactor

    twistd: Any = options.parent
    kind = Foreground if twistd is not None and twistd.get("nodaemon") else Background
    try:
        if workers_of(options.config) > 1:
            return supervised.build(
                options.config,
                reactor,
                kind,
                options.reload,
                options.own_log,
                partial(_fail, reactor),
            )
        # Only here: a supervisor serves nobody, and does without most of the modules.
        from s3daemon.service import build

        return build(options.config, reactor, kind)
    except (ProbeError, SettingError) as error:
        _refuse(error)


def _fail(reactor: Any) -> None:
    """End with status 1, when everything has been stopped and logged."""
    # twistd knows no other status than 0 for a reactor that has stopped, and this is what is called
    # after it.
    atexit.register(_exit_failed)
    reactor.stop()


def _exit_failed() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def _refuse(error: Exception | str) -> NoReturn:
    # Standard error may belong to the log by now.
    print(f"s3gate: {error}", file=sys.__stderr__)
    raise SystemExit(1)
