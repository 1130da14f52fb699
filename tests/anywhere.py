"""The tests where much is unlike a developer's machine, all at once: `make test-anywhere`.

    python tests/anywhere.py [--python PYTHON] [--seed N] [-- FLAGS OF PYTEST]

A fresh clone in a folder whose name has spaces and letters beyond ASCII builds its own environment with `make setup`; then
`make test` runs as a user without rights (where this is root), on one core, in random order, with an empty home (so that no
cache is warm), without the corpora, in the background of a parent that ignores SIGINT, and without a terminal.
"""

from __future__ import annotations

import argparse
import os
import pwd
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
FOLDER = "erc bench – Prüfung, 测试"
NOBODY = "nobody"
KEPT = ("PATH", "TERM", "TMPDIR", "PIP_CONFIG_FILE", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")


def main() -> int:
    """Run the suite; returns its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--python", default=sys.executable, help="the interpreter of the environment; others must be let in"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="of the order of the tests")
    parser.add_argument("flags", nargs="*", help="of pytest")
    chosen = parser.parse_args()
    user = NOBODY if os.geteuid() == 0 else None
    if (
        user is not None
        and subprocess.run(["su", "-s", "/bin/sh", user, "-c", f"'{chosen.python}' -c ''"], check=False).returncode
    ):
        sys.stderr.write(
            f"{chosen.python} must be an interpreter that {user} can run. Give another: make test-anywhere PYTHON=…\n"
        )
        return 2
    place = Path(tempfile.mkdtemp()) / FOLDER
    try:
        home = place / "home"
        home.mkdir(parents=True)
        clone = place / "clone"
        subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
        if user is not None:
            account = pwd.getpwnam(user)
            place.parent.chmod(0o755)
            for path in (place, *place.rglob("*")):
                os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {"HOME": str(home)}
        flags = " ".join(["-p no:cacheprovider", f"--randomly-seed={chosen.seed}", *chosen.flags])
        sys.stdout.write(f"as {user or 'yourself'}, in {clone}, order {chosen.seed}\n")
        sys.stdout.flush()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # which children inherit
        cores = sorted(os.sched_getaffinity(0))[:1]
        for step in (["setup", "setup-order"], ["test", f"PYTEST_FLAGS={flags}"]):
            command = ["make", f"PYTHON={chosen.python}", *step]
            done = subprocess.run(
                command,
                cwd=clone,
                env=environment,
                user=user,
                group=None if user is None else pwd.getpwnam(user).pw_gid,
                extra_groups=None if user is None else [],
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, cores),
                check=False,
            )
            if done.returncode:
                return done.returncode
    finally:
        shutil.rmtree(place.parent, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
