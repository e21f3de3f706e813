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
from xml.etree import ElementTree

FILLS = ["fillseq", "fillrandom"]
READS = ["readseq", "readrandom", "readmissing", "readhot"]
DELETES = ["deleteseq", "deleterandom"]
# Reads after a delete and after readwhilewriting: the untimed refill and keys of either variant.
ALL = FILLS + ["overwrite"] + READS + DELETES + ["readrandom", "readwhilewriting", "readseq", "overwrite", "open"]
ENGINES = ["hash", "dram", "tbb", "tbb_view"]
TEXT_FIELDS = ["benchmark", "engine", "medium", "commit_form"]
NUMBER_FIELDS = ["threads", "num", "key_size", "value_size", "seed", "ops", "seconds", "ops_per_sec",
                 "micros_per_op", "cpu_us_per_op", "p50_us", "p99_us", "p999_us", "max_us", "fences_per_op",
                 "lines_per_op", "bytes_per_op", "found", "out_of_space"]

# The first gets and puts of a fresh process in the benchmark open; each writer puts twice as much before its kill.
FIRST_OPS = 1000
PATTERNS = ["small to large", "large to small", "drift", "bimodal", "churn"]
MIB = 1 << 20
ROUNDS = 2

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
    ops = {"open": 2 * ROUNDS, "readseq": num * threads}.get(benchmark, num)
    require(result["ops"] == ops, f"{name}: {result['ops']} operations, not {ops}")
    found = 0 if benchmark == "readmissing" else ops
    require(result["found"] == found, f"{name}: found {result['found']}, not {found}")
    team = {"open": 1, "readwhilewriting": max(1, threads - 1)}.get(benchmark, threads)
    require(result["threads"] == team, f"{name}: {result['threads']} threads, not {team}")
    require(result["p50_us"] <= result["p99_us"] <= result["p999_us"] <= result["max_us"],
            f"{name}: percentiles out of order")
    if benchmark == "readwhilewriting":
        require(result["writer_ops"] > 0, f"{name}: the writer did not write")
    if benchmark in READS + ["readwhilewriting"] or result["engine"] in ("tbb", "tbb_view", "dram"):
        for field in ("fences_per_op", "lines_per_op", "bytes_per_op"):
            require(benchmark == "open" or result[field] == 0, f"{name}: {field} is {result[field]}, not 0")


def check_space(result, num):
    stored = num * (result["key_size"] + result["value_size"])
    require(result["stored_bytes"] == stored, f"stored_bytes {result['stored_bytes']}, not {stored}")
    require(result["used_bytes"] > stored, f"{stored} bytes are kept in {result['used_bytes']}")
    require(abs(result["space_ratio"] - result["used_bytes"] / stored) < 1e-6, "space_ratio is not used / stored")


def rows_of(result, *columns):
    require(result.get("rows"), f"{result['benchmark']}: no rows")
    for row in result["rows"]:
        for column in columns:
            require(isinstance(row.get(column), (int, float)), f"{result['benchmark']}: a row without {column}: {row}")
    return result["rows"]


def opens(smoke):
    """A clean close leaves nothing to recover; a killed writer always does: it had put more than a ring holds."""
    db = smoke.folder / "opened.nacre"
    for threads in (1, 3):
        results, stdout, _ = smoke.run(f"--db={db}", "--benchmarks=fillrandom,open", "--num=3000",
                                       f"--threads={threads}", f"--rounds={ROUNDS}")
        rows = rows_of(results[1], "opens", "open_p50_ms", "open_max_ms", "get_p50_us", "get_p99_us", "get_max_us",
                       "put_p50_us", "put_p99_us", "put_max_us", "most_recovered_lines")
        require([row["label"] for row in rows] == ["after a close", "after SIGKILL"], f"rows {rows}")
        clean, killed = rows
        for row in rows:
            require(row["opens"] == ROUNDS, f"{row['opens']} opens, not {ROUNDS}")
            require(0 < row["open_p50_ms"] <= row["open_max_ms"], f"times of open out of order: {row}")
            require(row["get_fences_per_op"] == 0, f"{row['get_fences_per_op']} fences a get")
            require(1 <= row["put_fences_per_op"] <= 2.5, f"{row['put_fences_per_op']} fences a put")
        require(clean["most_recovered_records"] == 0, f"{clean['most_recovered_records']} recovered after a close")
        require(killed["most_recovered_records"] > 0, "nothing was recovered after any SIGKILL while writing")
        require("goal" in stdout, "the goal was not printed")
    smoke.run(f"--db={db}", "--use_existing_db", "--benchmarks=readrandom", "--num=3000")
    db.unlink()


def shifts(smoke):
    num = 3000
    (result,), _, _ = smoke.run("--benchmarks=shift", f"--num={num}")
    rows = rows_of(result, "payload_mb", "used_mb", "overhead", "unit_overhead", "pool_overhead", "free_unit_share",
                   "worst_class_bytes", "worst_class_free_share", "out_of_space")
    require([row["label"] for row in rows] == PATTERNS, f"patterns {[row['label'] for row in rows]}")
    for row in rows:
        name, payload = row["label"], row["payload_mb"] * MIB
        require(row["out_of_space"] == 0, f"{name}: out of space")
        require(row["overhead"] >= row["unit_overhead"] > 1, f"{name}: {row['overhead']} and {row['unit_overhead']}")
        require(row["pool_overhead"] >= row["overhead"], f"{name}: uses more than the pool")
        require(0 <= row["free_unit_share"] < 1 and 0 <= row["worst_class_free_share"] <= 1, f"{name}: shares of {row}")
        reaches = name in ("small to large", "large to small", "churn")
        wanted = num * (16 + 125)
        require(payload < wanted + 8192 and (not reaches or payload >= wanted - 1), f"{name}: payload {payload}")
    again, _, _ = smoke.run("--benchmarks=shift", f"--num={num}")
    require([row["payload_mb"] for row in again[0]["rows"]] == [row["payload_mb"] for row in rows],
            "the same seed made another payload")


def extents(smoke):
    (result,), _, _ = smoke.run("--benchmarks=extents", "--size=32M", "--duration=1", "--value_max=200K", "--fill=0.5")
    rows = rows_of(result, "time_s", "ops_per_s", "mb_per_s", "live_mb", "pool_mb", "chunk_waste_share",
                   "pool_waste_share", "out_of_space")
    require(result["ops"] > 0 and len(rows) >= 2, f"{result['ops']} operations, {len(rows)} rows")
    require([row["time_s"] for row in rows] == sorted(row["time_s"] for row in rows), "time does not pass")
    for row in rows:
        require(12 < row["live_mb"] < 20, f"{row['live_mb']} MB live, not about 16")
        require(0 <= row["chunk_waste_share"] <= row["pool_waste_share"] < 1, f"shares of {row}")
        require(row["pool_mb"] >= 32, f"a pool of {row['pool_mb']} MB")
    # A pool that cannot hold what is asked for is an event and not a failure.
    (full,), _, _ = smoke.run("--benchmarks=extents", "--size=4M", "--duration=1", "--value_max=60K", "--fill=1")
    require(full["out_of_space"] > 0 and full["ops"] > 0, f"{full['out_of_space']} times out of space")


def too_large_extents(smoke):
    """Either the store takes values of 300 MiB, or it is said that it does not: never a failure."""
    (result,), stdout, _ = smoke.run("--benchmarks=extents", "--size=64M", "--duration=1", "--value_min=1M",
                                     "--value_max=300M", "--fill=0.01")
    require(result["ops"] > 0 or "too large" in stdout, f"neither run nor refused: {stdout}")


def grows(smoke):
    (result,), _, _ = smoke.run("--benchmarks=grow", "--initial_size=8M", "--target=64M", "--value_size=1000")
    rows = rows_of(result, "time_s", "payload_mb", "pool_mb", "slowest_us")
    for column in ("time_s", "payload_mb", "pool_mb"):
        values = [row[column] for row in rows]
        require(values == sorted(values), f"{column} goes back")
    require(rows[0]["pool_mb"] == 8, f"--initial_size=8M made a pool of {rows[0]['pool_mb']} MB")
    require(result["out_of_space"] == 1 or rows[-1]["payload_mb"] >= 64, "neither full nor at the target")
    (small,), _, _ = smoke.run("--benchmarks=grow", "--initial_size=8M", "--target=1M")
    require(small["out_of_space"] == 0 and small["stored_bytes"] >= MIB, f"stored {small['stored_bytes']} of 1 MiB")
    grew = sum(a["pool_mb"] < b["pool_mb"] for a, b in zip(rows, rows[1:]))
    require(result["growing_puts"] >= grew, f"{grew} sizes, {result['growing_puts']} puts while growing")
    require(result["out_of_space"] == 0 or grew == 0, "a pool that grows was full")
    (fixed,), _, _ = smoke.run("--benchmarks=grow", "--size=8M", "--target=64M", "--value_size=1000")
    require(fixed["out_of_space"] == 1 and fixed["growing_puts"] == 0, "a pool of fixed size grew")


def harness(smoke):
    (result,), _, _ = smoke.run("--benchmarks=harness", "--num=1000")
    rows = rows_of(result, "cpu_ns_per_op")
    require([row["label"] for row in rows] == ["put loop", "get loop", "clock and histogram"], f"rows {rows}")
    require(result["ops"] == result["found"] == 2000, f"{result['found']} of {result['ops']}")


def latency_samples(smoke):
    for sample in (1, 7, 5000):
        (result,), stdout, _ = smoke.run("--benchmarks=fillrandom", "--num=1000", f"--latency_sample={sample}",
                                         "--histogram")
        require(result["ops"] == 1000 and result["max_us"] > 0, f"--latency_sample={sample}: {result}")
        # The loop stops in a hundred places, and each begins with a timed call.
        timed = sum(-(-10 // sample) for _ in range(100))
        require(f"count {timed} " in stdout, f"--latency_sample={sample}: not {timed} samples: {stdout}")


def plots(smoke):
    svg = smoke.folder / "plot.svg"
    for options, words in (
            (["--compare=tbb", "--rounds=2", "--num=300", "--benchmarks=fillseq,readseq"], ["fillseq", "readseq"]),
            (["--benchmarks=extents", "--size=8M", "--duration=1", "--value_max=60K"],
             ["ops_per_s", "chunk_waste_share"]),
            (["--benchmarks=fillseq,readseq", "--num=300"], ["fillseq", "readseq"])):
        smoke.run(*options, f"--plot={svg}")
        texts = [e.text for e in ElementTree.parse(svg).iter("{http://www.w3.org/2000/svg}text")]
        for word in words:
            require(word in texts, f"{options}: the drawing does not name {word}: {texts}")
        svg.unlink()


def all_benchmarks(smoke, engine, threads):
    num = 1500
    results, stdout, _ = smoke.run(f"--benchmarks={','.join(ALL)}", f"--engine={engine}", f"--num={num}",
                                   f"--threads={threads}", f"--rounds={ROUNDS}")
    keeps = engine == "hash" and smoke.medium != "memory"
    wanted = ALL if keeps else [b for b in ALL if b != "open"]
    require([r["benchmark"] for r in results] == wanted, f"ran {[r['benchmark'] for r in results]}")
    require(keeps or "not run" in stdout, "open was not reported as not run")
    for result in results:
        if engine == "hash" and result["benchmark"] in FILLS:
            check_space(result, num)
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
    for word in ("ratio", "fences/op", "lines/op", "p50 ns"):
        require(word in stdout, f"the comparison has no {word}")


def usage_errors(smoke):
    for option, nearest in (("--thread=2", "--threads"), ("--benchmarks=readrandon", "readrandom"),
                            ("--engine=hahs", "hash"), ("--medium=dacks", "dax")):
        _, _, stderr = smoke.run(option, wanted_exit=2)
        require(nearest in stderr, f"{option}: the message does not name {nearest}: {stderr}")
    for option in ("--fill=2", "--value_min=2K --value_max=1K", "--child=probe", "--rounds=0"):
        smoke.run(*option.split(), wanted_exit=2)
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
            ("open: clean closes leave nothing to recover, kills while writing do", lambda: opens(smoke), on_dax),
            ("shift: five patterns with the same payload each time", lambda: shifts(smoke), None),
            ("extents: the live set stays at its share, and a full pool is an event", lambda: extents(smoke), None),
            ("extents: values that are too large are said to be so", lambda: too_large_extents(smoke), None),
            ("grow: ends at the target or when the pool is full", lambda: grows(smoke), on_dax),
            ("harness: the loops run with a store that does nothing", lambda: harness(smoke), None),
            ("--latency_sample times one call in so many", lambda: latency_samples(smoke), None),
            ("--plot draws the ratios, the curves or the rates", lambda: plots(smoke), None),
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
