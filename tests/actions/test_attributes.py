"""What a request says about the object it makes."""

from __future__ import annotations

import pytest

from s3daemon.actions import attributes
from s3daemon.actions.base import Limits
from s3daemon.store.interfaces import Attributes
from s3daemon.wire.errors import InvalidTag, MetadataTooLarge, S3Error
from s3daemon.wire.message import S3Request


def head(**fields: str) -> S3Request:
    """A head with fields; ``_`` stands for ``-``."""
    return S3Request("PUT", "b", "k", headers={k.replace("_", "-"): v for k, v in fields.items()})


def test_parse() -> None:
    """All three kinds."""
    assert attributes.parse(
        head(content_type="a/b", x_amz_meta_m="1", x_amz_tagging="t=v")
    ) == Attributes({"content-type": "a/b"}, {"m": "1"}, (("t", "v"),))
    assert attributes.parse(head(x_amz_tagging="")) == Attributes()


def test_refusals() -> None:
    """Headers and tags are judged here."""
    with pytest.raises(S3Error):
        attributes.parse(head(x_amz_server_side_encryption="AES256"))
    with pytest.raises(InvalidTag):
        attributes.parse(head(x_amz_tagging="aws:x=y"))


def test_check() -> None:
    """The operator's limit."""
    attributes.check(Attributes(metadata={"a": "bc"}), Limits(metadata=3))
    with pytest.raises(MetadataTooLarge):
        attributes.check(Attributes(metadata={"a": "bc"}), Limits(metadata=2))
