#!/usr/bin/env python3
"""Two readers of one format: what read_pool.py finds in a pool file is what the nacre command finds. Prints TAP.

usage: read_pool_test.py PATH_OF_NACRE
"""

import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback

NACRE = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "build/tools/nacre"
READER = pathlib.Path(__file__).with_name("read_pool.py")
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def run(*command, code=0, stdin=b""):
    done = subprocess.run([str(c) for c in command], input=stdin, capture_output=True, timeout=300)
    assert done.returncode == code, f"{command[1:4]} gave {done.returncode}, not {code}: {done.stderr[:400]!r}"
    return done.stdout


def nacre(*arguments, **options):
    return run(NACRE, *arguments, **options)


def reader(*arguments, **options):
    return run(sys.executable, READER, *arguments, **options)


def sorted_lines(text):
    return sorted(text.split(b"\n"))


def tsv(pairs):
    return b"".join(b"%s\t%s\n" % (key.hex().encode(), value.hex().encode()) for key, value in pairs.items())


def load(pool, pairs, *options):
    nacre("load", pool, "-", "--hex", "--format", "tsv", *options, stdin=tsv(pairs))


def must_agree(pool, *table):
    for form in ([], ["--hex"]):
        ours = reader(*table, *form, pool)
        assert sorted_lines(ours) == sorted_lines(nacre("scan", pool, *table, *form)), f"{table} {form} differ"
    return ours.count(b"\n")


def some_pairs(count, seed):
    draw = random.Random(seed)
    return {b"key %d" % i: draw.randbytes(draw.choice([0, 1, 10, 100, 100, 100, 1000])) for i in range(count)}


def flip(path, off):
    with open(path, "r+b") as file:
        file.seek(off)
        byte = file.read(1)[0]
        file.seek(off)
        file.write(bytes([byte ^ 0x10]))


@test
def an_empty_pool_has_no_pairs(folder):
    pool = folder / "pool"
    nacre("create", pool, "--size", "1MiB")
    assert reader(pool) == b""
    assert reader("--check", pool).startswith(b"keys 0, ")


@test
def a_small_pool_with_splits_and_two_levels_of_directory(folder):
    pool = folder / "pool"
    nacre("create", pool, "--size", "12MiB")
    load(pool, some_pairs(9000, 1))  # about 45 segments of 441 slots: more than the 32 entries of one node
    assert must_agree(pool) == 9000
    assert reader("--check", pool).startswith(b"keys 9000, ")


@test
def a_pool_of_the_larger_geometry(folder):
    pool = folder / "pool"
    nacre("create", pool, "--size", "24MiB")
    load(pool, some_pairs(12000, 2))
    assert must_agree(pool) == 12000
    assert reader("--check", pool).startswith(b"keys 12000, ")


@test
def overwrites_deletes_tables_and_bytes_of_every_kind(folder):
    pool = folder / "pool"
    nacre("create", pool, "--size", "4MiB", "--table", "second")
    load(pool, some_pairs(1500, 3))
    load(pool, dict(list(some_pairs(1500, 4).items())[::3]))
    for i in range(0, 60, 2):
        nacre("del", pool, b"key %d".decode() % i)
    odd = {b"": b"empty key", b"e": b"", bytes(range(256)): bytes(range(255, -1, -1)), b"a\tb\nc\\d": b"\x7f\xc2\x85",
           "grün ☃".encode(): "🐚".encode(), b"\xed\xa0\x80": b"\xff", b"long": b"l" * 60000}
    load(pool, odd, "--table", "second")
    assert must_agree(pool) == 1470
    assert must_agree(pool, "--table", "second") == len(odd)
    assert reader("--check", pool).startswith(b"keys %d, " % (1470 + len(odd)))
    reader("--table", "third", pool, code=1)


@test
def extents_and_slabs_of_several_chunks(folder):
    pool = folder / "pool"
    nacre("create", pool, "--size", "12MiB")
    large = {b"large %d" % i: bytes([i]) * size for i, size in enumerate((65520, 65521, 73000, 74000, 150000, 400000, 9))}
    load(pool, large)
    load(pool, {b"large 1": b"small now", b"large 6": b"l" * 300000})
    nacre("del", pool, "large 5")
    assert must_agree(pool) == 6
    assert reader("--check", pool).startswith(b"keys 6, ")


@test
def pools_that_grew_and_shrank(folder):
    pool = folder / "pool"
    nacre("create", pool, "--size", "1MiB")
    load(pool, {b"kept": b"1"})
    many = {b"k%d" % i: bytes([i]) * (30000 + 370 * i) for i in range(120)}
    load(pool, many)
    assert pool.stat().st_size > 6 << 20
    assert must_agree(pool) == 121
    assert reader("--check", pool).startswith(b"keys 121, ")
    for i in range(100):
        nacre("del", pool, f"k{i}")
    nacre("shrink", pool)
    assert must_agree(pool) == 21
    load(pool, many)
    assert must_agree(pool) == 121
    assert reader("--check", pool).startswith(b"keys 121, ")


@test
def classes_that_were_added_retired_and_revived(folder):
    pool = folder / "pool"
    nacre("create", pool, "--size", "8MiB", "--class", "304", "--class", "1008")
    load(pool, {b"a%07d" % i: b"v" * 280 for i in range(1000)})
    for arguments in (["retire", pool, "304"], ["add", pool, "272"], ["retire", pool, "128"], ["add", pool, "128"]):
        nacre("class", *arguments)
    load(pool, {b"b%07d" % i: b"w" * (90 + i % 200) for i in range(1000)})
    load(pool, {b"a%07d" % i: b"w" * 280 for i in range(0, 1000, 2)})
    assert must_agree(pool) == 2000
    assert reader("--check", pool).startswith(b"keys 2000, ")


@test
def a_pool_whose_writer_was_killed_is_recovered_without_being_changed(folder):
    pool, acks = folder / "pool", folder / "acks"
    nacre("create", pool, "--size", "8MiB")
    pairs = some_pairs(6000, 5)
    (folder / "in.tsv").write_bytes(tsv(pairs) * 20)
    for round_number in range(3):
        acks.write_bytes(b"")
        loader = subprocess.Popen([NACRE, "load", pool, folder / "in.tsv", "--hex", "--format", "tsv", "--ack", acks],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while acks.read_bytes().count(b"\n") < 100 + 50 * round_number and time.monotonic() < deadline:
            time.sleep(0.005)
        loader.send_signal(signal.SIGKILL)
        assert loader.wait() == -signal.SIGKILL, "the loader had ended before it was killed"
        image = pool.read_bytes()
        found = must_agree(pool)
        assert found >= len(set(acks.read_bytes().split(b"\n")) - {b""})
        assert b", dirty" in reader("--check", pool)
        assert pool.read_bytes() == image, "reading changed the file"


@test
def damage_is_refused_and_a_copy_of_the_superblock_serves(folder):
    pool = folder / "pool"
    nacre("create", pool, "--size", "2MiB")
    load(pool, {b"the key": b"the value"})
    whole = pool.read_bytes()
    flip(pool, whole.index(b"the keythe value") + 9)
    reader(pool, code=4)
    pool.write_bytes(whole)
    for off in (40, 4096 + 64, 128):  # identity of A, geometry of B, roots of A
        flip(pool, off)
    assert reader(pool) == b"the key\tthe value\n"
    flip(pool, 4096 + 128)  # both roots
    reader(pool, code=4)
    pool.write_bytes(whole[:8192])
    reader(pool, code=4)


def choose_medium():
    """The bytes are the same on every medium; where dax can be asked for, nothing waits for a disk."""
    with tempfile.TemporaryDirectory(prefix="nacre-read-") as folder:
        made = subprocess.run([NACRE, "create", folder + "/pool", "--size", "1MiB", "--medium", "dax"],
                              capture_output=True)
    if made.returncode == 0:
        os.environ.setdefault("NACRE_MEDIUM", "dax")


def main():
    choose_medium()
    print(f"1..{len(TESTS)}")
    failed = 0
    for number, function in enumerate(TESTS, 1):
        with tempfile.TemporaryDirectory(prefix="nacre-read-") as folder:
            try:
                function(pathlib.Path(folder))
                verdict = "ok"
            except Exception:  # a test that fails in any way is a failed test
                verdict = "not ok"
                failed += 1
                print("\n".join("# " + line for line in traceback.format_exc().splitlines()))
        print(f"{verdict} {number} - {function.__name__.replace('_', ' ')}", flush=True)
    return 1 if failed else 0


sys.exit(main())
