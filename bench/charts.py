"""Charts of bench.json as SVG, readable on light and on dark, and its table in Markdown."""
import html
import math
import pathlib

WIDTH, LABEL, BAR, GAP, TOP = 860, 210, 18, 8, 44
STYLE = """<style>
text{font:13px system-ui,sans-serif;fill:#1f2328}.small{font-size:11px;fill:#59636e}
.title{font-size:15px;font-weight:600}
.cordon{fill:#2f6feb}.other{fill:#9aa4af}.miss{fill:#c93c37}.line{stroke:#59636e;stroke-dasharray:4 3}
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.line{stroke:#9198a1}}
</style>"""


def text(x: float, y: float, what: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{html.escape(what)}</text>'


def chart(title: str, bars: list, caption: list, scale, mark: float | None = None) -> str:
    """`bars`: (label, value, class, what to write behind). `scale`: a value's share of the width."""
    height = TOP + len(bars) * (BAR + GAP) + 18 * len(caption) + 24
    span = WIDTH - LABEL - 190
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
             f'aria-label="{html.escape(title)}">', STYLE, text(8, 22, title, "title")]
    for i, (label, value, kind, behind) in enumerate(bars):
        y = TOP + i * (BAR + GAP)
        length = max(1.0, min(1.0, scale(value)) * span)
        parts += [text(LABEL - 8, y + 14, label, anchor="end"),
                  f'<rect x="{LABEL}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" class="{kind}"/>',
                  text(LABEL + length + 6, y + 14, behind, "small")]
    bottom = TOP + len(bars) * (BAR + GAP)
    if mark is not None:
        x = LABEL + scale(mark) * span
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}" class="line"/>')
    parts += [text(8, bottom + 18 * (i + 1), line, "small") for i, line in enumerate(caption)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def amount(value: float, unit: str) -> str:
    if unit == "ns" and value >= 1e6:
        return f"{value / 1e6:.2f} ms"
    if unit == "ns" and value >= 1e4:
        return f"{value / 1e3:.1f} µs"
    return f"{value:.3g} {unit}".replace("us", "µs") if value < 1000 else f"{value:,.0f} {unit}".replace("us", "µs")


def caption_of(report: dict) -> list:
    machine, versions = report["machine"], report["versions"]
    busy = " (busy: trust no figure)" if machine["busy"] else ""
    return [f"{machine['cpu']}, {machine['cpus']} CPUs, Linux {machine['kernel']}, governor {machine['governor']}, "
            f"load {machine['load_before']:.1f} before and {machine['load_after']:.1f} after{busy}",
            "; ".join(f"{name} {version}" for name, version in versions.items())]


def against_bars(rows: list, caption: list) -> str:
    bars = []
    for row in rows:
        if row.get("bar"):
            share = max(0.0, row["held"]) / row["bar"]
            unit = "×" if row["judged"] == "upper95" else row["unit"].replace("us", "µs")
            bars.append((row["row"], share, "cordon" if row["pass"] else "miss",
                         f"{row['held']:,.2f} of {row['bar']:,.2f} {unit}"))
    return chart("What is held against each bar (the line; shorter is better)", bars, caption, lambda v: v / 1.6, 1.0)


def beside_peers(rows: list, caption: list) -> str:
    bars = []
    found = {row["row"]: row for row in rows}
    for call, ours, name in (("fresh", "fresh", "fresh call"), ("warm", "warm-add", "warm add"),
                             ("echo-1k", "echo-1k", "echo of 1 KiB"), ("echo-64k", "echo-64k", "echo of 64 KiB")):
        if ours in found:
            row = found[ours]
            bars.append((f"{name}: Cordon", row["cordon"], "cordon", amount(row["cordon"], "ns") + ", component"))
            bars.append(("raw Wasmtime", row["against"], "other", amount(row["against"], "ns") + ", component"))
        for peer, abi in (("extism", "its own ABI"), ("wazero", "core module"), ("node", "core module")):
            if f"{peer}-{call}" in found:
                value = found[f"{peer}-{call}"]["against"]
                bars.append((peer, value, "other", f"{amount(value, 'ns')}, {abi}"))
    return chart("Time of a call, logarithmic from 1 ns to 1 ms (shorter is better)", bars, caption,
                 lambda v: math.log10(max(v, 1)) / 6)


def loops(rows: list, caption: list) -> str:
    bars = [(row["row"], row["ratio"], "cordon" if row["row"].startswith("interrupt") else "other",
             f"{row['ratio']:.2f} × (at most {row['upper95']:.2f})")
            for row in rows if row["row"].startswith(("interrupt-", "native-"))]
    return chart("Loops in Cordon, as a multiple of uninterruptible Wasmtime and of native code", bars, caption,
                 lambda v: v / 6, 1.0)


def table(report: dict) -> str:
    lines = ["| row | Cordon | p99 | against | p99 | ratio | upper 95 % | bar | | peer |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    for row in report["rows"]:
        if "skipped" in row:
            lines.append(f"| {row['row']} | | | | | | | | skipped | {row['skipped']} |")
            continue
        unit = row["unit"]
        cells = [amount(row[name], unit) for name in ("cordon", "p99_cordon", "against", "p99_against")]
        bar = "stated" if row["bar"] is None else f"{row['held']:,.2f} ≤ {row['bar']:,.2f}"
        outcome = {None: "", True: "pass", False: "**miss**"}[row["pass"]]
        lines.append(f"| {row['row']} | {' | '.join(cells)} | {row['ratio']:.3f} | {row['upper95']:.3f} | {bar} | "
                     f"{outcome} | {row['peer']} |")
    return "\n".join(lines)


def write(report: dict, folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    caption = caption_of(report)
    measured = [row for row in report["rows"] if "skipped" not in row]
    for name, draw in (("bars", against_bars), ("peers", beside_peers), ("loops", loops)):
        (folder / f"{name}.svg").write_text(draw(measured, caption))


def write_docs(report: dict, folder: pathlib.Path) -> None:
    write(report, folder)
    (folder / "README.md").write_text("\n".join([
        "# Measured", "", "Written by `make bench-docs`; [bench/README.md](../../bench/README.md) says how rows are",
        "measured and what the bars are. Times are medians over rounds; only ratios of one run can be compared.", "",
        *[f"> {line}" + ("\\" if i == 0 else "") for i, line in enumerate(caption_of(report))], "",
        "![What is held against each bar](bars.svg)", "", "![Time of a call beside other engines](peers.svg)", "",
        "![Loops](loops.svg)", "", table(report), ""]))
