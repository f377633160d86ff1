#!/usr/bin/env python3
"""Runs the bad actors of this folder through `cordon run`, and checks all parts of what must happen.

    attacks_test.py --cordon build/bin/cordon --guests build/guests [--attack N]

The stable code, the exit code that goes with it, one JSON document and nothing else on stdout, no control character on
either stream, an audit log that grew, and never a signal.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field

HANG_SECONDS = 120  # a guard; how promptly calls end is measured by the bench
EXIT = {
    "E_LINK": 3, "E_DENIED": 3, "E_TIMEOUT": 5, "E_MEMORY": 5, "E_STACK_OVERFLOW": 5, "E_LIFT_LIMIT": 5,
    "E_TABLE_FULL": 5, "E_INSTANCES": 5,
}  # fmt: skip


@dataclass
class Case:
    attack: int
    guest: str
    action: str
    codes: tuple  # those that are right; empty when the call must end well
    given: dict = field(default_factory=dict)
    flags: tuple = ()
    output: object = None  # when it ends well: what it answers
    names: tuple = ()  # what the error's causes must name, each
    audited: bool = True  # binaries that do not even validate ask for no authority


QUICK = ("--timeout", "500ms")
ROOMY = ("--timeout", "500ms", "--memory", "80MiB")
POINTERS = """string-out-of-range string-at-the-end string-length-max string-wraps area-outside area-misaligned
    list-misaligned""".split()
LIFTS = """variant variant-max enum enum-max char-surrogate char-max option count-beyond-memory list-of-units
    list-of-bytes strings-many-times-the-same bytes-many-times-the-same string-of-zeros""".split()
BYTES = {"text": "abc"}

CASES = [
    Case(1, "a01_sockets", "run", ("E_LINK",), names=("wasi:sockets/network", "wasi:sockets/instance-network")),
    Case(1, "a01_http", "run", ("E_LINK",), names=("wasi:http/types", "wasi:http/outgoing-handler")),
    Case(1, "a01_host", "run", ("E_LINK",), names=("acme:vault/secrets",)),
    Case(1, "a01_many", "run", ("E_LINK",),
         names=("wasi:keyvalue/store", "wasi:sockets/ip-name-lookup", "acme:shell/exec", "ask")),
    Case(1, "a01_mistyped", "run", ("E_LINK",), names=("wasi:random/random",)),
    Case(1, "a01_witness", "run", ("E_LINK",), names=("cordon:test/witness", "acme:shell/exec")),
    Case(1, "a01_system", "run", ("E_LINK",), names=("system",)),
    Case(1, "a01_core_mistyped", "run", ("E_LINK",), names=("fd_write",)),
    Case(2, "a02_start_loop", "run", ("E_TIMEOUT",), flags=QUICK),
    Case(2, "a02_component_start_loop", "run", ("E_TIMEOUT",), flags=QUICK),
    *[Case(3, guest, action, ("E_TIMEOUT",), flags=ROOMY)
      for guest in ("a03_spin", "a03_core_spin") for action in ("spin", "fill", "copy")],
    *[Case(4, "a04_recurse", action, ("E_STACK_OVERFLOW",)) for action in ("direct", "through-host", "in-post-return")],
    Case(4, "a04_recurse", "in-realloc", ("E_STACK_OVERFLOW",), BYTES),
    Case(4, "a04_recurse", "ok", (), output=42),
    *[Case(4, "a04_core_recurse", action, ("E_STACK_OVERFLOW",)) for action in ("direct", "mutual", "through-host")],
    *[Case(5, "a05_component_pointers", action, ("E_BAD_POINTER",)) for action in POINTERS],
    Case(5, "a05_component_pointers", "lower-outside", ("E_BAD_POINTER",), BYTES),
    Case(5, "a05_component_pointers", "lower-misaligned", ("E_BAD_POINTER",), {"numbers": [1]}),
    *[Case(5, "a05_pointers", action, ("E_BAD_POINTER",))
      for action in ("iovs-out-of-range", "iovs-wrap", "buffer-out-of-range", "buffer-wraps", "result-out-of-range")],
    Case(6, "a06_component_strings", "not-utf8", ("E_BAD_STRING",)),
    Case(6, "a06_component_strings", "surrogate", ("E_BAD_STRING",)),
    Case(6, "a06_component_strings", "utf16-surrogate", ("E_BAD_STRING", "E_TRAP")),
    Case(6, "a06_component_strings", "nul", (), output="one\0two"),
    *[Case(7, "a07_lift", action, ("E_LIFT_LIMIT",), flags=ROOMY) for action in LIFTS],
    Case(8, "a08_handles", "many", ("E_TABLE_FULL",), {"count": 1_000_000}),
    Case(8, "a08_handles", "churn", (), {"count": 1_000_000}, output=1_000_000),
    *[Case(8, "a08_handles", action, ("E_HANDLE",))
      for action in ("double-drop", "use-after-drop", "another-instance")],
    Case(8, "a08_handles", "invented", ("E_HANDLE",), {"number": 5}),
    Case(8, "a08_wasi_handles", "many", ("E_TABLE_FULL",), {"count": 1_000_000}),
    *[Case(8, "a08_wasi_handles", action, ("E_HANDLE",)) for action in ("double-drop", "use-after-drop", "wrong-type")],
    Case(9, "a09_leak", "scan", (), output=0),
    Case(16, "a16_memories", "grow", ("E_INSTANCES", "E_COMPILE_LIMIT")),
    Case(16, "a16_multi_memory", "grow", ("E_COMPILE", "E_INSTANCES")),
    Case(16, "a16_few", "grow", (), flags=("--memory", "16MiB"), output=240),
    Case(16, "a16_tables", "at-once", (), output=-1),
    Case(16, "a16_tables", "until-trap", ("E_MEMORY",)),
    Case(16, "a16_extern_table", "at-once", ("E_COMPILE", "E_MEMORY")),
    Case(16, "a16_huge_table", "run", ("E_MEMORY",)),
    Case(16, "a16_huge_memory", "run", ("E_MEMORY",)),
    Case(16, "a16_memory64", "run", ("E_COMPILE", "E_MEMORY")),
    Case(16, "a16_core_grow", "at-once", (), output=-1),
    Case(17, "a17_random", "once", ("E_TRAP", "E_LIMIT", "E_LIFT_LIMIT"), {"length": "9223372036854775808"}, ROOMY),
    Case(17, "a17_random", "many", ("E_TRAP", "E_LIMIT", "E_LIFT_LIMIT"), {"length": 67108864, "times": 1000}, ROOMY),
    Case(18, "files", "many-pollables", ("E_TABLE_FULL",), {"count": 1_000_000}),
    Case(19, "a19_flood", "flood", (), {"p0": 1, "p1": 1024}, output=0),
    Case(20, "a20_sleep", "sleep", ("E_TIMEOUT",), {"nanoseconds": "9223372036854775807"}, QUICK),
    Case(20, "a20_sleep", "poll-many", ("E_TIMEOUT",), {"count": 200}, QUICK),
    Case(20, "a20_sleep", "poll-nothing", ("E_TRAP",), flags=QUICK),
    Case(155, "a155_result", "text", ()),
    Case(155, "a155_escapes", "trap", ("E_TRAP",)),
    Case(156, "a156_import_name", "run", ("E_LINK",)),
]


def causes(error: dict):
    yield error
    for cause in error.get("causes", []):
        yield from causes(cause)


class Runner:
    def __init__(self, cordon: pathlib.Path, guests: pathlib.Path, home: pathlib.Path):
        self.cordon = cordon
        self.guests = guests
        self.home = home
        self.audit = home / ".local" / "state" / "cordon" / "audit.jsonl"
        self.environment = {"PATH": os.environ.get("PATH", ""), "HOME": str(home), "LANG": "C.UTF-8"}
        # Where the guests run: the same must come of it.
        self.environment |= {name: value for name, value in os.environ.items() if name.startswith("CORDON_PLUGINS_")}

    def check(self, case: Case) -> list:
        """What was wrong; empty when all was as it must be."""
        audited = self.audit_lines()
        command = [self.cordon, "run", self.guests / f"{case.guest}.wasm", case.action,
                   "--input", json.dumps(case.given), *case.flags, "--json"]  # fmt: skip
        done = subprocess.run([str(word) for word in command], env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=HANG_SECONDS)  # fmt: skip
        if done.returncode < 0:
            return [f"died of signal {-done.returncode}"]
        wrong = [f"raw control character on {name}" for name, text in (("stdout", done.stdout), ("stderr", done.stderr))
                 if any(byte < 0x20 and byte != 0x0A or byte == 0x7F for byte in text)]  # fmt: skip
        if case.audited and self.audit_lines() <= audited:
            wrong.append("nothing was audited")
        try:
            document = json.loads(done.stdout)
        except ValueError:
            return [*wrong, f"no JSON on stdout (exit {done.returncode}): {done.stdout[:200]!r} {done.stderr[:300]!r}"]
        return wrong + (self.failed(case, document, done.returncode) if case.codes else self.answered(case, document))

    @staticmethod
    def answered(case: Case, document: dict) -> list:
        if not document.get("ok"):
            return [f"failed: {document.get('error')}"]
        if case.output is not None and document.get("output") != case.output:
            return [f"answered {document.get('output')!r} instead of {case.output!r}"]
        return []

    @staticmethod
    def failed(case: Case, document: dict, status: int) -> list:
        error = document.get("error") or {}
        code = error.get("code")
        if code not in case.codes:
            said = error.get("message", document.get("output"))
            return [f"{code or 'ok'} instead of {' or '.join(case.codes)}: {said}"]
        wrong = []
        if status != EXIT.get(code, status):
            wrong.append(f"{code} with exit code {status} instead of {EXIT[code]}")
        named = [cause.get("details", {}).get("import", "") for cause in causes(error)]
        wrong += [f"no cause names {name}: {named}" for name in case.names if not any(name in one for one in named)]
        return wrong

    def audit_lines(self) -> int:
        return len(self.audit.read_bytes().splitlines()) if self.audit.exists() else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cordon", required=True, type=pathlib.Path)
    parser.add_argument("--guests", required=True, type=pathlib.Path)
    parser.add_argument("--attack", type=int, action="append", default=[])
    args = parser.parse_args()
    cases = [case for case in CASES if not args.attack or case.attack in args.attack]
    bad = 0
    with tempfile.TemporaryDirectory(prefix="cordon-attacks-") as home:
        runner = Runner(args.cordon.resolve(), args.guests.resolve(), pathlib.Path(home))
        for case in cases:
            started = time.monotonic()
            wrong = runner.check(case)
            bad += bool(wrong)
            print(f"{'FAIL' if wrong else 'ok  '} {case.attack:>3} {case.guest} {case.action} "
                  f"({time.monotonic() - started:.1f} s)")  # fmt: skip
            for line in wrong:
                print(f"       {line}")
    print(f"{len(cases) - bad} of {len(cases)} as they must be")
    return 1 if bad or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
