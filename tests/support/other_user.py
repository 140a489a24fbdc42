"""A Python interpreter with pymilter that another user may run."""

from __future__ import annotations

import pwd
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from support import require


def python_for(user: str, folder: Path) -> Path:
    """Return this interpreter, or the system's of the same version, in ``folder``; end the test if neither can run.

    This interpreter may lie in a folder that is closed to others, such as root's home. ``folder`` must be open to all.
    """
    require.root("a filter that becomes another user")
    if _can_run(user, Path(sys.executable)):
        return Path(sys.executable)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    if system := shutil.which(name, path="/usr/bin:/usr/local/bin"):
        environment = folder / "venv"
        subprocess.run([system, "-m", "venv", "--without-pip", environment], check=True)
        ours = sysconfig.get_path("purelib")
        packages = environment / "lib" / name / "site-packages"
        (packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
        if _can_run(user, environment / "bin" / name):
            return environment / "bin" / name
    return require.missing(f"{user} may not run {sys.executable} with pymilter, and there is no other {name}")


def _can_run(user: str, python: Path) -> bool:
    entry = pwd.getpwnam(user)
    command = [str(python), "-c", "import pymilter"]
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, cwd="/", user=entry.pw_uid, group=entry.pw_gid, extra_groups=[]
        )
    except PermissionError:
        return False
    return done.returncode == 0
