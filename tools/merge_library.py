#!/usr/bin/env python3
"""Makes libcordon.a: every room and the bridge in one object that shows the API and hides everything else.

    tools/merge_library.py --objects LIST --archive BRIDGE.a --symbols EXPORTS --script merge.ld --output libcordon.a

A plain archive of archives would offer a consumer's linker every symbol of Wasmtime, of Rust's library and of the
rooms; a second Rust library in the same program would then not link, or, worse, would. So what the API reaches of the
objects is linked together (`ld -r --gc-sections`), and what is not API becomes local.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

# Rust's code for link-time optimisation, and the commands that made it.
DROPPED_SECTIONS = (".llvmbc", ".llvmcmd", ".comment")


def merge(args: argparse.Namespace, folder: pathlib.Path) -> pathlib.Path:
    symbols = [line.split()[0] for line in args.symbols.read_text().splitlines()]
    roots = folder / "roots"
    roots.write_text("".join(f"--undefined={symbol}\n" for symbol in symbols))
    keep = folder / "keep"
    keep.write_text("".join(f"{symbol}\n" for symbol in symbols))
    whole, merged = folder / "whole.o", folder / "cordon.o"
    # Groups are resolved here: a group whose symbols have become local must not be merged with a consumer's.
    subprocess.run([args.ld, "-r", "--gc-sections", "--force-group-allocation", "-T", args.script, f"@{roots}",
                    "-o", whole, f"@{args.objects}", *args.archive], check=True)
    subprocess.run([args.objcopy, "--strip-debug", "--strip-unneeded", f"--keep-global-symbols={keep}",
                    *(f"--remove-section={name}" for name in DROPPED_SECTIONS), whole, merged], check=True)
    return merged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=pathlib.Path, required=True)
    parser.add_argument("--archive", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--symbols", type=pathlib.Path, required=True)
    parser.add_argument("--script", type=pathlib.Path, required=True)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--ld", default="ld")
    parser.add_argument("--objcopy", default="objcopy")
    parser.add_argument("--ar", default="ar")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.output.parent) as folder:
        merged = merge(args, pathlib.Path(folder))
        args.output.unlink(missing_ok=True)
        # D: no dates and owners, so that equal inputs give equal archives.
        subprocess.run([args.ar, "rcsD", args.output, merged], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
