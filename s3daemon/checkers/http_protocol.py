"""What a key service is asked, and what it may answer: JSON, described in docs/authentication.md.

Sans-io.  The service gives out signing keys of one day, region and service, never secrets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import attrs

from s3daemon.auth.identity import Identity
from s3daemon.auth.signing_keys import SigningKey
from s3daemon.auth.user_tables import is_email, is_id, is_scope, is_text

#: The longest answer that is read, in bytes.
LONGEST = 65536


class BadAnswer(ValueError):
    """An answer that is not understood.  Its text says what is wrong, and shows no value."""


@attrs.frozen
class Scope:
    """What a signing key is good for, and whose it is."""

    access_key: str
    date: str
    region: str
    service: str


@attrs.frozen
class Found:
    """A signing key.

    :ivar lasts: seconds for which the service lets it be remembered; None: it does not say.
    """

    key: SigningKey
    lasts: float | None = None


def question(scope: Scope) -> bytes:
    """The body of a request for a signing key."""
    return json.dumps(attrs.asdict(scope)).encode()


def answer(status: int, body: bytes) -> Found | None:
    """What the service says.

    :returns: None where there is no such key, or it may not be used (any more).
    :raises BadAnswer: anything else than a key, or that there is none.
    """
    if status == 404:
        return None
    if status != 200:
        raise BadAnswer(f"status {status}")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise BadAnswer("no JSON") from None
    if not isinstance(content, dict):
        raise BadAnswer("no object")
    return Found(SigningKey(_identity(content.get("identity")), _key(content)), _lasts(content))


def _key(content: Mapping[str, Any]) -> bytes:
    text = content.get("signing_key")
    try:
        key = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        key = b""
    if len(key) != 32:
        raise BadAnswer("signing_key has to be 64 hexadecimal digits")
    return key


def _lasts(content: Mapping[str, Any]) -> float | None:
    lasts = content.get("expires_in")
    if lasts is None:
        return None
    if isinstance(lasts, bool) or not isinstance(lasts, int | float) or not lasts >= 0:
        raise BadAnswer("expires_in has to be a number of seconds")
    return float(lasts)


def _identity(content: object) -> Identity:
    if not isinstance(content, dict):
        raise BadAnswer("identity has to be an object")
    unknown = content.keys() - {field.name for field in attrs.fields(Identity)}
    if unknown:
        # What is not understood may be a bound that would not be kept.
        raise BadAnswer(f"identity says something unknown: {', '.join(sorted(unknown))}")

    def take(name: str, usable: bool, expects: str) -> Any:
        if not usable:
            raise BadAnswer(f"identity.{name} has to be {expects}")
        return content.get(name)

    id_ = take("id", is_text(content.get("id")), "text")
    name = take("name", is_text(content.get("name", id_)), "text") or id_
    shown = take("display_name", is_text(content.get("display_name", name)), "text") or name
    email = content.get("email", "")
    uid, gid = content.get("uid"), content.get("gid")
    groups, scopes = content.get("groups", []), content.get("scopes", [])
    read_only = content.get("read_only", False)
    take("email", email == "" or is_email(email), "an address")
    take("uid", uid is None or is_id(uid), "a number")
    take("gid", gid is None or is_id(gid), "a number")
    take("groups", isinstance(groups, list) and all(map(is_id, groups)), "a list of numbers")
    take("scopes", isinstance(scopes, list) and all(map(is_scope, scopes)), "a list of scopes")
    take("read_only", isinstance(read_only, bool), "true or false")
    return Identity(id_, name, shown, email, uid, gid, tuple(groups), read_only, tuple(scopes))
