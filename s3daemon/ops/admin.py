"""The ``s3gate`` command: what an operator does besides running the daemon."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import s3daemon
from s3daemon import config
from s3daemon.ops import (
    bucket_commands,
    doctor_command,
    first_run,
    scrub_arguments,
    user_arguments,
)
from s3daemon.ops.listening import Place
from s3daemon.toml_file import SettingError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.command(options)
    except (SettingError, OSError) as error:
        print(f"s3gate: {error}", file=sys.stderr)
        return 1
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="s3gate", description="An S3 endpoint over plain files.", allow_abbrev=False
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    version = commands.add_parser("version", help="print the version")
    version.set_defaults(command=_version)

    check = commands.add_parser("check-config", help="check a settings file and print all of it")
    check.add_argument("file", type=Path)
    check.set_defaults(command=_check_config)

    doctor_command.register(commands)
    user_arguments.register(commands)
    bucket_commands.register(commands)
    scrub_arguments.register(commands)

    run = commands.add_parser("run", help="serve a directory in the foreground, to try it out")
    run.add_argument("--root", type=Path, default=Path("data"), help="default: %(default)s")
    run.add_argument(
        "--state", type=Path, default=Path("run"), help="for credentials; default: %(default)s"
    )
    run.add_argument("--port", type=int, default=39999, help="on 127.0.0.1; default: %(default)s")
    run.set_defaults(command=_run)
    return parser


def _version(options: argparse.Namespace) -> int:
    print(f"s3gate {s3daemon.__version__}")
    return 0


def _check_config(options: argparse.Namespace) -> int:
    settings = config.load(options.file)
    for listen in settings.server.listen:
        # Reads certificates and keys; what cannot be used is an error.
        Place.of(listen, time.time)
    print(config.describe(settings), end="")
    return 0


def _run(options: argparse.Namespace) -> int:
    options.root.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{options.port}"
    files = first_run.prepare(options.state, url)
    print(f"s3gate serves {options.root.absolute()} at {url}.  In another terminal, here:\n")
    for command in first_run.commands(files, url):
        print(f"    {command}")
    print(
        f"\nFor the AWS command line, boto3 and the like:  . {shlex.quote(str(files.aws))}"
        f"\nUsers and their keys are in {files.credentials}: s3gate user --help."
        "  Ctrl-C ends it.\n",
        flush=True,
    )
    sys.argv = [
        "twistd",
        "--nodaemon",
        "--pidfile=",
        "s3gate",
        f"--root={options.root}",
        f"--credentials={files.credentials}",
        f"--listen=tcp:{options.port}:interface=127.0.0.1",
    ]
    # Only now: it installs a reactor, which the other commands have no use for.
    from twisted.scripts.twistd import run

    run()
    return 0
