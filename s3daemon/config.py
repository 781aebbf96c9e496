"""Settings: read, validate, freeze.  Every error names its file, line and key.

A setting comes from the command line, or from the file, or is the default, in this order.  There
is no other place where a default is written down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard, cast

import attrs

from s3daemon import config_checkers
from s3daemon import config_kinds as kinds
from s3daemon.auth.sources import CREDENTIAL
from s3daemon.config_kinds import Kind, option
from s3daemon.config_listen import LISTEN, absolute, parse
from s3daemon.store.levels import LEVELS, Durability
from s3daemon.toml_file import Document, SettingError, decode, nearest
from s3daemon.wire.forwarded import Networks
from s3daemon.wire.message import Personality

Endpoints = tuple[tuple[str, Personality], ...]


def _read_endpoints(value: object) -> Endpoints:
    expects = 'a table of base paths, each "aws" or "alluxio", such as "/" = "aws"'
    if not isinstance(value, Mapping) or not value:
        raise ValueError(expects)
    found: dict[str, Personality] = {}
    for base, personality in value.items():
        plain = base.rstrip("/") or "/"
        if not plain.startswith("/") or plain in found or any(c in plain for c in "?#% "):
            raise ValueError(expects)
        try:
            found[plain] = Personality(personality)
        except ValueError:
            raise ValueError(expects) from None
    return tuple(sorted(found.items()))


def _show_endpoints(value: Endpoints) -> str:
    shown = (f"{kinds.quoted(base)} = {kinds.quoted(which.value)}" for base, which in value)
    return "{ " + ", ".join(shown) + " }"


_DOMAIN = kinds.text(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*",
    'a list of domain names in lower case without a port, such as ["s3.example.com"]',
)


_PROXIES = 'a list of addresses, networks and "unix", such as ["127.0.0.1", "10.0.0.0/8"]'


def _read_proxy(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(_PROXIES)
    try:
        Networks([value])
    except ValueError as error:
        raise ValueError(f"{_PROXIES}; {error}") from None
    return value


_PROXY = Kind(_read_proxy, kinds.quoted)


@attrs.frozen
class Server:
    """How clients reach the gateway; times in seconds.

    :ivar listen: Twisted endpoint descriptions.
    :ivar trusted_proxies: whose word about their clients is taken.
    :ivar endpoints: base paths and what they show.
    :ivar domains: names below which a bucket may be part of the host name.
    :ivar region: what GetBucketLocation and HeadBucket say.
    :ivar head_timeout: for a whole request head.
    :ivar body_timeout: without a byte of a body.
    :ivar idle_timeout: between two requests of a connection.
    :ivar write_timeout: without progress of an answer.
    :ivar blanks_after: until a long Complete or Copy begins to send blanks; 0 for never.
    :ivar queue_timeout: until a request that no thread has taken up is refused; 0 for never.
    :ivar drain: for the requests under way when the daemon stops.
    :ivar workers: processes that serve; 0 for one for each processor.
    :ivar log_level: the least severe events that are logged.
    """

    listen: tuple[str, ...] = option(LISTEN, ("tcp:39999:interface=127.0.0.1",))
    trusted_proxies: tuple[str, ...] = option(kinds.texts(_PROXY, 0, _PROXIES), ())
    endpoints: Endpoints = option(
        Kind(_read_endpoints, _show_endpoints),
        (("/", Personality.AWS), ("/api/v1/s3", Personality.ALLUXIO)),
    )
    domains: tuple[str, ...] = option(
        kinds.texts(_DOMAIN, 0, 'a list of domain names, such as ["s3.example.com"]'), ()
    )
    region: str = option(
        kinds.text("[a-z0-9-]{1,64}", 'a region name such as "us-east-1"'), "us-east-1"
    )
    head_timeout: float = option(kinds.duration(1, 3600), 30.0)
    body_timeout: float = option(kinds.duration(1, 3600), 60.0)
    idle_timeout: float = option(kinds.duration(1, 3600), 75.0)
    write_timeout: float = option(kinds.duration(1, 3600), 60.0)
    blanks_after: float = option(kinds.duration(1, 3600, zero="never"), 10.0)
    queue_timeout: float = option(kinds.duration(1, 3600, zero="never"), 30.0)
    drain: float = option(kinds.duration(0.1, 3600, zero="at once"), 30.0)
    workers: int = option(kinds.integer_or(0, "auto", 1, 1024), 0)
    log_level: str = option(kinds.choice("debug", "info", "warn", "error"), "info")


@attrs.frozen
class Store:
    """Where and how objects are kept.

    :ivar root: the directory whose sub-directories are the buckets; absolute, once it is set.
    :ivar durability: of buckets that have no level of their own.  ``strict``: an answer means that
        the data survive a power cut; ``data``: one may lose the newest changes, but damages
        nothing; ``relaxed``: they survive the end of this process.
    :ivar multipart_expiry: seconds after which an upload that nobody goes on with is forgotten;
        0 for never.
    :ivar sweep_interval: seconds between two looks for such uploads.
    :ivar locks: ``auto``: conditional writes use the lock that was proved on the root; ``none``:
        they are refused, where locks end at a node and there are several.
    :ivar min_free: bytes that have to be free for the gateway to be ready; 0 for however few.
    """

    root: Path = option(kinds.path("a path of a directory"), Path())
    durability: str = option(kinds.choice(*LEVELS), "strict")
    multipart_expiry: float = option(kinds.duration(60, 3650 * 86400, zero="never"), 7 * 86400.0)
    sweep_interval: float = option(kinds.duration(1, 7 * 86400), 3600.0)
    locks: str = option(kinds.choice("auto", "none"), "auto")
    min_free: int = option(kinds.size(0, 1 << 50), 64 << 20)


_CREDENTIALS = kinds.text(
    rf"(?!{CREDENTIAL})[^\0]*|{CREDENTIAL}(?!\.\.?$)[^\0/]+",
    f'a path of a file, "{CREDENTIAL}NAME", or ""',
)


_CHECKER = kinds.text("[A-Za-z][A-Za-z0-9_-]{0,63}", 'the name of a checker, such as "http"')


@attrs.frozen
class Auth:
    """Who may come in.

    :ivar mode: ``sigv4``: every signature is verified; ``simple``: the access key is the user's
        name, and nothing is verified.
    :ivar credentials: where the users are: an absolute path, ``credential:NAME`` for what systemd
        passes on, or "" for none but one in the environment.
    :ivar checkers: plug-ins that are asked, one after the other, for access keys that no user of
        ours has.
    :ivar sigv2: signatures of version 2 are taken too.
    :ivar anonymous: requests without credentials are let in, to what an access control list grants
        to everybody.
    :ivar allow_remote_simple: mode simple on addresses that other machines can reach.
    :ivar unowned: who may use a directory that no S3 client made: ``everyone`` who is
        authenticated, or ``nobody``.
    """

    mode: str = option(kinds.choice("sigv4", "simple"), "sigv4")
    credentials: str = option(_CREDENTIALS, "")
    checkers: tuple[str, ...] = option(
        kinds.texts(_CHECKER, 0, 'a list of names of checkers, such as ["http"]'), ()
    )
    sigv2: bool = option(kinds.BOOLEAN, False)
    anonymous: bool = option(kinds.BOOLEAN, False)
    allow_remote_simple: bool = option(kinds.BOOLEAN, False)
    unowned: str = option(kinds.choice("everyone", "nobody"), "everyone")


@attrs.frozen
class Limits:
    """How big and how many things may be; sizes in bytes.

    :ivar head_bytes: a request head.
    :ivar fields: header fields of a request.
    :ivar document_bytes: an XML document in a request.
    :ivar metadata_bytes: user metadata of an object.
    :ivar min_part_size: a part of an upload that is not the last.
    :ivar strict_bucket_names: on aws endpoints new buckets need names that S3 allows.
    :ivar connections: at a time.
    :ivar connections_per_peer: of one client at a time; 0 for no bound.
    :ivar min_body_rate: bytes a second at which a body has to come and an answer to be taken, over
        ``server.body_timeout`` and ``server.write_timeout``; 0 for none.
    :ivar pool_threads: for small requests.
    :ivar heavy_threads: for transfers, copies and listings.
    :ivar read_rate: bytes a second that all downloads share; 0 for no bound.
    :ivar read_rate_each: bytes a second of one download; 0 for no bound.
    """

    head_bytes: int = option(kinds.size(8192, 1 << 20), 65536)
    fields: int = option(kinds.integer(20, 10_000), 100)
    document_bytes: int = option(kinds.size(65536, 64 << 20), 4 << 20)
    metadata_bytes: int = option(kinds.size(0, 1 << 20), 2048)
    min_part_size: int = option(kinds.size(0, 5 << 30), 5 << 20)
    strict_bucket_names: bool = option(kinds.BOOLEAN, True)
    connections: int = option(kinds.integer(1, 1_000_000), 10_000)
    connections_per_peer: int = option(kinds.integer(0, 1_000_000), 1000)
    min_body_rate: int = option(kinds.size(0, 1 << 30), 256)
    pool_threads: int = option(kinds.integer(1, 1024), 16)
    heavy_threads: int = option(kinds.integer(1, 1024), 16)
    read_rate: int = option(kinds.size(0, 1 << 40), 0)
    read_rate_each: int = option(kinds.size(0, 1 << 40), 0)


@attrs.frozen
class Config:
    """All settings.

    :ivar checkers: name and settings of each checker of ``auth.checkers``.
    """

    server: Server = Server()
    store: Store = Store()
    auth: Auth = Auth()
    limits: Limits = Limits()
    checkers: tuple[tuple[str, Any], ...] = ()

    @property
    def durability(self) -> Durability:
        """The store's durability, as a type checker wants it."""
        return cast(Durability, self.store.durability)


#: Section -> the class of its settings.
SECTIONS: Mapping[str, type[Any]] = {
    "server": Server,
    "store": Store,
    "auth": Auth,
    "limits": Limits,
}

#: A value and where it came from: ``file:line`` or a command line option.
Given = Mapping[tuple[str, str], tuple[object, str]]

_PATHS = frozenset({("store", "root"), ("auth", "credentials")})


def options() -> Iterator[tuple[str, str, Kind[Any], Any]]:
    """(section, key, kind, default) of every setting there is."""
    for section, cls in SECTIONS.items():
        for field in attrs.fields(cls):
            yield section, field.name, field.metadata["kind"], field.default


def load(file: Path | None, given: Given | None = None) -> Config:
    """The settings of a file, overruled by what is given on the command line.

    :raises SettingError: something is wrong in them, or the file cannot be read.
    """
    found: dict[tuple[str, str], tuple[object, str]] = {}
    if file is not None:
        try:
            data = file.read_bytes()
        except OSError as error:
            raise SettingError(str(file), "", f"cannot be read: {error.strerror}") from error
        found.update(from_document(decode(data, str(file)), file.parent))
    found.update(given or {})
    return freeze(found)


def from_document(document: Document, directory: Path) -> dict[tuple[str, str], tuple[object, str]]:
    """The raw values of a document, and where each stands.

    :param directory: where relative paths begin.
    :raises SettingError: there is no such section or setting.
    """
    found: dict[tuple[str, str], tuple[object, str]] = {}
    for name, key, value, where in config_checkers.from_document(document, directory):
        found[f"{config_checkers.SECTION}.{name}", key] = (value, where)
    for section, table in document.content.items():
        if section == config_checkers.SECTION:
            continue
        where = document.where([section])
        if section not in SECTIONS:
            raise SettingError(where, section, f"is unknown; {nearest(section, SECTIONS)}")
        if not isinstance(table, dict):
            raise SettingError(where, section, f"has to be a table: write [{section}]")
        known = [field.name for field in attrs.fields(SECTIONS[section])]
        for key, value in table.items():
            where = document.where([section, key])
            if key not in known:
                raise SettingError(where, f"{section}.{key}", f"is unknown; {nearest(key, known)}")
            if (section, key) in _PATHS and _is_relative(value):
                value = str(directory.absolute() / value)
            if (section, key) == ("server", "listen") and isinstance(value, list):
                value = [
                    absolute(one, directory.absolute()) if isinstance(one, str) else one
                    for one in value
                ]
            found[section, key] = (value, where)
    return found


def _is_relative(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and value != "" and not value.startswith(CREDENTIAL)


def freeze(given: Given) -> Config:
    """Settings from raw values.

    :raises SettingError: a value is of the wrong kind, or settings do not go together.
    """
    sections: dict[str, dict[str, object]] = {name: {} for name in SECTIONS}
    for section, key, kind, _ in options():
        if (section, key) not in given:
            continue
        value, where = given[section, key]
        try:
            sections[section][key] = kind.read(value)
        except ValueError as error:
            raise SettingError(where, f"{section}.{key}", f"has to be {error}") from None
    prefix = f"{config_checkers.SECTION}."
    of_checkers = {
        (section.removeprefix(prefix), key): value
        for (section, key), value in given.items()
        if section.startswith(prefix)
    }
    auth = Auth(**sections["auth"])  # type: ignore[arg-type]
    where = given.get(("auth", "checkers"), ("", ""))[1]
    config = Config(
        Server(**sections["server"]),  # type: ignore[arg-type]
        Store(**sections["store"]),  # type: ignore[arg-type]
        auth,
        Limits(**sections["limits"]),  # type: ignore[arg-type]
        config_checkers.read(auth.checkers, where, of_checkers),
    )
    _check(config, given)
    return config


def _check(config: Config, given: Given) -> None:
    def refuse(section: str, key: str, problem: str) -> None:
        raise SettingError(given.get((section, key), ("", ""))[1], f"{section}.{key}", problem)

    if not config.store.root.is_absolute():
        refuse("store", "root", "is missing: say which directory holds the buckets (--root DIR)")
    proxied = [listen for listen in config.server.listen if parse(listen).proxied]
    if proxied and not config.server.trusted_proxies:
        refuse(
            "server",
            "listen",
            f"{proxied[0]} takes a balancer's word for who its clients are: say whose, in"
            " trusted_proxies of section [server]",
        )
    if config.auth.checkers and config.auth.mode == "simple":
        refuse("auth", "checkers", "does nothing in mode simple, which lets everybody in")
    if {"sigv4", "simple"} & set(config.auth.checkers):
        refuse("auth", "checkers", "names a mode: that is said as auth.mode, and is asked first")
    remote = [listen for listen in config.server.listen if not parse(listen).is_local]
    if config.auth.mode == "simple" and remote and not config.auth.allow_remote_simple:
        refuse(
            "server",
            "listen",
            f"{remote[0]} can be reached from other machines, and in mode simple anybody who can"
            " reach it may be anybody.  Listen on 127.0.0.1, or set allow_remote_simple = true in"
            " section [auth] where a proxy or a firewall guards the address",
        )


def describe(config: Config) -> str:
    """The settings as a TOML file that says the same."""
    lines: list[str] = []
    section = ""
    for name, key, kind, _ in options():
        if name != section:
            section = name
            lines += ["", f"[{section}]"] if lines else [f"[{section}]"]
        lines.append(f"{key} = {kind.show(getattr(getattr(config, section), key))}")
    lines += config_checkers.describe(config.checkers)
    return "\n".join(lines) + "\n"


__all__: Sequence[str] = (
    "SECTIONS", "Auth", "Config", "Endpoints", "Given", "Limits", "Server", "Store", "describe",
    "freeze", "load", "options",
)  # fmt: skip
