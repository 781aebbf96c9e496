"""All targets by name."""

from __future__ import annotations

from collections.abc import Mapping

from fuzz.target import Target
from fuzz.targets import bodies, fields, files, heads, proxies, signatures, storage

TARGETS: Mapping[str, Target] = {
    target.name: target
    for module in (heads, fields, bodies, signatures, storage, files, proxies)
    for target in module.TARGETS
}
