"""The registry of actions."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import s3daemon.actions
from s3daemon.actions import ACTIONS
from s3daemon.actions.base import AnyAction
from s3daemon.wire.operations import OPERATIONS


def test_names_are_those_of_the_operations() -> None:
    """What can be asked for can be done, and the other way round."""
    assert set(ACTIONS) == {operation.name for operation in OPERATIONS}
    assert all(name == action.name for name, action in ACTIONS.items())
    assert all(isinstance(action, AnyAction) for action in ACTIONS.values())


def test_every_action_file_is_registered() -> None:
    """A file with an ACTION that nobody registered would never run."""
    registered = set(map(id, ACTIONS.values()))
    for module in pkgutil.iter_modules(s3daemon.actions.__path__, "s3daemon.actions."):
        names = vars(__import__(module.name, fromlist=["ACTION"]))
        found = [names["ACTION"]] if "ACTION" in names else list(names.get("ACTIONS", ()))
        for action in found:
            assert id(action) in registered, module.name


def test_every_action_has_its_test() -> None:
    """Same name, same place."""
    here = Path(__file__).parent
    for module in pkgutil.iter_modules(s3daemon.actions.__path__):
        names = vars(__import__(f"s3daemon.actions.{module.name}", fromlist=["ACTION"]))
        if "ACTION" in names or "ACTIONS" in names:
            assert (here / f"test_{module.name}.py").exists(), module.name
