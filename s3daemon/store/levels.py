"""Levels of durability: how much of what was acknowledged a power cut may take.

The end of a process takes nothing on any of them.

=========  ==============================================  =====================================
level      what is on the device before the answer         after a power cut
=========  ==============================================  =====================================
strict     content, record, name, directories on the way   all that was acknowledged is there
data       content and record, before they get a name      a key may hold an older version, or
                                                           none, but always one that is whole
relaxed    nothing                                         anything not yet written back may be
                                                           missing, old, or damaged
=========  ==============================================  =====================================
"""

from __future__ import annotations

from typing import Literal

Durability = Literal["strict", "data", "relaxed"]

LEVELS: tuple[Durability, ...] = ("strict", "data", "relaxed")


def chosen(said: str | None, default: Durability) -> Durability:
    """What somebody said a level is to be; None for nothing.

    A level that is not known here is one of a later version, or damage: it counts as strict.
    """
    if said is None:
        return default
    return said if said in LEVELS else "strict"
