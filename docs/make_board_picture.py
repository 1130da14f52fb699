"""Take the picture of the board that the README shows: a page made by `erc-bench leaderboard --format html`, in Chromium.

    python docs/make_board_picture.py leaderboard/leaderboard.html docs/board.png

It shows the first section of the page, in light colours.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def main() -> None:
    """Read the command line and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="the HTML file")
    parser.add_argument("picture", type=Path, help="the PNG file to write")
    parser.add_argument("--size", default="1280,1100", help="width and height of the window in CSS pixels")
    parser.add_argument("--scale", default="1.5", help="picture pixels a CSS pixel")
    arguments = parser.parse_args()
    browser = next((found for name in NAMES if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit(f"one of {', '.join(NAMES)} must be installed, got none")
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            *FLAGS,
            f"--user-data-dir={profile}",
            f"--window-size={arguments.size}",
            f"--force-device-scale-factor={arguments.scale}",
            f"--screenshot={arguments.picture.resolve()}",
            arguments.page.resolve(strict=True).as_uri(),
        ]
        subprocess.run(command, check=True, timeout=120, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
