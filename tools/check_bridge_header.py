#!/usr/bin/env python3
"""Fails when bridge/include/cordon_bridge.h is not what cbindgen makes of bridge/abi."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from build_bridge import BRIDGE, cache_folder  # noqa: E402

if __name__ == "__main__":
    env = dict(os.environ, CARGO_TARGET_DIR=str(cache_folder() / "header-target"))
    command = [os.environ.get("CARGO", "cargo"), "run", "--quiet", "--locked", "-p", "cordon-header", "--", "--check"]
    sys.exit(subprocess.run(command, cwd=BRIDGE, env=env).returncode)
