#!/usr/bin/env python3
"""Runs fuzz targets under libFuzzer, one after the other, and says how many inputs each has run.

  run_fuzz.py BUILD [TARGET...] [--seconds=N] [--seed=N] [--tier=commit|nightly] [--json=FILE]

BUILD is a build folder made with -Dfuzz=true. What kills a target is kept in BUILD/found; the line printed there
repeats it. New corpus goes to BUILD/corpus, never to the repository."""
import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import time

TARGETS = ["image", "lanes", "load", "ops"]
SECONDS = {"commit": 20, "nightly": 600}
# Of one input: 25 s of a busy machine and 1 GiB, so that "bounded time and memory" is a thing that can fail.
LIMITS = ["-timeout=25", "-rss_limit_mb=1024", "-malloc_limit_mb=512", "-max_len=65536"]
SOURCE = pathlib.Path(__file__).resolve().parent


def run(build, target, seconds, seed):
    corpus, found = build / "corpus" / target, build / "found"
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(exist_ok=True)
    command = [str(build / f"tests/fuzz/nacre_fuzz_{target}"), f"-max_total_time={seconds}", f"-seed={seed}",
               "-print_final_stats=1", f"-artifact_prefix={found}/{target}-", *LIMITS, str(corpus),
               str(SOURCE / "corpus" / target)]
    environment = dict(os.environ, UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1")
    start = time.monotonic()
    done = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True, errors="replace")
    took = time.monotonic() - start
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", done.stderr))
    count, rss = int(stats.get("number_of_executed_units", 0)), int(stats.get("peak_rss_mb", 0))
    features = re.findall(r"cov: (\d+) ft: (\d+)", done.stderr)
    edges = features[-1][0] if features else "?"
    broken = done.returncode != 0
    if broken:
        print(done.stderr[-8000:])
        kept = re.findall(r"Test unit written to (\S+)", done.stderr)
        for path in kept:
            print(f"again: {command[0]} {path}")
    print(f"{'not ok' if broken else 'ok'} - {target}: {count} inputs in {took:.0f} s, {edges} edges, {rss} MiB", flush=True)
    return {"figure": f"fuzz inputs, {target}", "count": count, "violations": int(broken), "cuts": 0,
            "model": "libFuzzer, AddressSanitizer, UBSan", "seconds": round(took, 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--seed", type=int, default=0, help="0: another one each time")
    parser.add_argument("--tier", choices=SECONDS, default="commit")
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    for target in options.targets:
        if target not in TARGETS:
            parser.error(f"no target {target}; there are {', '.join(TARGETS)}")
    seconds = options.seconds or SECONDS[options.tier]
    figures = [run(options.build.resolve(), t, seconds, options.seed) for t in options.targets or TARGETS]
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return int(any(f["violations"] for f in figures))


if __name__ == "__main__":
    sys.exit(main())
