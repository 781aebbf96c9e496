"""Settings of checkers: read, checked and shown like all others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon import config
from s3daemon.checkers.http_plugin import HttpSettings
from s3daemon.toml_file import SettingError

SAMPLE = Path(__file__).parent.parent / "etc" / "s3gate.toml"
HEAD = '[store]\nroot = "/r"\n[auth]\ncheckers = ["http"]\n'


def load(tmp_path: Path, text: str) -> config.Config:
    file = tmp_path / "s3gate.toml"
    file.write_text(text)
    return config.load(file)


def test_a_checker_has_settings_of_its_own(tmp_path: Path) -> None:
    settings = load(
        tmp_path,
        HEAD
        + '[checker.http]\nurl = "https://k/v1"\ntoken_file = "t"\nca_file = "/ca"\nkeep = "0"\n',
    )
    assert settings.auth.checkers == ("http",)
    assert settings.checkers == (
        (
            "http",
            HttpSettings("https://k/v1", tmp_path / "t", Path("/ca"), keep=0.0),
        ),
    )
    assert load(tmp_path, config.describe(settings)) == settings


def test_a_checker_may_have_none(tmp_path: Path) -> None:
    assert load(tmp_path, HEAD).checkers == (("http", HttpSettings()),)


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        (HEAD.replace("http", "htp"), 4, "auth.checkers", "no checker 'htp' installed; did you"),
        (HEAD.replace('"http"', '"sigv4"'), 4, "auth.checkers", "names a mode"),
        (HEAD.replace('"http"', '"h p"'), 4, "auth.checkers", "name of a checker"),
        (HEAD + 'mode = "simple"\n', 4, "auth.checkers", "does nothing in mode simple"),
        (HEAD + "[checker]\nhttp = 1\n", 6, "checker.http", "write [checker.http]"),
        ("checker = 1\n" + HEAD, 1, "checker", "write [checker.NAME]"),
        (HEAD + "[checker.htp]\nurl = 1\n", 5, "checker.htp", "no checker 'htp' installed"),
        (HEAD + "[checker.http]\nur = 1\n", 6, "checker.http.ur", "did you mean 'url'?"),
        (HEAD + "[checker.http]\nurl = 1\n", 6, "checker.http.url", "has to be an address"),
        (
            HEAD + '[checker.http]\nurl = "https://user:pw@h/"\n',
            6,
            "checker.http.url",
            "has to be an address",
        ),
        (
            HEAD.replace('"http"', "") + '[checker.http]\nkeep = "1m"\n',
            6,
            "checker.http.keep",
            "auth.checkers does not name http",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, line: int, key: str, says: str) -> None:
    with pytest.raises(SettingError) as caught:
        load(tmp_path, text)
    assert caught.value.key == key
    assert caught.value.where == f"{tmp_path}/s3gate.toml:{line}"
    assert says in caught.value.problem


def test_the_sample_names_every_setting_of_the_checker_http(tmp_path: Path) -> None:
    text = SAMPLE.read_text()
    section = text[text.index("# [checker.http]") :]
    table = [
        line.removeprefix("# ")
        for line in section.splitlines()
        if re.match(r"# (\[|[a-z_]+ = )", line)
    ]
    ((_, sample),) = load(tmp_path, HEAD + "\n".join(table)).checkers
    assert attrs.evolve(sample, url="") == HttpSettings()
    names: list[Any] = [line.partition(" ")[0] for line in table[1:]]
    assert names == [field.name for field in attrs.fields(HttpSettings)]
