"""Follows a Dockerfile in chroots that debootstrap makes, where there is no runtime for containers."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support import require

MIRROR = "http://deb.debian.org/debian"
# What pip's settings on this machine name, if it has an index of its own.
_SETTINGS_OF_PIP = ("/etc/pip.conf", "/root/.config/pip", "/opt/wheels", "/opt/pypi", "/opt/pypi-more")


@dataclass
class Image:
    """A stage: its root, and what its instructions say about running it."""

    root: Path
    folder: str = "/"
    user: str = "0:0"
    entry: list[str] = field(default_factory=list)
    healthy: list[str] = field(default_factory=list)

    def command(self, words: Sequence[str]) -> list[str]:
        """The command line, for the host, that runs a command in this image as its user."""
        inside = f'cd {self.folder} && exec "$@"'
        return _in(self.root, ["chroot", f"--userspec={self.user}", self.root, "/bin/sh", "-c", inside, "sh", *words])


def build(dockerfile: Path, context: Path, folder: Path) -> Image:
    """Follow the instructions and return the last stage. `context` is what COPY copies from."""
    require.root("a chroot")
    images: dict[str, Image] = {}
    image = Image(folder / "none")
    for word, rest in instructions(dockerfile.read_text("utf-8")):
        if word == "FROM":
            suite, _, name = rest.removeprefix("debian:").partition(" AS ")
            image = images[name] = Image(_base(suite.removesuffix("-slim"), folder, len(images)))
        elif word == "RUN":
            _run(Image(image.root, image.folder).command(["/bin/sh", "-c", rest]))
        elif word == "COPY":
            _copy(image, images, context, rest)
        elif word == "WORKDIR":
            image.folder = rest
        elif word == "USER":
            image.user = rest
        elif word == "ENTRYPOINT":
            image.entry = json.loads(rest)
        elif word == "HEALTHCHECK":
            image.healthy = json.loads(rest.partition(" CMD ")[2])
        else:
            assert (word, rest) in (("EXPOSE", "8890"), ("STOPSIGNAL", "SIGTERM")), f"{word} is not known here"
    return image


def instructions(text: str) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile: their first words, and the rest of their lines."""
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines if line.strip()]


def _base(suite: str, folder: Path, number: int) -> Path:
    """A minimal system of its own for each stage; debootstrap makes only the first."""
    made, root = folder / suite, folder / f"stage{number}"
    if not made.exists():
        _run([require.command("debootstrap", "debootstrap"), "--variant=minbase", suite, made, MIRROR])
    _run(["cp", "-a", made, root])
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    return root


def _copy(image: Image, images: dict[str, Image], context: Path, rest: str) -> None:
    words = rest.split()
    source_root = context
    if words[0].startswith("--from="):
        source_root = images[words.pop(0).removeprefix("--from=")].root
    source, target = source_root / words[0].lstrip("/"), image.root / words[1].lstrip("/")
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _in(root: Path, command: Sequence[str | Path]) -> list[str]:
    """A command line in a mount namespace in which the root has what a container would have, and pip's settings."""
    mounts = [f"mount -t proc proc {root}/proc", f"mount --rbind /dev {root}/dev"]
    for path in map(Path, _SETTINGS_OF_PIP):
        if path.exists():
            inside = root / str(path).lstrip("/")
            make = f"mkdir -p {inside}" if path.is_dir() else f"mkdir -p {inside.parent} && touch {inside}"
            mounts.append(f"{make} && mount --bind {path} {inside}")
    script = " && ".join([*mounts, 'exec "$@"'])
    return ["unshare", "--mount", "--propagation=private", "sh", "-c", script, "sh", *map(str, command)]


def _run(command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
