"""The unprivileged account Postgres runs under when we are root: Postgres refuses to serve as root."""

import os
import pwd
import shutil
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

from postroom.local.trouble import Trouble

ACCOUNT = "postroom-postgres"
_ATTEMPTS = 10


def postgres_account() -> pwd.struct_passwd | None:
    """Return the account to become, made when missing; None when we are no root and run Postgres as ourselves."""
    if os.geteuid() != 0:
        return None
    for _ in range(_ATTEMPTS):
        try:
            return pwd.getpwnam(ACCOUNT)
        except KeyError:
            _create_account()
    raise Trouble(f"Postgres does not run as root, and the system account {ACCOUNT} could not be made.")


def _create_account() -> None:
    """Ask the system for the account; two processes may do so at once, so a failure is only looked at again."""
    if useradd := shutil.which("useradd"):
        command = [useradd, "--system", "--no-create-home", "--shell", "/bin/false", ACCOUNT]
    elif adduser := shutil.which("adduser"):
        command = [adduser, "-S", "-H", "-D", "-s", "/bin/false", ACCOUNT]
    else:
        raise Trouble(
            f"Postgres does not run as root, and neither useradd nor adduser is here to make the account {ACCOUNT}. "
            "Start as an ordinary user instead."
        )
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        time.sleep(0.2)


def become(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Arguments of `subprocess` that start a process under the account."""
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def give(folder: Path, account: pwd.struct_passwd | None) -> None:
    """Make a folder the account's alone (0700), reachable through its parents."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owners = {os.geteuid(), account.pw_uid if account else os.geteuid()}
    if folder.is_symlink() or folder.stat().st_uid not in owners:
        raise Trouble(f"{folder} belongs to somebody else; remove it or choose another data folder.")
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.pw_uid, account.pw_gid)
        let_pass(folder)


def let_pass(path: Path) -> None:
    """Let every account walk through the parents of `path`: search permission, not the right to list them."""
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXGRP | stat.S_IXOTH)


def let_run(folder: Path) -> None:
    """Let every account read and run a folder of programs; a strict umask at installation took that away."""
    let_pass(folder)
    if folder.stat().st_mode & stat.S_IROTH:
        return
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(
                mode | (stat.S_IRGRP | stat.S_IROTH) | ((mode & stat.S_IXUSR) >> 3) | ((mode & stat.S_IXUSR) >> 6)
            )
