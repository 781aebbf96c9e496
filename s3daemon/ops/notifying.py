"""Telling systemd how the service is.

Source: sd_notify(3): a datagram of lines ``NAME=VALUE`` to the socket that ``NOTIFY_SOCKET`` names;
a leading ``@`` stands for the abstract name space.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

import attrs
from twisted.logger import Logger

#: What is in the environment of a process that is to notify, and not of its children.
SOCKET = "NOTIFY_SOCKET"

#: The status of a daemon that is up.
SERVING = "serving"

#: Sends one datagram.
Send = Callable[[bytes], None]


@attrs.define(eq=False)
class Notify:
    """Says so to whoever started the service, if they want to know."""

    _send: Send
    _monotonic: Callable[[], float] = time.monotonic

    @classmethod
    def of(cls, environ: Mapping[str, str] = os.environ) -> Notify:
        """As the environment asks for."""
        where = environ.get(SOCKET, "")
        return cls(_sender(where) if where.startswith(("/", "@")) else _nobody)

    def ready(self, status: str) -> None:
        """The service is up, or has read what it was told to read.

        :param status: a line for people.
        """
        self._send(f"READY=1\nSTATUS={status}".encode())

    def status(self, status: str) -> None:
        """A line for people."""
        self._send(f"STATUS={status}".encode())

    def alive(self) -> None:
        """The event loop turns."""
        self._send(b"WATCHDOG=1")

    def reloading(self) -> None:
        """Something is being read again; :meth:`ready` follows."""
        now = int(self._monotonic() * 1_000_000)
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now}\nSTATUS=reading again".encode())

    def stopping(self) -> None:
        """It ends."""
        self._send(b"STOPPING=1\nSTATUS=finishing the requests under way")


def _nobody(message: bytes) -> None:
    """Nobody wants to know."""


def _sender(where: str) -> Send:
    address = "\0" + where[1:] if where.startswith("@") else where

    def send(message: bytes) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.sendto(message, address)
        except OSError as error:
            Logger(namespace="s3daemon.systemd").warn(
                "{where} cannot be told: {why}", where=where, why=error.strerror
            )

    return send
