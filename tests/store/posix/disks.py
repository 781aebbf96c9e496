"""Hooks that watch, fail and stop the disk, and words for what lies on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Trace:
    """Remembers the names of the changes."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        self.names.append(name)
        return call(*args)


class FailAt:
    """Fails the n-th change (from 0), once.

    :ivar fired: whether it came to that.
    """

    def __init__(self, number: int, code: int) -> None:
        self._left = number
        self._code = code
        self.fired = ""

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        self._left -= 1
        if self._left == -1:
            self.fired = name
            raise OSError(self._code, os.strerror(self._code))
        return call(*args)


class PowerCut(BaseException):
    """The process is no more."""


class CutAt:
    """Lets n changes happen, and none after that, whoever tries."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.fired = ""

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        if self._left == 0:
            self.fired = self.fired or name
            raise PowerCut(name)
        self._left -= 1
        return call(*args)


class Before:
    """Does something before the first change of a kind."""

    def __init__(self, name: str, action: Callable[[], object]) -> None:
        self._name = name
        self._action: Callable[[], object] | None = action

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == self._name and self._action is not None:
            action, self._action = self._action, None
            action()
        return call(*args)

    @property
    def done(self) -> bool:
        """Whether it has been done."""
        return self._action is None


def tree(top: Path) -> set[str]:
    """Everything below a directory but the gateway's own directories, and what the probe found."""
    found = set()
    for path, directories, files in os.walk(top):
        for name in directories + files:
            found.add(os.path.relpath(os.path.join(path, name), top))
    own = {"", "/staging", "/spill", "/trash", "/locks", "/locks/00", "/probe.json"}
    return {
        name
        for name in found
        if not (".s3gate" in name and name[name.index(".s3gate") + len(".s3gate") :] in own)
    }


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))
