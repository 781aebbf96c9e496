"""The table of operations and its documentation, held against the model of S3 in botocore.

botocore is a ruler for tests, and no part of the product.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader

from s3daemon.wire import errors
from s3daemon.wire.message import S3Request
from s3daemon.wire.operations import OPERATIONS, Operation, match
from s3daemon.wire.unsupported import UNSUPPORTED, UNSUPPORTED_METHODS

MODEL = Loader().load_service_model("s3", "service-2")
SCOPES = {"/": "service", "/{Bucket}": "bucket", "/{Bucket}/{Key+}": "object"}
DOCUMENT = Path(__file__).parents[2] / "docs" / "s3-compatibility.md"
OURS = {row.name: row for row in OPERATIONS}
OTHERS = sorted(MODEL["operations"].keys() - OURS.keys())

#: Served by AWS at other host names, so that no request to an S3 endpoint means them.
ELSEWHERE = {"ListDirectoryBuckets", "WriteGetObjectResponse"}
#: One more, whose request has two names in the model.
OLD_NAMES = {
    "GetBucketLifecycle",
    "GetBucketNotification",
    "PutBucketLifecycle",
    "PutBucketNotification",
}


def uri(name: str) -> tuple[str, str, list[str]]:
    """Method, path, and selecting query of an operation in the model."""
    http = MODEL["operations"][name]["http"]
    path, _, query = http["requestUri"].partition("?")
    return http["method"], path, query.split("&") if query else []


def members(name: str, location: str) -> dict[str, bool]:
    """Wire name -> required, of the input members at a location."""
    shape = MODEL["shapes"].get(MODEL["operations"][name].get("input", {}).get("shape"), {})
    required = shape.get("required", [])
    return {
        member["locationName"]: key in required
        for key, member in shape.get("members", {}).items()
        if member.get("location") == location
    }


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_a_row_is_as_in_the_model(row: Operation):
    method, path, selecting = uri(row.name)
    parameters = members(row.name, "querystring")
    assert (row.method, row.scope) == (method, SCOPES[path])
    assert set(row.required) == {*selecting, *(name for name in parameters if parameters[name])}
    assert row.optional == {name for name in parameters if not parameters[name]}
    if row.header:
        assert members(row.name, "header")[row.header]


def test_rows_that_differ_by_a_header_are_the_ones_that_need_one():
    def place(row: Operation) -> tuple[Any, ...]:
        return row.method, row.scope, sorted(row.required)

    for row in OPERATIONS:
        twins = [other for other in OPERATIONS if place(other) == place(row)]
        assert len([twin for twin in twins if not twin.header]) == 1
        assert len(twins) <= 2


def test_the_sub_resources_that_are_refused_are_those_of_the_model():
    everything = {part.partition("=")[0] for name in MODEL["operations"] for part in uri(name)[2]}
    ours = {part.partition("=")[0] for row in OPERATIONS for part in row.required}
    assert everything - ours == UNSUPPORTED


def test_the_methods_that_are_refused_are_those_of_the_model():
    """Of a sub-resource of ours; nothing else makes such a method 501 and not 405."""
    of_ours = {(row.method, row.scope, part) for row in OPERATIONS for part in row.required}
    others = {
        (method, SCOPES[path], part)
        for method, path, selecting in (uri(name) for name in OTHERS if name not in ELSEWHERE)
        for part in selecting
        if part not in UNSUPPORTED and "=" not in part
    }
    assert others - of_ours == UNSUPPORTED_METHODS


@pytest.mark.parametrize("name", [name for name in OTHERS if name not in ELSEWHERE])
def test_every_other_operation_is_refused(name):
    method, path, selecting = uri(name)
    query = {part.partition("=")[0]: part.partition("=")[2] for part in selecting}
    query |= dict.fromkeys(members(name, "querystring"), "x")
    bucket, key = {"/": ("", ""), "/{Bucket}": ("b", ""), "/{Bucket}/{Key+}": ("b", "k")}[path]
    with pytest.raises(errors.NotImplemented):
        match(S3Request(method, bucket, key, query))


def documented() -> dict[str, tuple[str, str]]:
    """Name -> (request, state) of the rows of the document's tables."""
    rows = re.findall(
        r"^\| (\w+) \| `([^`]+)` \| ([^|]+?) \|[^|]*\|$", DOCUMENT.read_text("utf-8"), re.MULTILINE
    )
    assert len({row[0] for row in rows}) == len(rows)
    return {name: (request, state) for name, request, state in rows}


def test_the_document_lists_the_whole_model():
    assert documented().keys() == MODEL["operations"].keys() - OLD_NAMES


@pytest.mark.parametrize("name", sorted(MODEL["operations"].keys() - OLD_NAMES))
def test_the_document_says_what_the_table_does(name):
    request, state = documented()[name]
    if name in OURS:
        assert (request, state) == (f"{OURS[name].method} {OURS[name].uri}", "yes")
    else:
        method, path, selecting = uri(name)
        wanted = f"{method} {path}" + ("?" + "&".join(selecting) if selecting else "")
        assert (request, state) == (wanted, "no")
