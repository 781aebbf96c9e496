"""What a mount's type and options mean for a gateway."""

from __future__ import annotations

from collections.abc import Iterator

from s3daemon.store.posix.doctor.findings import Finding, Verdict
from s3daemon.store.posix.mounts import Mount

SECTION = "mount"

_LOSES = "a power cut may lose objects that were acknowledged"

#: (types, option, value or None for any, what it means).  Types are those that an option of this
#: name is known to have this meaning for; () for all.
_CONCERNS: tuple[tuple[tuple[str, ...], str, str | None, str], ...] = (
    ((), "nobarrier", None, f"the device is not told to write its cache: {_LOSES}"),
    ((), "barrier", "0", f"the device is not told to write its cache: {_LOSES}"),
    (("overlay",), "volatile", None, f"nothing is synced: {_LOSES}"),
    (
        ("ext2", "ext3", "ext4"),
        "errors",
        "continue",
        "after an error of its own it goes on as if nothing was: mount with errors=remount-ro",
    ),
    (
        ("nfs", "nfs4"),
        "soft",
        None,
        "when the server is slow, writes fail that may have happened: mount with hard",
    ),
    (("nfs", "nfs4"), "nolock", None, 'locks end at this node: set store.locks = "none"'),
    (("nfs", "nfs4"), "local_lock", "all", 'locks end at this node: set store.locks = "none"'),
    (("nfs", "nfs4"), "local_lock", "posix", 'locks end at this node: set store.locks = "none"'),
    (("lustre",), "localflock", None, 'locks end at this node: set store.locks = "none"'),
    (("lustre",), "noflock", None, "there are no locks: mount with flock"),
    ((), "sync", None, "every single write waits for the device: mount without it, syncs are ours"),
    ((), "strictatime", None, "every read is a write: mount with relatime or noatime"),
)


def describe(mount: Mount | None) -> Iterator[Finding]:
    """Type, source and options, and what is to be said of them."""
    if mount is None:
        means = "options cannot be judged: is /proc mounted?"
        yield Finding(SECTION, "type", None, "unknown", means, Verdict.WARN)
        return
    yield Finding(
        SECTION,
        "type",
        mount.kind,
        f"{mount.kind}, {mount.source} on {mount.point}",
        _type_means(mount),
        Verdict.WARN if mount.kind in _VOLATILE else Verdict.OK,
    )
    told = list(concerns(mount))
    for option, means in told:
        yield Finding(SECTION, f"option {option}", option, option, means, Verdict.WARN)
    if not told:
        shown = ",".join(mount.options)
        yield Finding(SECTION, "options", shown, shown, "nothing to be said against them")


def concerns(mount: Mount) -> Iterator[tuple[str, str]]:
    """(option, what it means) of those that an operator should know of."""
    for kinds, name, value, means in _CONCERNS:
        found = mount.option(name)
        if found is None or (kinds and mount.kind not in kinds):
            continue
        if value is None or found == value:
            yield (f"{name}={found}" if found else name), means
    cached = mount.option("noac") is None or mount.option("lookupcache") != "none"
    if mount.kind in ("nfs", "nfs4") and cached:
        yield (
            "caches",
            "what another node does is seen late, by up to a minute: mount with noac,"
            " lookupcache=none",
        )


_VOLATILE = frozenset(("tmpfs", "ramfs"))


def _type_means(mount: Mount) -> str:
    if mount.kind in _VOLATILE:
        return "everything is in memory, and gone when this machine ends"
    if mount.kind == "overlay":
        return "the layer of a container, gone with it: mount a volume"
    if mount.shared:
        return "other nodes may serve it too; try them in pairs with --peer"
    return "of this machine alone"
