"""What it costs to know who sends a small request, in mode simple and in mode sigv4.

    .venv/bin/python -m bench.verify [--rounds N] [--requests N]

The door is asked in memory, without sockets: the claim, the portal of ``twisted.cred``, the
checker.  Modes take turns, and the least CPU time of all rounds counts for each: the rest is the
machine's other work.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import time
from collections.abc import Callable

from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred

from s3daemon.auth.identity import Identity
from s3daemon.auth.portal import Authenticator, Realm
from s3daemon.auth.signatures import SignatureChecker
from s3daemon.auth.signing_keys import LocalKeys
from s3daemon.auth.simple import SimpleChecker
from s3daemon.auth.users import Directory, Key, User
from s3daemon.wire.canonical import query_of
from s3daemon.wire.message import Personality
from s3daemon.wire.sigv4 import signing_key
from s3daemon.wire.target import Endpoint, request_from

ACCESS_KEY, SECRET, REGION = "AKIDEXAMPLE", "secret-example", "us-east-1"
NOW = 1_764_000_000.0
STAMP = "20251124T160000Z"
SCOPE = f"{STAMP[:8]}/{REGION}/s3/aws4_request"
EMPTY = hashlib.sha256().hexdigest()

#: What is asked for; the last is a key that has to be encoded for the canonical request.
TARGETS = {
    "GET /bucket/key": "/bucket/some/prefix/object-0001.bin",
    "list, 4 parameters": "/bucket?list-type=2&prefix=a%2Fb&delimiter=%2F&max-keys=100",
    "GET, key with blanks": "/bucket/some%20key%20%C3%A9.txt",
}


def fields_for(target: str) -> list[tuple[bytes, bytes]]:
    """The header fields that botocore sends with a GET, signed."""
    path, _, query = target.partition("?")
    names = "host;x-amz-content-sha256;x-amz-date"
    canonical = (
        f"GET\n{path}\n{query_of(query.encode(), False).decode()}\nhost:127.0.0.1:39999\n"
        f"x-amz-content-sha256:{EMPTY}\nx-amz-date:{STAMP}\n\n{names}\n{EMPTY}"
    )
    string = f"AWS4-HMAC-SHA256\n{STAMP}\n{SCOPE}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = signing_key(SECRET, STAMP[:8], REGION)
    signature = hmac.digest(key, string.encode(), "sha256").hex()
    authorization = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{SCOPE}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    return [
        (b"host", b"127.0.0.1:39999"),
        (b"accept-encoding", b"identity"),
        (b"user-agent", b"Boto3/1.44.5 md/Botocore#1.44.5 ua/2.0 os/linux"),
        (b"x-amz-date", STAMP.encode()),
        (b"x-amz-content-sha256", EMPTY.encode()),
        (b"authorization", authorization.encode()),
        (b"amz-sdk-invocation-id", b"0c2e8f6a-3d7b-4d0e-9a58-8f8b3f0f6c9e"),
        (b"amz-sdk-request", b"attempt=1"),
    ]


def doors() -> dict[str, Authenticator]:
    """The door of each mode."""
    user = User(Identity("0f", "alice", "Alice"), {ACCESS_KEY: Key(SECRET)})
    directory = Directory([user])
    checkers = {
        "simple": SimpleChecker(directory, lambda: NOW),
        "sigv4": SignatureChecker(LocalKeys(directory, lambda: NOW), REGION, lambda: NOW),
    }
    return {
        mode: Authenticator(Portal(Realm(directory), [checker]), lenient=mode == "simple")
        for mode, checker in checkers.items()
    }


def asking(door: Authenticator, target: str) -> Callable[[], Deferred]:
    """Asks the door for one request; it has to be let in."""
    fields = fields_for(target)
    raw = target.encode()
    request = request_from(b"GET", raw, fields, [Endpoint("", Personality.AWS)])

    def ask() -> Deferred:
        return door(request, raw, fields)

    let_in: list[object] = []
    ask().addCallback(let_in.append)
    assert let_in, "the door stays shut"
    return ask


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--requests", type=int, default=1000)
    options = parser.parse_args()
    print(f"{'microseconds a request':24} {'simple':>8} {'sigv4':>8} {'more':>8}")
    for name, target in TARGETS.items():
        least = dict.fromkeys(("simple", "sigv4"), float("inf"))
        asked = {mode: asking(door, target) for mode, door in doors().items()}
        for _ in range(options.rounds):
            for mode, ask in asked.items():
                begin = time.process_time()
                for _ in range(options.requests):
                    ask()
                took = (time.process_time() - begin) / options.requests * 1e6
                least[mode] = min(least[mode], took)
        more = least["sigv4"] - least["simple"]
        print(f"{name:24} {least['simple']:8.1f} {least['sigv4']:8.1f} {more:8.1f}")


if __name__ == "__main__":
    main()
