#!/usr/bin/env python3
"""Installs what requirements.txt pins into a folder, once."""
import pathlib
import subprocess
import sys

REQUIREMENTS = pathlib.Path(__file__).resolve().parent / "requirements.txt"


def main() -> int:
    folder = pathlib.Path(sys.argv[1])
    stamp = folder / "requirements.txt"
    if stamp.exists() and stamp.read_text() == REQUIREMENTS.read_text():
        return 0
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes",
               "--no-deps", "--upgrade", "--target", folder, "--requirement", REQUIREMENTS]  # fmt: skip
    done = subprocess.run(command)
    if done.returncode == 0:
        stamp.write_text(REQUIREMENTS.read_text())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
