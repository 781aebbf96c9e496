"""See :mod:`fuzz`."""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import sys
import tempfile
import traceback
from importlib.util import find_spec
from pathlib import Path

FINDINGS = Path(__file__).parent / "findings"


def main() -> int:
    """The command line; status 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz the parsers.")
    parser.add_argument("target", nargs="?", help="a target, or all; without it they are listed")
    parser.add_argument("--seconds", type=float, default=60, help="for each target (60)")
    parser.add_argument("--plain", action="store_true", help="without atheris, even if it is there")
    parser.add_argument("--seed", type=int, help="of the plain way; by chance unless given")
    parser.add_argument("--replay", type=Path, help="run one input, and show how it fails")
    given = parser.parse_args()
    guided = find_spec("atheris") is not None and not given.plain and given.replay is None
    if guided and given.target not in (None, "all"):
        return _guided(given.target, given.seconds)
    from fuzz.targets import TARGETS

    if given.target is None:
        print("\n".join(TARGETS))
        return 0
    if given.target != "all" and given.target not in TARGETS:
        parser.error(f"there is no target {given.target}; without one they are listed")
    if given.replay is not None:
        print(TARGETS[given.target].run(given.replay.read_bytes()))
        return 0
    found = 0
    for name in TARGETS if given.target == "all" else [given.target]:
        # Atheris ends the process.
        found += _in_a_process(name, given.seconds) if guided else _plain(name, given)
    return int(found > 0)


def _plain(name: str, given: argparse.Namespace) -> int:
    from fuzz import plain
    from fuzz.targets import TARGETS

    seed = random.randrange(1 << 32) if given.seed is None else given.seed
    count, finding = plain.run(TARGETS[name], given.seconds, seed)
    print(f"{name}: {count} inputs, seed {seed}, {'FOUND' if finding else 'nothing'}", flush=True)
    if finding is None:
        return 0
    data, error = finding
    FINDINGS.mkdir(exist_ok=True)
    path = FINDINGS / f"{name}-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    traceback.print_exception(error)
    print(f"written to {path}")
    return 1


def _in_a_process(name: str, seconds: float) -> int:
    arguments = [sys.executable, "-m", "fuzz", name, "--seconds", str(seconds)]
    return int(os.spawnv(os.P_WAIT, sys.executable, arguments) != 0)


def _guided(name: str, seconds: float) -> int:
    import atheris

    # What is imported below is made to tell where it has been.
    with atheris.instrument_imports(include=["s3daemon"]):
        from fuzz.targets import TARGETS

    target = TARGETS[name]
    FINDINGS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as words, tempfile.TemporaryDirectory() as scratch:
        dictionary = Path(words) / "words"
        dictionary.write_text(
            "".join(
                '"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in target.words
            )
        )
        from fuzz.target import CORPUS

        atheris.Setup(
            [
                f"fuzz {name}",
                f"-max_total_time={int(seconds)}",
                f"-max_len={target.longest}",
                "-timeout=5",
                "-rss_limit_mb=1024",
                "-print_final_stats=1",
                "-verbosity=0",
                f"-artifact_prefix={FINDINGS}/{name}-",
                *([f"-dict={dictionary}"] if target.words else []),
                scratch,
                str(CORPUS / name),
            ],
            lambda data: target.run(data) and None,
        )
        print(f"{name}: guided, {int(seconds)} seconds", flush=True)
        atheris.Fuzz()
    return 0


sys.exit(main())
