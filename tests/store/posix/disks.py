"""Hooks that watch, fail and stop the disk, and words for what lies on it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from s3daemon.store.values import UploadInfo


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
            if name == "close":
                call(*args)  # the descriptor is gone all the same, close(2)
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


class After:
    """Does something after the first change of a kind, of a name that begins so."""

    def __init__(self, name: str, action: Callable[[], object], prefix: bytes = b"") -> None:
        self._name = name
        self._prefix = prefix
        self._action: Callable[[], object] | None = action

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        result = call(*args)
        if name == self._name and self._action is not None:
            if self._prefix and not args[0].startswith(self._prefix):
                return result
            action, self._action = self._action, None
            action()
        return result


class Fails:
    """Fails the first change of a kind; with ``all_after`` every change from there on.

    :ivar fired: whether it came to that.
    """

    def __init__(self, name: str, code: int, all_after: bool = False) -> None:
        self._name = name
        self._code = code
        self._all_after = all_after
        self.fired = False

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        if (self._all_after and self.fired) or (name == self._name and not self.fired):
            self.fired = True
            if name == "close":
                call(*args)  # the descriptor is gone all the same, close(2)
            raise OSError(self._code, os.strerror(self._code))
        return call(*args)


class Dies:
    """The process is no more after so many changes of a kind."""

    def __init__(self, name: str, after: int) -> None:
        self._name = name
        self._left = after

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        if self._left == 0:
            raise PowerCut(name)
        result = call(*args)
        self._left -= name == self._name
        return result


def upload_dir(root: Path, upload: UploadInfo, bucket: str = "bucket") -> Path:
    """Where an upload is."""
    return root / bucket / "_s3_multipart_tmp" / upload.upload_id


def tree(top: Path) -> set[str]:
    """Everything below a directory but the gateway's own directories, and what the probe found."""
    found = set()
    for path, directories, files in os.walk(top):
        for name in directories + files:
            found.add(os.path.relpath(os.path.join(path, name), top))
    records = "/records(/anchor|/[0-9a-f]{2})?"
    own = re.compile(rf"|/staging|/spill|/trash|/locks(/00)?|/probe\.json|{records}")
    return {
        name
        for name in found
        if not (".s3gate" in name and own.fullmatch(name[name.index(".s3gate") + len(".s3gate") :]))
    }


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))
