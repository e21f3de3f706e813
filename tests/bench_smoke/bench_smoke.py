#!/usr/bin/env python3
"""Runs nacre_bench with few keys and checks what does not depend on the machine's mood: exit status, found
counts, the fields of the JSON file, fences an operation. Never a time.

usage: bench_smoke.py PATH_OF_NACRE_BENCH        prints TAP
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

FILLS = ["fillseq", "fillrandom"]
READS = ["readseq", "readrandom", "readmissing", "readhot"]
DELETES = ["deleteseq", "deleterandom"]
# Reads after a delete and after readwhilewriting: the untimed refill and keys of either variant.
ALL = FILLS + ["overwrite"] + READS + DELETES + ["readrandom", "readwhilewriting", "readseq", "overwrite", "open"]
ENGINES = ["hash", "dram", "tbb"]
TEXT_FIELDS = ["benchmark", "engine", "medium", "commit_form"]
NUMBER_FIELDS = ["threads", "num", "key_size", "value_size", "seed", "ops", "seconds", "ops_per_sec",
                 "micros_per_op", "cpu_us_per_op", "p50_us", "p99_us", "p999_us", "max_us", "fences_per_op",
                 "lines_per_op", "bytes_per_op", "found"]

# A strict put is two fences; what remains is splits, lane turns and retire advances, a few in a thousand puts.
MOST_FENCES_STRICT_PUT = 2.02
FENCE_KEYS = 20000


class Failure(Exception):
    pass


def require(condition, text):
    if not condition:
        raise Failure(text)


class Smoke:
    def __init__(self, bench, folder):
        self.bench = bench
        self.folder = pathlib.Path(folder)
        self.scratch = self.folder / "tmp"
        self.scratch.mkdir()
        self.medium = "dax"

    def run(self, *options, wanted_exit=0):
        """Runs nacre_bench; returns its results, stdout and stderr."""
        out = self.folder / "out.json"
        out.unlink(missing_ok=True)
        env = dict(os.environ, TMPDIR=str(self.scratch), NACRE_MEDIUM=self.medium)
        done = subprocess.run([self.bench, f"--json={out}", *options], env=env, capture_output=True, text=True,
                              timeout=300)
        require(done.returncode == wanted_exit,
                f"{' '.join(options)}: exit {done.returncode}, not {wanted_exit}: {done.stderr.strip()}")
        results = json.loads(out.read_text()) if out.exists() else None
        return results, done.stdout, done.stderr

    def find_medium(self):
        """dax where this CPU can write lines back, else memory."""
        try:
            self.run("--benchmarks=fillseq", "--num=10", "--medium=dax")
        except Failure as failure:
            if "not_supported" not in str(failure):
                raise
            self.medium = "memory"


def check_result(result, num, threads):
    name = f"{result.get('engine')} {result.get('benchmark')}"
    for field in TEXT_FIELDS:
        require(isinstance(result.get(field), str) and result[field], f"{name}: no text {field}")
    for field in NUMBER_FIELDS:
        value = result.get(field)
        require(isinstance(value, (int, float)) and not isinstance(value, bool), f"{name}: no number {field}")
        require(value >= 0, f"{name}: {field} is {value}")
    benchmark = result["benchmark"]
    require(result["num"] == num, f"{name}: num {result['num']}")
    ops = {"open": 2, "readseq": num * threads}.get(benchmark, num)
    require(result["ops"] == ops, f"{name}: {result['ops']} operations, not {ops}")
    found = 0 if benchmark == "readmissing" else ops
    require(result["found"] == found, f"{name}: found {result['found']}, not {found}")
    team = {"open": 1, "readwhilewriting": max(1, threads - 1)}.get(benchmark, threads)
    require(result["threads"] == team, f"{name}: {result['threads']} threads, not {team}")
    require(result["p50_us"] <= result["p99_us"] <= result["p999_us"] <= result["max_us"],
            f"{name}: percentiles out of order")
    if benchmark == "readwhilewriting":
        require(result["writer_ops"] > 0, f"{name}: the writer did not write")
    if benchmark in READS + ["readwhilewriting"] or result["engine"] in ("tbb", "dram"):
        for field in ("fences_per_op", "lines_per_op", "bytes_per_op"):
            require(benchmark == "open" or result[field] == 0, f"{name}: {field} is {result[field]}, not 0")


def all_benchmarks(smoke, engine, threads):
    num = 1500
    results, stdout, _ = smoke.run(f"--benchmarks={','.join(ALL)}", f"--engine={engine}", f"--num={num}",
                                   f"--threads={threads}", "--opens=2")
    keeps = engine == "hash" and smoke.medium != "memory"
    wanted = ALL if keeps else [b for b in ALL if b != "open"]
    require([r["benchmark"] for r in results] == wanted, f"ran {[r['benchmark'] for r in results]}")
    require(keeps or "skipped" in stdout, "open was not reported as skipped")
    for result in results:
        require(result["engine"] == engine, f"engine {result['engine']}")
        check_result(result, num, threads)
        require(f"{result['benchmark']:<12} : " in stdout, f"no line for {result['benchmark']}")


def fences_of_puts(smoke):
    results, _, _ = smoke.run("--benchmarks=fillseq,fillrandom,overwrite,readrandom,readmissing,readseq",
                              f"--num={FENCE_KEYS}", "--commit_form=strict")
    for result in results:
        name, fences = result["benchmark"], result["fences_per_op"]
        print(f"# {name}: {fences} fences, {result['lines_per_op']} lines, {result['bytes_per_op']} bytes an op")
        if name.startswith("read"):
            require(fences == 0 and result["lines_per_op"] == 0, f"{name}: {fences} fences an operation")
        else:
            require(0.99 <= fences <= MOST_FENCES_STRICT_PUT,
                    f"{name}: {fences} fences an operation, not one to {MOST_FENCES_STRICT_PUT}")
            require(result["medium"] == "dax", f"{name} ran on {result['medium']}")


def sizes(smoke):
    for key_size, value_size, num in ((4, 0, 100), (8, 1, 1000), (64, 5000, 200)):
        smoke.run("--benchmarks=fillrandom,overwrite,readseq,readrandom,readmissing,deleterandom",
                  f"--key_size={key_size}", f"--value_size={value_size}", f"--num={num}")


def existing_db(smoke):
    db = smoke.folder / "kept.nacre"
    smoke.run(f"--db={db}", "--benchmarks=fillrandom,overwrite", "--num=1000")
    require(db.exists(), "the pool at --db was removed")
    results, _, _ = smoke.run(f"--db={db}", "--use_existing_db", "--num=1000", "--threads=2",
                              "--benchmarks=readrandom,readseq,readmissing,deleterandom,readrandom")
    require([r["found"] for r in results] == [1000, 2000, 0, 1000, 1000], "the pool does not hold what was put")
    _, _, stderr = smoke.run(f"--db={db}", "--use_existing_db", "--num=999", "--benchmarks=readrandom",
                             wanted_exit=1)
    require("1000" in stderr and "999" in stderr, f"the message does not name both counts: {stderr}")
    smoke.run(f"--db={db}", "--use_existing_db", "--benchmarks=fillseq", wanted_exit=2)
    db.unlink()


def foreign_file(smoke):
    victim = smoke.folder / "letter.txt"
    victim.write_text("not a pool\n" * 1000)
    smoke.run(f"--db={victim}", "--benchmarks=fillseq", "--num=10", wanted_exit=1)
    require(victim.read_text() == "not a pool\n" * 1000, "a file that is no pool was replaced")


def comparison(smoke):
    results, stdout, _ = smoke.run("--compare=tbb", "--rounds=2", "--num=500", "--benchmarks=fillrandom,readrandom")
    order = [(r["round"], r["engine"], r["benchmark"]) for r in results]
    wanted = [(r, e, b) for r in (0, 1) for e in ("hash", "tbb") for b in ("fillrandom", "readrandom")]
    require(order == wanted, f"ran {order}")
    require("ratio" in stdout, "no ratios were printed")


def usage_errors(smoke):
    for option, nearest in (("--thread=2", "--threads"), ("--benchmarks=readrandon", "readrandom"),
                            ("--engine=hahs", "hash"), ("--medium=dacks", "dax")):
        _, _, stderr = smoke.run(option, wanted_exit=2)
        require(nearest in stderr, f"{option}: the message does not name {nearest}: {stderr}")
    for option in ("num=5", "--num", "--num=abc", "--num=0", "--key_size=2", "--compare=hash", "--use_existing_db"):
        smoke.run(option, wanted_exit=2)
    _, stdout, _ = smoke.run("--help")
    require("--benchmarks=" in stdout and "--commit_form=" in stdout, "--help does not list the options")


def nothing_left(smoke):
    left = [p.name for p in smoke.scratch.iterdir()]
    require(not left, f"left behind: {left}")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    parent = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="nacre_bench_smoke-", dir=parent) as folder:
        smoke = Smoke(sys.argv[1], folder)
        cases = [("the medium can be had", smoke.find_medium, None)]
        for engine in ENGINES:
            for threads in (1, 3):
                cases.append((f"every benchmark, engine {engine}, {threads} threads",
                              lambda e=engine, t=threads: all_benchmarks(smoke, e, t), None))
        on_dax = lambda: None if smoke.medium == "dax" else "no dax on this CPU"
        cases += [
            (f"a strict put costs at most {MOST_FENCES_STRICT_PUT} fences, a read none",
             lambda: fences_of_puts(smoke), on_dax),
            ("keys of 4 to 64 bytes, values of 0 to 5000 bytes", lambda: sizes(smoke), None),
            ("--use_existing_db finds what an earlier run put", lambda: existing_db(smoke), on_dax),
            ("a file that is no pool is not replaced", lambda: foreign_file(smoke), on_dax),
            ("--compare runs A B A B", lambda: comparison(smoke), None),
            ("a wrong command line is refused with the nearest match", lambda: usage_errors(smoke), None),
            ("no scratch pool stays behind", lambda: nothing_left(smoke), None),
        ]
        print(f"1..{len(cases)}", flush=True)
        failed = 0
        for number, (name, case, skip) in enumerate(cases, 1):
            reason = skip() if skip else None
            if reason:
                print(f"ok {number} - {name} # SKIP {reason}", flush=True)
                continue
            try:
                case()
                print(f"ok {number} - {name}", flush=True)
            except (Failure, subprocess.TimeoutExpired, json.JSONDecodeError, KeyError) as failure:
                failed += 1
                print(f"not ok {number} - {name}\n# {failure!r}", flush=True)
        sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
