#!/usr/bin/env python3
"""Runs every proof program that was built, merges the figures they write, and prints them as a table.

    ./dev scorecard [--tier=commit|nightly] [--json=FILE] [--build=FOLDER] [--jobs=N] [--only=TEXT]

A proof program takes --tier=T --json=FILE, writes an array of
{"figure", "count", "violations", "cuts", "model", "seconds"} and ends with 0 if nothing was violated. One that was not
built is said to be absent; one that ends otherwise without figures is a failure.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

# name, takes --jobs
PROGRAMS = [
    ("nacre_crash_test", True),
    ("nacre_mutation_test", True),
    ("nacre_interleave_test", False),
    ("nacre_kill_test", False),
    ("nacre_damage_test", False),
    ("nacre_fault_test", False),
    ("nacre_misuse_test", False),
    ("nacre_fuzz_test", False),
]
UNKNOWN_ARGUMENT = 255  # a Catch2 program says so to --tier: it is a test, and no proof program


def figures_of(path):
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def run(program, arguments, folder):
    """The figures of one program and how it ended."""
    out = folder / (program.name + ".json")
    begin = time.monotonic()
    print(f"--- {program.name}", file=sys.stderr, flush=True)
    done = subprocess.run([program, *arguments, f"--json={out}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    figures = figures_of(out)
    if figures is None and done.returncode == UNKNOWN_ARGUMENT:
        return [], "is no proof program"
    if done.returncode != 0:
        print(done.stdout[-4000:], file=sys.stderr)
    if figures is None:
        return [], f"FAILED with {done.returncode} and without figures after {time.monotonic() - begin:.0f} s"
    for figure in figures:
        figure["program"] = program.name
    return figures, "" if done.returncode == 0 else f"FAILED with {done.returncode}"


def table(figures):
    head = ["figure", "count", "violations", "cuts", "model", "seconds", "program"]
    rows = [[f["figure"], f"{f['count']:,}", f"{f['violations']:,}", f"{f['cuts']:,}", str(f.get("model", "")),
             f"{f.get('seconds', 0):.0f}", f["program"]] for f in figures]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    numbers = {1, 2, 3, 5}
    for row in [head, ["-" * w for w in widths], *rows]:
        print("  ".join(c.rjust(w) if i in numbers else c.ljust(w)
                        for i, (c, w) in enumerate(zip(row, widths))).rstrip())


def main():
    parser = argparse.ArgumentParser(prog="./dev scorecard", description=__doc__.splitlines()[0])
    parser.add_argument("--tier", choices=["commit", "nightly"], default="commit")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="")
    a = parser.parse_args()
    figures, remarks, failed = [], [], False
    with tempfile.TemporaryDirectory() as folder:
        for name, takes_jobs in PROGRAMS:
            program = (a.build / "tests" / name).resolve()
            if a.only not in name:
                continue
            if not program.exists():
                remarks.append(f"{name} is not built")
                continue
            arguments = [f"--tier={a.tier}"] + ([f"--jobs={a.jobs}"] if takes_jobs else [])
            new, remark = run(program, arguments, pathlib.Path(folder))
            figures += new
            failed |= remark.startswith("FAILED")
            remarks += [f"{name} {remark}"] if remark else []
    failed |= any(f["violations"] != 0 for f in figures)
    table(figures)
    for remark in remarks:
        print("*", remark)
    if a.json:
        a.json.write_text(json.dumps({"tier": a.tier, "figures": figures, "remarks": remarks}, indent=1) + "\n")
    return 1 if failed or not figures else 0


if __name__ == "__main__":
    sys.exit(main())
