#!/usr/bin/env python3
"""style.py layers ROOT | style.py headers ROOT COMPILER...: the layer rule; each header compiled alone."""
import pathlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

# A folder may include from itself and from what is left of it; the last three see everything but each other. One
# exception: the fuzz targets feed the parsers of the tool.
ORDER = ["pmem", "alloc", "engine", "bindings"]
TOP = ["tools", "bench", "tests"]


def sources(root, suffixes):
    return sorted(p for top in ORDER + TOP for p in (root / top).rglob("*") if p.suffix in suffixes)


def layers(root):
    allowed = {name: ORDER[:i + 1] for i, name in enumerate(ORDER)}
    allowed.update({name: ORDER + [name] for name in TOP})
    for path in sources(root, {".h", ".hpp", ".cpp"}):
        own = path.relative_to(root).parts[0]
        seen = allowed[own] + (["tools"] if path.is_relative_to(root / "tests/fuzz") else [])
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            target = re.match(r'\s*#\s*include\s+"([^/"]+)/', line)
            if target and target[1] in ORDER + TOP and target[1] not in seen:
                yield f"{path.relative_to(root)}:{number}: {own}/ must not know {target[1]}/"


def headers(root, compiler):
    def alone(path):
        language = ["-x", "c++", "-std=c++20"]
        command = compiler + language + ["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", f"-I{root}",
                                         f"-I{root}/bindings/include", "-include", str(path), "/dev/null"]
        run = subprocess.run(command, capture_output=True, text=True)
        return [f"{path.relative_to(root)} does not compile alone:\n{run.stderr}"] if run.returncode else []

    # A header of one CPU is part of another header and means nothing alone.
    paths = [p for p in sources(root, {".h", ".hpp"}) if not p.name.endswith("_inline.h")]
    with ThreadPoolExecutor(2) as pool:
        for findings in pool.map(alone, paths):
            yield from findings


def main():
    root = pathlib.Path(sys.argv[2])
    findings = list(layers(root) if sys.argv[1] == "layers" else headers(root, sys.argv[3:]))
    print("\n".join(findings) or f"{sys.argv[1]}: ok")
    sys.exit(1 if findings else 0)


main()
