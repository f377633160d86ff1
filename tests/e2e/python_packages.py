#!/usr/bin/env python3
"""Installs what requirements.txt pins into a folder, once, and the .wasm files of what programs.txt pins beside it."""
import pathlib
import subprocess
import sys
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
PINNED = ["--require-hashes", "--no-deps"]


def packages(folder: pathlib.Path, list_file: pathlib.Path) -> None:
    subprocess.run([*PIP, "install", *PINNED, "--upgrade", "--target", folder, "--requirement", list_file], check=True)


def programs(folder: pathlib.Path, list_file: pathlib.Path) -> None:
    wheels = folder / "wheels"
    subprocess.run([*PIP, "download", *PINNED, "--dest", wheels, "--requirement", list_file], check=True)
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as content:
            for name in content.namelist():
                if name.endswith(".wasm"):
                    (folder / pathlib.PurePosixPath(name).name).write_bytes(content.read(name))
        wheel.unlink()


def main() -> int:
    root = pathlib.Path(sys.argv[1])
    for name, folder, install in (("requirements.txt", root, packages), ("programs.txt", root / "programs", programs)):
        wanted, stamp = HERE / name, folder / name
        if stamp.exists() and stamp.read_text() == wanted.read_text():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        try:
            install(folder, wanted)
        except subprocess.CalledProcessError as failed:
            return failed.returncode
        stamp.write_text(wanted.read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
