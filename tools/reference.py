#!/usr/bin/env python3
"""Writes docs/reference/api.md from the public headers: what is declared, with its comments.

    tools/reference.py            writes it
    tools/reference.py --check    fails when it is not what the headers say
"""
import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADERS = ROOT / "include" / "cordon"
PAGE = ROOT / "docs" / "reference" / "api.md"
# In the order in which a reader meets them.
ORDER = ["host", "plugin", "deployment", "call", "function", "value", "service", "async", "authority", "audit", "error",
         "result", "version"]
SKIPPED = re.compile(r"^(#|namespace |}  // namespace|static_assert|extern )")


def comment_text(lines: list[str]) -> str:
    """A comment as Markdown: what is indented by three or more is code."""
    out, code = [], False
    for line in (re.sub(r"^\s*// ?", "", line) for line in lines):
        is_code = line.startswith("  ")
        if is_code != code:
            out += ([""] if out and out[-1] else []) + ["```cpp"] if is_code else ["```", ""]
            code = is_code
        out.append(line[2:] if is_code else line)
    if code:
        out.append("```")
    return "\n".join(out)


def public_part(text: str) -> str:
    """A class without its private part, and without what befriends it."""
    lines, hidden = [], False
    for line in text.splitlines():
        if re.match(r"^ (private|protected):", line):
            hidden = True
        elif re.match(r"^ public:", line):
            hidden = False
        elif re.match(r"^}", line):
            hidden = False
        if not hidden and not re.match(r"^\s*friend ", line):
            lines.append(line)
    while len(lines) > 1 and not lines[-2].strip():
        del lines[-2]
    return "\n".join(lines)


def without_detail(text: str) -> str:
    return re.sub(r"^namespace detail \{.*?^\}  // namespace detail\n", "", text, flags=re.M | re.S)


def entities(text: str):
    """(comment, declaration) of each declaration at the top, in order."""
    lines = without_detail(text).splitlines()
    comment: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("//"):
            comment.append(line)
            at += 1
            continue
        macro = re.match(r"^#define (CORDON_[A-Z]+[A-Z_]*[A-Z])(\([^)]*\))? ", line)
        if macro and macro.group(2) is not None and macro.group(1) != "CORDON_CONCAT":
            yield comment, f"{macro.group(1)}{macro.group(2)}"
        if not line.strip() or SKIPPED.match(line):
            while line.endswith("\\"):
                at += 1
                line = lines[at]
            comment = []
            at += 1
            continue
        start, depth = at, 0
        while at < len(lines):
            depth += lines[at].count("{") - lines[at].count("}")
            ended = depth == 0 and lines[at].rstrip().endswith((";", "}"))
            trailing = re.sub(r"\s*//.*$", "", lines[at]).rstrip()
            ended = ended or (depth == 0 and trailing.endswith((";", "}")))
            at += 1
            if ended:
                break
        declaration = "\n".join(lines[start:at])
        forward = re.match(r"^(template <[^\n]*>\n)?(class|struct) [\w:]+;", declaration)
        if not forward:
            yield comment, declaration
        comment = []


def name_of(declaration: str) -> str:
    plain = re.sub(r"^template <[^\n]*>\s*", "", declaration)
    plain = re.sub(r"^\s*requires [^\n]*\n", "", plain)
    for pattern in (r"^(?:class|struct|enum class|concept)\s+(?:\[\[\w+\]\]\s+)?(?:cordon::)?(\w+(?:<[^{;\n]*?>)?)",
                    r"^using (\w+)", r"^(CORDON_\w+)", r"(\w+)\s*\(", r"(\w+)\s*="):
        found = re.search(pattern, plain)
        if found:
            return found.group(1)
    return plain.split("\n")[0]


def shortened(declaration: str) -> str:
    """Inline bodies of functions at the top are left out."""
    if re.match(r"^(template <[^\n]*>\n)?(\s*requires[^\n]*\n)?(class|struct|enum)", declaration):
        return public_part(declaration)
    body = declaration.find(" {\n")
    return declaration if body < 0 else declaration[:body] + ";"


def page() -> str:
    names = sorted(ORDER + [p.stem for p in HEADERS.glob("*.h") if p.stem not in ORDER],
                   key=lambda n: (ORDER.index(n) if n in ORDER else len(ORDER), n))
    out = ["# The C++ API", "",
           "Made from the headers by `tools/reference.py`; each header compiles by itself. All of it is in the "
           "namespace `cordon`.", "",
           "Start with [the tutorial](../guide/embed.md).", ""]
    for name in names:
        text = (HEADERS / f"{name}.h").read_text()
        head, rest = re.match(r"((?://[^\n]*\n)*)(.*)", text, re.S).groups()
        out += [f"## cordon/{name}.h", "", comment_text(head.splitlines()), ""]
        for comment, declaration in entities(rest):
            if "WitType<" in declaration.split("{")[0] or name_of(declaration).endswith("_"):
                continue  # the table at the head of value.h has them
            out += [f"### {name_of(declaration)}", ""]
            if comment:
                out += [comment_text(comment), ""]
            out += ["```cpp", shortened(declaration), "```", ""]
    return "\n".join(out).rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    made = page()
    if not parser.parse_args().check:
        PAGE.write_text(made)
        return 0
    if PAGE.exists() and PAGE.read_text() == made:
        return 0
    print(f"{PAGE.relative_to(ROOT)} is not what the headers say; run: tools/reference.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
