"""Settings: what is accepted, what is refused and how, and that the sample is the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon import config, config_kinds
from s3daemon.config_listen import TlsFiles, parse
from s3daemon.toml_file import SettingError
from s3daemon.wire.message import Personality

SAMPLE = Path(__file__).parent.parent / "etc" / "s3gate.toml"


def load(tmp_path: Path, text: str, given: config.Given | None = None) -> config.Config:
    file = tmp_path / "s3gate.toml"
    file.write_text(text)
    return config.load(file, given)


def refused(tmp_path: Path, text: str) -> SettingError:
    with pytest.raises(SettingError) as caught:
        load(tmp_path, text)
    return caught.value


# ---------------------------------------------------------------- files


def test_the_sample_names_every_setting_with_its_default() -> None:
    sample = config.load(SAMPLE)
    assert sample == attrs.evolve(config.Config(), store=config.Store(root=Path("/srv/s3")))
    text = SAMPLE.read_text()
    for section, key, _, _ in config.options():
        _, _, rest = text.partition(f"[{section}]\n")
        assert rest, section
        assert f"\n{key} = " in "\n" + rest.split("\n[")[0], f"{section}.{key}"


def test_the_description_says_the_same_as_the_settings(tmp_path: Path) -> None:
    text = """
[server]
listen = ["tcp:1:interface=127.0.0.1", 'unix:/run/s"x']
endpoints = { "/a/b" = "alluxio", "/" = "aws" }
domains = ["s3.example.com"]
head_timeout = "1.5s"
blanks_after = "0"
[store]
root = "data"
durability = "relaxed"
[limits]
head_bytes = "10000B"
metadata_bytes = 0
[auth]
credentials = "users.toml"
"""
    settings = load(tmp_path, text)
    assert settings.store.root == tmp_path / "data"
    assert settings.auth.credentials == str(tmp_path / "users.toml")
    assert settings.server.endpoints == (
        ("/", Personality.AWS),
        ("/a/b", Personality.ALLUXIO),
    )
    assert settings.durability == "relaxed"
    assert load(tmp_path, config.describe(settings)) == settings


@pytest.mark.parametrize("value", ["", "credential:users.toml", "/etc/users.toml"])
def test_users_that_are_in_no_relative_file(tmp_path: Path, value: str) -> None:
    text = f'[store]\nroot = "/r"\n[auth]\ncredentials = "{value}"\n'
    assert load(tmp_path, text).auth.credentials == value


@pytest.mark.parametrize("value", ["credential:", "credential:a/b", "credential:..", "a\\u0000"])
def test_users_that_are_nowhere(tmp_path: Path, value: str) -> None:
    found = refused(tmp_path, f'[store]\nroot = "/r"\n[auth]\ncredentials = "{value}"\n')
    assert found.key == "auth.credentials"


def test_the_command_line_comes_first(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        '[store]\nroot = "/a"\ndurability = "relaxed"\n',
        {("store", "root"): ("/b", "--root")},
    )
    assert settings.store.root == Path("/b")
    assert settings.store.durability == "relaxed"


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"none\.toml: cannot be read: No such file"):
        config.load(tmp_path / "none.toml")


ROOT = '[store]\nroot = "/r"\n'


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        (ROOT + "[sever]\n", 3, "sever", "is unknown; did you mean 'server'?"),
        (ROOT + "rot = 1\n", 3, "store.rot", "is unknown; did you mean 'root'?"),
        ("server = 1\n" + ROOT, 1, "server", "has to be a table: write [server]"),
        ("[store]\nroot = 1\n", 2, "store.root", "has to be a path of a directory"),
        ("[store]\nroot = ''\n", 2, "store.root", "is missing"),
        (ROOT + 'durability = "fast"\n', 3, "store.durability", '"strict" or "data" or "relaxed"'),
        (ROOT + 'sweep_interval = "0"\n', 3, "store.sweep_interval", "a duration from"),
        (ROOT + "sweep_interval = 60\n", 3, "store.sweep_interval", "a duration from"),
        (ROOT + 'sweep_interval = "8d"\n', 3, "store.sweep_interval", 'to "7d"'),
        (ROOT + 'multipart_expiry = "1w"\n', 3, "store.multipart_expiry", '"0" for never'),
        (ROOT + "[limits]\nconnections = 0\n", 4, "limits.connections", "from 1 to 1_000_000"),
        (ROOT + "[limits]\nconnections = true\n", 4, "limits.connections", "a whole number"),
        (ROOT + "[limits]\nhead_bytes = '1KiB'\n", 4, "limits.head_bytes", 'from "8KiB"'),
        (ROOT + "[limits]\nhead_bytes = '64 KiB'\n", 4, "limits.head_bytes", "a size"),
        (ROOT + "[limits]\nhead_bytes = true\n", 4, "limits.head_bytes", "a size"),
        (
            ROOT + "[limits]\nstrict_bucket_names = 1\n",
            4,
            "limits.strict_bucket_names",
            "true or false",
        ),
        (ROOT + "[server]\nlisten = []\n", 4, "server.listen", "a list of Twisted endpoints"),
        (ROOT + "[server]\nlisten = 'tcp:1'\n", 4, "server.listen", "a list of Twisted"),
        (ROOT + "[server]\nlisten = ['80']\n", 4, "server.listen", "a list of Twisted"),
        (
            ROOT + "[server]\nlisten = ['tcp:1']\n[auth]\nmode = 'simple'\n",
            4,
            "server.listen",
            "from other machines",
        ),
        (ROOT + "[server]\nregion = 'A'\n", 4, "server.region", "a region name"),
        (ROOT + "[server]\ndomains = ['a:1']\n", 4, "server.domains", "a list of domain"),
        (ROOT + "[server]\nendpoints = {}\n", 4, "server.endpoints", "a table of base paths"),
        (ROOT + "[server.endpoints]\n'a' = 'aws'\n", 3, "server.endpoints", "a table of"),
        (ROOT + "[server.endpoints]\n'/' = 'gcs'\n", 3, "server.endpoints", "a table of"),
        (
            ROOT + "[server.endpoints]\n'/a' = 'aws'\n'/a/' = 'aws'\n",
            3,
            "server.endpoints",
            "a table of",
        ),
        (ROOT + "[auth]\nmode = 'none'\n", 4, "auth.mode", '"sigv4" or "simple"'),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, line: int, key: str, says: str) -> None:
    error = refused(tmp_path, text)
    assert error.where == f"{tmp_path}/s3gate.toml:{line}"
    assert error.key == key
    assert says in error.problem


@pytest.mark.parametrize(
    ("server", "key", "says"),
    [
        ("trusted_proxies = ['10.0.0.1/8']", "server.trusted_proxies", "'10.0.0.1/8' is no addr"),
        ("trusted_proxies = ['proxy.example']", "server.trusted_proxies", "is no address"),
        ("trusted_proxies = '10.0.0.0/8'", "server.trusted_proxies", "a list of addresses"),
        ("trusted_proxies = [1]", "server.trusted_proxies", "a list of addresses"),
        ("listen = ['haproxy:unix:s']", "server.listen", "say whose, in trusted_proxies of"),
        ("listen = ['blah:1']", "server.listen", "'blah' is no kind of endpoint"),
        ("listen = ['tcp:web']", "server.listen", "tcp: needs a port from 0 to 65535"),
    ],
)
def test_listeners_and_proxies_that_are_refused(
    tmp_path: Path, server: str, key: str, says: str
) -> None:
    error = refused(tmp_path, ROOT + f"[server]\n{server}\n")
    assert error.where == f"{tmp_path}/s3gate.toml:4"
    assert error.key == key
    assert says in error.problem


def test_paths_in_listeners_begin_at_the_file(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        ROOT + "[server]\nlisten = ['unix:s', 'haproxy:ssl:1:k:interface=127.0.0.1']\n"
        "trusted_proxies = ['unix', '127.0.0.1']\n",
    )
    socket, tls = map(parse, settings.server.listen)
    assert socket.arguments["address"] == f"{tmp_path}/s"
    assert tls.tls == TlsFiles(tmp_path / "k", tmp_path / "k")
    assert settings.server.trusted_proxies == ("unix", "127.0.0.1")


def test_a_root_is_needed() -> None:
    with pytest.raises(SettingError, match=r"store\.root: is missing.*--root DIR"):
        config.load(None)


def test_simple_on_any_address_when_it_is_said_aloud(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        ROOT
        + "[server]\nlisten = ['tcp:39999']\n"
        + "[auth]\nmode = 'simple'\nallow_remote_simple = true\n",
    )
    assert settings.server.listen == ("tcp:39999",)


def test_signatures_may_come_from_anywhere(tmp_path: Path) -> None:
    settings = load(tmp_path, ROOT + "[server]\nlisten = ['tcp:39999']\n")
    assert settings.auth.mode == "sigv4"
    assert settings.server.listen == ("tcp:39999",)


# ---------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("1.5m", 90), ("250ms", 0.25), ("2h", 7200), ("7d", 604800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert config_kinds.duration(0.1, 1e6).read(text) == seconds


@pytest.mark.parametrize(
    ("given", "size"),
    [("64KiB", 65536), ("1MB", 10**6), ("0B", 0), (17, 17), ("1TiB", 2**40), ("3kB", 3000)],
)
def test_sizes(given: object, size: int) -> None:
    assert config_kinds.size(0, 2**40).read(given) == size


@pytest.mark.parametrize(
    ("given", "shown"), [(0, "0"), (90, "90s"), (120, "2m"), (86400, "1d"), (0.25, "250ms")]
)
def test_durations_are_shown_in_their_largest_unit(given: float, shown: str) -> None:
    assert config_kinds.show_duration(given) == shown


def _tables(kind: config_kinds.Kind[Any], value: Any) -> Any:
    import tomllib

    return tomllib.loads(f"a = {kind.show(value)}")["a"]


@given(st.integers(0, 2**50))
def test_a_size_that_is_shown_reads_the_same(size: int) -> None:
    kind = config_kinds.size(0, 2**50)
    assert kind.read(_tables(kind, size)) == size


@given(st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0")))
def test_text_that_is_shown_reads_the_same(text: str) -> None:
    kind = config_kinds.text("(?s:.*)", "text")
    assert kind.read(_tables(kind, text)) == text


@pytest.mark.parametrize(
    ("given", "number", "shown"), [("auto", 0, "auto"), (0, 0, "auto"), (1, 1, 1), (64, 64, 64)]
)
def test_a_number_or_a_word(given: object, number: int, shown: object) -> None:
    kind = config_kinds.integer_or(0, "auto", 1, 64)
    assert kind.read(given) == number
    assert _tables(kind, number) == shown


@pytest.mark.parametrize("given", ["", "Auto", -1, 65, False, True, 1.0, None])
def test_neither_the_number_nor_the_word(given: object) -> None:
    with pytest.raises(ValueError, match='from 1 to 64, or "auto"'):
        config_kinds.integer_or(0, "auto", 1, 64).read(given)
