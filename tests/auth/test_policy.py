"""May they: every row of the table."""

from __future__ import annotations

import pytest
from twisted.logger import LogLevel, capturedLogs

from s3daemon.actions import ACTIONS
from s3daemon.auth.identity import Identity
from s3daemon.auth.policy import Policy
from s3daemon.store.interfaces import BucketInfo
from s3daemon.wire.errors import AccessDenied

CALLER = Identity("id-a", "alice", "Alice")


@pytest.mark.parametrize("operation", sorted(ACTIONS))
@pytest.mark.parametrize("key", ["", "k"])
@pytest.mark.parametrize(
    ("owner", "unowned_for_all", "allowed"),
    [
        ("id-a", True, True),
        ("id-a", False, True),
        ("id-b", True, False),
        ("id-b", False, False),
        ("alice", True, False),
        ("", True, False),
        (None, True, True),
        (None, False, False),
    ],
)
def test_may(
    owner: str | None, unowned_for_all: bool, allowed: bool, operation: str, key: str
) -> None:
    policy = Policy(unowned_for_all)
    bucket = BucketInfo("b", owner, 0)
    if allowed:
        policy.may(CALLER, operation, bucket, key)
    else:
        with pytest.raises(AccessDenied):
            policy.may(CALLER, operation, bucket, key)


def test_the_reason_is_for_the_log_only() -> None:
    with capturedLogs() as events, pytest.raises(AccessDenied) as caught:
        Policy().may(CALLER, "GetObject", BucketInfo("b", "id-b", 0), "k")
    assert "somebody" not in str(caught.value)
    (event,) = events
    assert event["log_level"] is LogLevel.debug
    assert event["user"] == "alice"
    assert event["reason"] == "the bucket is somebody else's"
