#!/usr/bin/env python3
"""Runs every proof program, merges the figures they write, and prints them as a table.

    ./dev scorecard [--tier=commit|nightly] [--json=FILE] [--jobs=N] [--only=TEXT] [--build=FOLDER]
                    [--fuzz-build=FOLDER]

A proof takes --tier=T --json=FILE, writes an array of {"figure", "count", "violations", "cuts", "model", "seconds"} and
ends with 0 if nothing was violated. One that ends otherwise without figures is a failure, and so is a figure below its
floor, or one with cuts that may have none: a proof that shrank unnoticed proves nothing. One that says that it cannot
run here (77) is named below the table, and its floor is not asked for.

Proofs of one thread run side by side first, those that use all cores (--jobs) afterwards, one at a time.
"""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
CANNOT_RUN = 77  # as meson has it
FUZZ_TARGETS = ["image", "lanes", "load", "ops"]
FUZZ_SECONDS = {"commit": 60, "nightly": 900}

# Programs below tests/ of the build folder, the longest first.
ONE_THREAD = ["nacre_damage_test", "nacre_interleave_test", "machine/nacre_machine_test", "nacre_kill_test",
              "nacre_fault_sweep", "misuse/nacre_misuse_test"]
ALL_CORES = ["nacre_crash_test", "nacre_mutation_test"]

# The least that the commit tier has to reach: the proof, a pattern of the figure's name, and its count.
FLOORS = [
    ("nacre_crash_test", r"^all sequences of 2 operations", 2_000),
    ("nacre_crash_test", r"^crash states, checked without a twin", 2_000_000),
    ("nacre_mutation_test", r"^crash mutants killed", 80),
    ("nacre_mutation_test", r"^historic bugs", 8),
    ("nacre_interleave_test", r"^schedules of concurrent operations", 10_000),
    ("nacre_kill_test", r"^kill -9 at every event", 500),
    ("nacre_kill_test", r"^kill -9 at random", 500),
    ("nacre_damage_test", r"^damage: single-bit flips", 500_000),
    ("nacre_fault_sweep", r"^failed allocations", 500),
    ("nacre_fault_sweep", r"^failed system calls", 500),
    ("misuse/nacre_misuse_test", r"^API misuse cases", 300),
    ("machine/nacre_machine_test", r"^flushed ranges", 20_000),
    *((f"fuzz/{target}", rf"^fuzz inputs, {target}", 1_000) for target in FUZZ_TARGETS),
]
# What is exhaustive, or it is a failure.
UNCUT = r"^all sequences of 2 operations"


class Proof:
    """One program to run, or one target of the fuzzer."""

    def __init__(self, name, command, needs, all_cores=False):
        self.name, self.command, self.needs, self.all_cores = name, command, needs, all_cores
        self.can_run = True

    def run(self, folder):
        """The figures, and a remark if there is something to say."""
        if not self.needs.exists():
            return [], f"{self.name} is not built"
        out = folder / (self.name.replace("/", "-") + ".json")
        begin = time.monotonic()
        done = subprocess.run([*self.command, f"--json={out}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace")
        took = time.monotonic() - begin
        if done.returncode == CANNOT_RUN:
            self.can_run = False
            return [], f"{self.name} cannot run here: {done.stdout.strip()[-200:]}"
        try:
            figures = json.loads(out.read_text())
        except (OSError, ValueError):
            figures = None
        if done.returncode != 0:
            print(f"--- {self.name}\n{done.stdout[-4000:]}", file=sys.stderr)
        if figures is None:
            return [], f"{self.name} FAILED with {done.returncode} and without figures after {took:.0f} s"
        return ([{**figure, "program": self.name} for figure in figures],
                "" if done.returncode == 0 else f"{self.name} FAILED with {done.returncode}")


def proofs(a):
    tests = (a.build / "tests").resolve()
    tier = f"--tier={a.tier}"
    for name in ONE_THREAD:
        yield Proof(name, [tests / name, tier], tests / name)
    for target in FUZZ_TARGETS:
        yield Proof(f"fuzz/{target}", [sys.executable, SOURCE / "tests/fuzz/run_fuzz.py", a.fuzz_build, target,
                                       f"--seconds={FUZZ_SECONDS[a.tier]}"],
                    a.fuzz_build / f"tests/fuzz/nacre_fuzz_{target}")
    for name in ALL_CORES:
        yield Proof(name, [tests / name, tier, f"--jobs={a.jobs}"], tests / name, all_cores=True)


class Progress:
    """Which proofs are at work: one line that is written over on a terminal, nothing elsewhere."""

    def __init__(self, total):
        self.total, self.done, self.running = total, 0, []
        self.lock, self.shown = threading.Lock(), sys.stderr.isatty()

    def change(self, name, begins):
        with self.lock:
            if begins:
                self.running.append(name)
            else:
                self.running.remove(name)
                self.done += 1
            if self.shown:
                line = f"{self.done} of {self.total} done; {', '.join(self.running)}"
                end = "" if self.done < self.total else "\r\033[K"
                print(f"\r\033[K{line[:110]}", end=end, file=sys.stderr, flush=True)


def run_all(chosen, jobs):
    """Figures and remarks, in the order of `chosen`."""
    results, progress = {}, Progress(len(chosen))

    def one(proof, folder):
        progress.change(proof.name, begins=True)
        results[proof.name] = proof.run(folder)
        progress.change(proof.name, begins=False)

    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
            list(pool.map(lambda p: one(p, folder), [p for p in chosen if not p.all_cores]))
        for proof in chosen:
            if proof.all_cores:
                one(proof, folder)
    return ([figure for proof in chosen for figure in results[proof.name][0]],
            [results[proof.name][1] for proof in chosen if results[proof.name][1]])


def shortcomings(chosen, figures):
    """What is missing, in words."""
    asked = {proof.name for proof in chosen if proof.can_run}
    for name, pattern, least in FLOORS:
        counts = [f["count"] for f in figures if f["program"] == name and re.search(pattern, f["figure"])]
        if name in asked and max(counts, default=0) < least:
            yield f"{name}: '{pattern}' has {max(counts, default=0):,}, at least {least:,} are asked for"
    for f in figures:
        if re.search(UNCUT, f["figure"]) and f["cuts"] != 0:
            yield f"{f['program']}: '{f['figure']}', model {f['model']}, has {f['cuts']:,} cuts"


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
    parser.add_argument("--tier", choices=FUZZ_SECONDS, default="commit")
    parser.add_argument("--json", type=pathlib.Path, help="also write the figures there")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--fuzz-build", type=pathlib.Path, default=pathlib.Path("build-fuzz"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", help="only proofs whose name contains it")
    a = parser.parse_args()
    a.fuzz_build = a.fuzz_build.resolve()
    chosen = [proof for proof in proofs(a) if a.only in proof.name]
    begin = time.monotonic()
    figures, remarks = run_all(chosen, a.jobs)
    seconds = time.monotonic() - begin
    missing = list(shortcomings(chosen, figures)) if a.tier == "commit" else []
    failed = bool(missing) or not figures or any("FAILED" in r for r in remarks)
    failed |= any(f["violations"] for f in figures)
    table(figures)
    for remark in remarks + missing:
        print("*", remark)
    print(f"tier {a.tier}: {'FAILED' if failed else 'no violation'}, {seconds:.0f} s on {a.jobs} cores")
    if a.json:
        a.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
