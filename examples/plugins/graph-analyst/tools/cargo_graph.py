#!/usr/bin/env python3
"""Turns a Cargo.lock into the input of graph-analyst: {"nodes": [{"id", "node-type", "metadata": [[key, value]]}]}.

    cargo_graph.py Cargo.lock > graph.json
"""
import json
import pathlib
import sys
import tomllib


def resolve(dependency: str, versions: dict[str, list[str]]) -> str:
    """Cargo writes "name" when one version is locked, else "name version", else with the source in parentheses."""
    words = dependency.split(" ")
    if len(words) == 1 and len(versions.get(words[0], [])) == 1:
        return f"{words[0]} {versions[words[0]][0]}"
    return " ".join(words[:2])


def graph(text: str) -> dict:
    packages = tomllib.loads(text).get("package", [])
    versions: dict[str, list[str]] = {}
    for package in packages:
        versions.setdefault(package["name"], []).append(package["version"])
    nodes = []
    for package in packages:
        edges = [["dep", resolve(dependency, versions)] for dependency in package.get("dependencies", [])]
        nodes.append(
            {
                "id": f"{package['name']} {package['version']}",
                "node-type": "registry-crate" if "source" in package else "workspace-crate",
                "metadata": edges,
            }
        )
    return {"nodes": nodes}


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    json.dump(graph(pathlib.Path(sys.argv[1]).read_text()), sys.stdout)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
