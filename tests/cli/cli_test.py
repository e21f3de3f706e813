#!/usr/bin/python3
"""The nacre command as a user meets it: every subcommand, every exit code, every way round and back.

Needs nothing but Python. NACRE is the path of the command; prints TAP. Arguments choose tests by a part of their
name: cli_test.py dump locked
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

NACRE = os.environ.get("NACRE", "build/tools/nacre")
OK, NEGATIVE, USAGE, IO, CORRUPTION, INCOMPATIBLE, LOCKED = range(7)
EVERY_BYTE = bytes(range(256))
TESTS = []


def test(function):
    TESTS.append(function)
    return function


class Answer:
    def __init__(self, process):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.out)

    def lines(self):
        return self.out.split(b"\n")[:-1]


def nacre(*arguments, code=OK, stdin=b"", says=None, **options):
    """Runs the command, expects the exit code, and that an error names what it is about (`says`)."""
    command = [NACRE] + [a if isinstance(a, bytes) else str(a) for a in arguments]
    answer = Answer(subprocess.run(command, input=stdin, capture_output=True, timeout=120, **options))
    expected = code if isinstance(code, tuple) else (code,)
    assert answer.code in expected, f"{command} gave {answer.code}, not {code}: {answer.out[:300]!r} {answer.err[:600]}"
    if answer.code not in (OK, NEGATIVE):
        assert answer.err.startswith("nacre: "), f"{command} says {answer.err!r}"
    if says is not None:
        assert says in answer.err, f"{command} says {answer.err!r} and not {says!r}"
    return answer


class Pool:
    """A fresh folder with a pool in it."""

    def __init__(self, size="4MiB", *more):
        self.folder = tempfile.mkdtemp(prefix="nacre-cli-")
        self.path = self.file("pool")
        if size:
            try:
                nacre("create", self.path, "--size", size, *more)
            except BaseException:
                self.__exit__()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def file(self, name, content=None):
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "wb") as f:
                f.write(content)
        return path

    def __call__(self, command, *arguments, **options):
        """`command` may be two words: "class list"."""
        return nacre(*command.split(), self.path, *arguments, **options)

    def pairs(self, *options):
        return {bytes.fromhex(k.decode()): bytes.fromhex(v.decode())
                for k, v in (line.split(b"\t") for line in self("scan", "--hex", *options).lines())}


def read(path):
    with open(path, "rb") as f:
        return f.read()


def odd_pairs():
    """Keys and values that break careless text formats."""
    pairs = {b"": b"empty key", b"empty value": b"", b"tab\tkey": b"tab\tvalue\t", b"new\nline": b"\n\n",
             b"back\\slash": b"\\t\\n\\x00", EVERY_BYTE: EVERY_BYTE[::-1], "grün ☃ 🐚".encode(): "Zürich".encode(),
             b"\xff\xfe": b"\xc3", b"c1": "\u0085".encode(), b'"quote"': b'{"json": [1, 2]}', b"#": b"=1 +2,3:a->b",
             b"cr": b"line\r", b"nul\0": b"\0", b"[1,2]": b"[a,b]", b"surrogate": b"\xed\xa0\x80"}
    pairs.update((b"n%d" % i, b"v" * i) for i in range(0, 200, 37))
    return pairs


def put_all(pool, pairs, *options):
    tsv = b"".join(k.hex().encode() + b"\t" + v.hex().encode() + b"\n" for k, v in pairs.items())
    pool("load", "-", "--hex", "--format", "tsv", *options, stdin=tsv)


# ---- create, version, usage ----

@test
def version_and_help_name_the_command_and_every_exit_code():
    assert nacre("version").out.startswith(b"nacre ")
    assert nacre("--version").out == nacre("version").out
    assert nacre("version", "--json").json()["version"] in nacre("version").out.decode()
    text = nacre("--help").out.decode()
    for name in "create put get del exists count scan load dump info stats check class version".split():
        assert f"  {name} " in text
        assert f"Usage: nacre {name}" in nacre(name, "--help").out.decode()
    for code in range(7):
        assert f"\n  {code}  " in text


@test
def create_makes_a_pool_once_and_keeps_what_is_there():
    with Pool(None) as pool:
        made = pool("create", "--size", "4MiB", "--json").json()
        assert made == {"pool": pool.path, "size_bytes": 4 << 20, "engine": "hash", "table": "default"}
        pool("put", "a", "1")
        pool("create", code=IO, says=pool.path)
        assert pool("get", "a").out == b"1\n"
        text = pool.file("text", b"keep me")
        nacre("create", text, code=IO)
        assert read(text) == b"keep me"
        nacre("create", os.path.join(pool.folder, "no", "such", "folder"), code=IO, says="no/such")


@test
def create_takes_sizes_in_every_unit():
    sizes = {"4194304": 4 << 20, "4194304B": 4 << 20, "4096K": 4 << 20, "4m": 4 << 20, "4MiB": 4 << 20,
             "4096kib": 4 << 20, "4000KB": 4000000, "5MB": 5000000}
    for text, size in sizes.items():
        with Pool(None) as pool:
            assert pool("create", "--size", text, "--json").json()["size_bytes"] == size, text


@test
def create_says_what_is_wrong_with_a_size_and_makes_nothing():
    for text in ["", "x", "-1", "0", "1.5G", "12Q", "12 M", "M", "1000", "99999999999999999999", "99999999T"]:
        with Pool(None) as pool:
            said = pool("create", f"--size={text}", code=USAGE).err
            assert "size" in said or text in said, said
            assert not os.path.exists(pool.path), text


@test
def create_makes_a_named_table_and_refuses_an_unknown_engine():
    with Pool(None) as pool:
        pool("create", "--size", "4M", "--table", "users", "--engine", "hash")
        assert pool("count", "--table", "users").out == b"0\n"
        assert pool("count").out == b"0\n"
    with Pool(None) as pool:
        said = pool("create", "--engine", "btrieve", code=USAGE, says="btrieve").err
        assert "hash" in said
        assert not os.path.exists(pool.path)


@test
def info_space_adds_up_what_is_stored_and_what_it_takes():
    with Pool() as pool:
        nacre("load", pool.path, "-", stdin=b"".join(b"key%05d\t%s\n" % (i, b"v" * 100) for i in range(1000)))
        figures = nacre("info", pool.path, "--space", "--json").json()
        assert figures["stored_bytes"] == 1000 * 108
        taken = figures["used_bytes"] + figures["metadata_bytes"]
        assert abs(float(figures["space_for_a_stored_byte"]) - taken / 108000) < 0.001
        assert "stored_bytes" not in nacre("info", pool.path, "--json").json()


@test
def usage_errors_exit_2_and_name_the_argument():
    with Pool() as pool:
        nacre(code=USAGE)
        nacre("frobnicate", code=USAGE, says="frobnicate")
        nacre("get", code=USAGE, says="POOL")
        pool("get", code=USAGE, says="key")
        pool("put", "a", code=USAGE, says="value")
        pool("put", "a", "b", "c", code=USAGE, says="c")
        pool("get", "a", "--nonsense", code=USAGE, says="--nonsense")
        pool("get", "a", "--medium", "floppy", code=USAGE, says="floppy")
        pool("get", "a", "--key-file", "/dev/null", code=USAGE, says="twice")
        pool("put", "--key-file", "-", "--value-file", "-", code=USAGE, says="standard input")
        pool("scan", "--limit", "many", code=USAGE, says="many")
        pool("load", "-", "--format", "xml", code=USAGE, says="xml")
        pool("get", "abc", "--hex", code=USAGE, says="even")
        pool("get", "zz", "--hex", code=USAGE, says="zz")
        pool("count", "--table", "", code=USAGE)
        pool("put", "a", "b", "--table", "t" * 256, code=USAGE)
        assert pool("count").out == b"0\n"


# ---- one key ----

@test
def put_get_exists_del_count_of_one_key():
    with Pool() as pool:
        assert pool("put", "alice", "1").out == b""
        assert pool("get", "alice").out == b"1\n"
        assert pool("get", "alice", "--raw").out == b"1"
        assert pool("exists", "alice").out == b"yes\n"
        assert pool("count").out == b"1\n"
        pool("put", "alice", "two")
        assert pool("get", "alice").out == b"two\n"
        assert pool("count").out == b"1\n"
        assert pool("del", "alice").out == b""
        assert pool("exists", "alice", code=NEGATIVE).out == b"no\n"
        assert pool("get", "alice", code=NEGATIVE, says="alice").out == b""
        pool("del", "alice", code=NEGATIVE, says="alice")
        assert pool("count").out == b"0\n"


@test
def every_command_speaks_json():
    with Pool() as pool:
        assert pool("put", "k", "v", "--json").json() == {"put": True, "key": "k"}
        assert pool("get", "k", "--json").json() == {"found": True, "key": "k", "value": "v"}
        assert pool("get", "x", "--json", code=NEGATIVE).json() == {"found": False, "key": "x"}
        assert pool("exists", "k", "--json").json() == {"exists": True, "key": "k"}
        assert pool("exists", "x", "--json", code=NEGATIVE).json() == {"exists": False, "key": "x"}
        assert pool("count", "--json").json() == {"table": "default", "count": 1}
        assert pool("scan", "--json").json() == {"key": "k", "value": "v"}
        assert pool("scan", "--json", "--keys-only").json() == {"key": "k"}
        loaded = pool("load", "-", "--json", stdin=b"a\t1\nb\t22\n").json()
        assert (loaded["pairs"], loaded["bytes"]) == (2, 5) and loaded["seconds"] >= 0
        dumped = pool("dump", pool.file("d"), "--json").json()
        assert (dumped["pairs"], dumped["bytes"]) == (3, os.path.getsize(pool.file("d")))
        pool("dump", "--json", code=USAGE, says="FILE")
        assert len(pool("info", "--json").json()) > 1
        assert len(pool("stats", "--json").json()) > 1
        checked = pool("check", "--json").json()
        assert checked["sound"] is True and checked["problems"] == [] and checked["figures"]
        assert pool("del", "k", "--json").json() == {"deleted": True, "key": "k"}
        assert pool("del", "k", "--json", code=NEGATIVE).json() == {"deleted": False, "key": "k"}


@test
def json_shows_bytes_that_are_no_text_as_hex():
    with Pool() as pool:
        pool("put", "ff00", "c3", "--hex")
        assert pool("get", "ff00", "--hex", "--json").json() == {"found": True, "key_hex": "ff00", "value_hex": "c3"}
        assert pool("scan", "--json").json() == {"key_hex": "ff00", "value_hex": "c3"}


@test
def keys_and_values_may_be_any_bytes():
    with Pool() as pool:
        for key, value in odd_pairs().items():
            pool("put", key.hex(), value.hex(), "--hex")
            assert pool("get", key.hex().upper(), "--hex").out == value.hex().encode() + b"\n"
            assert pool("get", "--key-file", pool.file("key", key), "--raw").out == value
            if b"\0" not in key:
                assert pool("get", "--raw", "--", key).out == value
        assert pool.pairs() == odd_pairs()
        for key in odd_pairs():
            pool("del", key.hex(), "--hex")
        assert pool("count").out == b"0\n"


@test
def arguments_are_never_taken_apart():
    with Pool() as pool:
        for text in ["[1,2]", "[]", "get", "put", "", " ", "a b", "a=b", "'", '"', "%", "{}", "@", "\\n", "$HOME"]:
            pool("put", text, text)
            assert pool("get", text).out == text.encode() + b"\n", text
        for text in ["-5", "--json", "-", "--", "-h"]:
            pool("put", "--", text, text)
            assert pool("get", "--raw", "--", text).out == text.encode(), text
        assert pool("get", "\\n").out == b"\\n\n"


@test
def keys_and_values_come_from_files_and_standard_input():
    with Pool("32MiB") as pool:
        value = random.Random(1).randbytes(100 * 1024)
        file = pool.file("value", value)
        pool("put", "big", "--value-file", file)
        pool("put", "--key-file", pool.file("key", b"from file"), "short")
        pool("put", "stdin", "--value-file", "-", stdin=value)
        pool("put", "--key-file", "-", "--value-file", file, stdin=b"both")
        pool("put", "nothing", "--value-file", "/dev/null")
        assert pool("get", "big", "--raw").out == value
        assert pool("get", "737464696e", "--hex").out == value.hex().encode() + b"\n"
        assert pool("get", "from file").out == b"short\n"
        assert pool("get", "both", "--out", pool.file("out")).out == b"" and read(pool.file("out")) == value
        assert pool("get", "--key-file", "-", "--raw", stdin=b"both").out == value
        assert pool("get", "nothing", "--raw").out == b""
        pool("put", "a", "--value-file", pool.file("no such file"), code=IO, says="no such file")
        pool("put", "a", "--value-file", pool.folder, code=IO, says=pool.folder)
        pool("get", "missing", "--out", pool.file("unmade"), code=NEGATIVE)
        assert not os.path.exists(pool.file("unmade"))


@test
def tables_are_apart_and_reading_makes_none():
    with Pool() as pool:
        pool("put", "k", "users", "--table", "users")
        pool("put", "k", "default")
        assert pool("get", "k", "--table", "users").out == b"users\n"
        assert pool("get", "k").out == b"default\n"
        for command in (["get", "k"], ["exists", "k"], ["del", "k"], ["count"], ["scan"], ["dump"]):
            pool(*command, "--table", "nobody", code=IO, says="nobody")
        pool("load", "-", "--table", "loaded", stdin=b"")
        assert pool("count", "--table", "loaded").out == b"0\n"


# ---- scan ----

@test
def scan_escapes_limits_and_filters():
    with Pool() as pool:
        put_all(pool, {b"a\tb": b"1\n2", b"ab": b"\\", b"b": b"\x01\xff", "ü".encode(): "é".encode()})
        assert sorted(pool("scan").lines()) == sorted(
            [b"a\\tb\t1\\n2", b"ab\t\\\\", b"b\t\\x01\\xff", "ü\té".encode()])
        assert sorted(pool("scan", "--prefix", "a", "--keys-only").lines()) == [b"a\\tb", b"ab"]
        assert pool("scan", "--prefix", "6162", "--hex").out == b"6162\t5c\n"
        assert pool("scan", "--prefix", "zz").out == b""
        assert len(pool("scan", "--limit", "3").lines()) == 3
        assert pool("scan", "--limit", "0").out == b""
        assert len(pool("scan", "--limit", "1", "--prefix", "a").lines()) == 1


@test
def scan_into_load_is_the_same_table():
    with Pool() as pool:
        put_all(pool, odd_pairs())
        for options in ([], ["--hex"], ["--json"], ["--json", "--hex"]):
            scanned = pool("scan", *options).out
            with Pool() as copy:
                copy("load", "-", *[o for o in options if o == "--hex"], stdin=scanned)
                assert copy.pairs() == odd_pairs(), options


# ---- load ----

@test
def load_overwrites_in_file_order_and_counts():
    with Pool() as pool:
        said = pool("load", pool.file("t.tsv", b"a\t1\nb\t2\na\t3\nlast\tno newline")).out
        assert said.startswith(b"loaded 4 pairs"), said
        assert pool.pairs() == {b"a": b"3", b"b": b"2", b"last": b"no newline"}
        assert pool("load", "/dev/null").out.startswith(b"loaded 0 pairs")
        pool("load", pool.file("nowhere"), code=IO, says="nowhere")


@test
def load_names_file_and_line_of_wrong_text_and_keeps_what_came_before():
    cases = {b"no tab": "TAB", b"": "TAB", b"two\ttabs\t.": "TAB", b"k\tbad \\q": "\\q", b"k\tcut \\x4": "\\x4",
             b"k\tend \\": "escape", b"\\xzz\tv": "key"}
    for line, says in cases.items():
        with Pool() as pool:
            file = pool.file("t.tsv", b"good\t1\n" + line + b"\nnever\t2\n")
            said = pool("load", file, code=USAGE, says=f"{file}:2: ").err
            assert says in said and "loaded 1 pairs" in said, said
            assert pool.pairs() == {b"good": b"1"}
    with Pool() as pool:
        pool("load", "-", "--hex", stdin=b"61\t6\n", code=USAGE, says="standard input:1: value")


@test
def load_reads_json_lines():
    lines = (b'{"key":"a","value":"text \\u00fc\\n"}\n\n{"value_hex":"FF00","key_hex":"6200"}\r\n'
             b' { "key" : "n" , "value" : 1.10 } \n{"key":"big","value":123456789012345678901234567890}\n'
             b'{"key":"o","value":{"z": 1, "a": [true, null, "}"], "z":"\\""}}\n'
             b'{"key":"nil","value":null}\n{"key":"","value":""}\n{"key":"\\u0000","value":[]}')
    expected = {b"a": "text ü\n".encode(), b"b\0": b"\xff\0", b"n": b"1.10", b"big": b"123456789012345678901234567890",
                b"o": b'{"z": 1, "a": [true, null, "}"], "z":"\\""}', b"nil": b"null", b"": b"", b"\0": b"[]"}
    for name, options in (("x.jsonl", []), ("x", []), ("x", ["--format", "jsonl"])):
        with Pool() as pool:
            pool("load", pool.file(name, lines), *options)
            assert pool.pairs() == expected


@test
def load_refuses_wrong_json_lines_with_their_place():
    wrong = [b"{", b"[]", b"7", b'{"key":"a"}', b'{"value":"a"}', b'{"key":1,"value":2}', b'{"key":"a","value":}',
             b'{"key":"a","value":nope}', b'{"key":"a","value":"b"} x', b'{"key":"a","value":"b",}',
             b'{"key":"a","value":"b"', b'{"key":"a","key":"b","value":"c"}', b'{"key":"a","value":"b","ttl":3}',
             b'{"key_hex":"abc","value":""}', b'{"key_hex":5,"value":""}', b'{"key":"\xff","value":""}',
             b'{"key":"a","value":[1}', b'{"key":"a","value":"\\q"}', b'{"key":"a" "value":"b"}', b"{}",
             b'{"key":"a","value":1 2}', b'{"key":"a","value":1\0}', b'{"key":"a"\0,"value":1}',
             b'{"key":"a","value":"b"}{"key":"a","value":"b"}', b"{,}", b'"',
             b'{"key":"a","value":' + b"[" * 5000 + b"}"]
    for line in wrong:
        with Pool("1MiB") as pool:
            file = pool.file("x.jsonl", b'{"key":"ok","value":1}\n' + line + b"\n")
            pool("load", file, "--format", "jsonl", code=USAGE, says=f"{file}:2: ")
            assert pool.pairs() == {b"ok": b"1"}, line


@test
def load_takes_lines_of_any_length():
    with Pool("32MiB") as pool:
        rng = random.Random(7)
        pairs = {b"k%d" % i: rng.randbytes(size) for i, size in
                 enumerate([100 * 1024, 1, 200 * 1024, 131072, 65536, 240 * 1024])}
        for name, options in (("tsv", []), ("jsonl", ["--json"]), ("hex", ["--hex"])):
            put_all(pool, pairs, "--table", name)
            text = pool("scan", "--table", name, *options).out
            with Pool("32MiB") as copy:
                copy("load", "-", *[o for o in options if o == "--hex"], stdin=text)
                assert copy.pairs() == pairs, name
    with Pool("32MiB") as pool:  # around the size of the reader's buffer
        lines = []
        for length in [1 << 18, (1 << 18) - 1, (1 << 18) + 1, 5, 2 << 18, (2 << 18) - 5]:
            head = b"%d\t" % length + b"\\x76" * (length // 5)
            lines.append(head + b"v" * (length - len(head)))
        pool("load", "-", stdin=b"\n".join(lines))
        expected = {line.split(b"\t")[0]: line.split(b"\t")[1].replace(b"\\x76", b"v") for line in lines}
        assert pool.pairs() == expected


@test
def a_value_larger_than_the_pool_is_refused_and_changes_nothing():
    with Pool("2MiB", "--max-size", "2MiB") as pool:
        pool("put", "a", "1")
        pool("put", "a", "--value-file", pool.file("big", b"v" * (3 << 20)), code=(USAGE, IO), says='"a"')
        assert pool("get", "a").out == b"1\n"
        assert pool("count").out == b"1\n"
        pool("check")


@test
def load_acknowledges_each_key_when_it_is_durable():
    with Pool() as pool:
        acks = pool.file("acks")
        said = pool("load", "-", "--ack", acks, stdin=b"a\t1\nb\\tc\t2\nbroken\n", code=USAGE).err
        assert read(acks) == b"a\nb\\tc\n" and "loaded 2 pairs" in said
        loaded = pool("load", "-", "--ack", "-", stdin=b"x\t1\ny\t2\n")
        assert loaded.out == b"x\ny\n" and loaded.err.startswith("loaded 2 pairs")
        holder = subprocess.Popen([NACRE, "load", pool.path, "-", "--ack", "-"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for i in range(5):  # a pipe that gives one line at a time is answered line by line
            holder.stdin.write(b"%d\tv\n" % i)
            holder.stdin.flush()
            assert holder.stdout.readline() == b"%d\n" % i
        holder.stdin.close()
        assert holder.wait(30) == OK
        holder.stdout.close()


@test
def load_draws_a_bar_on_a_terminal_and_nothing_in_a_pipe():
    with Pool() as pool:
        lines = b"".join(b"k%d\tv\n" % i for i in range(20))
        assert pool("load", "-", stdin=lines).err == ""
        try:
            ours, theirs = os.openpty()
        except OSError:
            return  # this machine lends no terminal, as a bare chroot without /dev/pts
        process = subprocess.Popen([NACRE, "load", pool.path, "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=theirs)
        os.close(theirs)
        process.stdin.write(b"first\tv\n")
        process.stdin.flush()
        time.sleep(0.3)
        said = process.communicate(lines, timeout=30)[0]
        assert said.startswith(b"loaded 21 pairs") and process.returncode == OK
        drawn = os.read(ours, 10000)
        os.close(ours)
        assert b"pairs/s" in drawn and drawn.endswith(b"\r\x1b[K"), drawn


# ---- dump ----

@test
def dump_into_load_is_the_same_table():
    with Pool() as pool:
        put_all(pool, odd_pairs(), "--table", "t")
        file = pool.file("d")
        assert pool("dump", file, "--table", "t").out.startswith(b"dumped %d pairs" % len(odd_pairs()))
        assert read(file) == pool("dump", "--table", "t").out
        assert sorted(os.listdir(pool.folder)) == ["d", "pool"], "nothing is left beside the dump"
        for arguments, stdin in (([file], b""), (["-"], read(file)), ([file, "--format", "dump"], b"")):
            with Pool() as copy:
                copy("load", *arguments, stdin=stdin)
                assert copy.pairs() == odd_pairs()
    with Pool() as pool:  # an empty table is a dump too
        pool("dump", pool.file("d"))
        assert pool("load", pool.file("d")).out.startswith(b"loaded 0 pairs")


@test
def a_damaged_dump_is_refused_before_anything_is_loaded():
    with Pool() as pool, Pool("1MiB") as target:
        put_all(pool, {b"k%d" % i: b"value %d" % i for i in range(20)} | {b"": b""})
        whole = pool("dump").out
        rng = random.Random(3)
        damaged = [whole[:cut] for cut in list(range(11, len(whole), 17)) + [len(whole) - 1]]
        for at in rng.sample(range(11, len(whole)), 60):
            damaged.append(whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(8))]) + whole[at + 1:])
        damaged += [whole + b"\n", whole + whole, whole.replace(b"+", b"+0", 1), whole.replace(b":", b":x", 1),
                    whole[:whole.index(b"\n") + 1] + b"+999999999999999999,5:a->b\n"]
        for bytes_ in damaged:
            file = target.file("d", bytes_)
            same_version = bytes_.startswith(whole[:13])
            target("load", file, "--format", "dump", says=file,
                   code=CORRUPTION if same_version else (CORRUPTION, INCOMPATIBLE))
        assert target("count").out == b"0\n"
        target("load", "-", stdin=whole[:-3], code=CORRUPTION, says="truncated")  # a pipe is found out at its end
        target("load", "-", stdin=b"nacre-dump 2 {}\n", code=INCOMPATIBLE, says="version 2")
        target("load", "-", "--format", "dump", stdin=b"hello\n", code=CORRUPTION, says="not a nacre dump")


@test
def dump_replaces_a_file_only_when_it_is_whole():
    with Pool() as pool:
        pool("put", "a", "1")
        file = pool.file("d", b"precious")
        pool("dump", file, "--table", "none", code=IO)
        assert read(file) == b"precious"
        pool("dump", os.path.join(pool.folder, "no", "d"), code=IO, says="no/d")
        pool("dump", file)
        assert read(file).startswith(b"nacre-dump 1 ")
        assert sorted(os.listdir(pool.folder)) == ["d", "pool"]


@test
def no_output_option_may_name_the_pool():
    with Pool() as pool:
        pool("put", "a", "1")
        link = pool.file("link")
        os.symlink(pool.path, link)
        for path in (pool.path, link):
            pool("dump", path, code=USAGE, says="the pool itself")
            pool("get", "a", "--out", path, code=USAGE, says="the pool itself")
            pool("load", "-", "--ack", path, code=USAGE, says="the pool itself")
        assert pool("get", "a").out == b"1\n"


# ---- files that are no good pools ----

@test
def no_pool_and_not_a_pool_exit_3_and_leave_the_file_alone():
    commands = [["put", "a", "1"], ["get", "a"], ["del", "a"], ["exists", "a"], ["count"], ["scan"], ["load", "-"],
                ["dump"], ["info"], ["stats"], ["check"]]
    with Pool(None) as pool:
        for command in commands:
            pool(*command, code=IO, says=pool.path)
        assert not os.path.exists(pool.path), "nothing but create makes a pool"
        contents = [b"", b"hello", b"\0" * 4096, random.Random(5).randbytes(3 << 20), b"\x7fELF" + b"\0" * (2 << 20)]
        for content in contents:
            for command in commands:
                file = pool.file("text", content)
                nacre(command[0], file, *command[1:], code=IO, says=file)
                assert read(file) == content
        for path in (pool.folder, "/dev/null"):
            nacre("info", path, code=IO, says=path)


@test
def a_truncated_pool_is_an_error_and_no_crash():
    with Pool("2MiB") as pool:
        put_all(pool, {b"k%d" % i: b"v" * 500 for i in range(200)})
        whole = read(pool.path)
        for length in [64, 4095, 4096, 65536, len(whole) // 2, len(whole) - 4096, len(whole) - 1]:
            file = pool.file("cut", whole[:length])
            for command in ("info", "check", "scan"):
                nacre(command, file, code=(IO, CORRUPTION), says=file)


@test
def a_pool_of_another_format_version_exits_5():
    with Pool("2MiB") as pool:
        content = bytearray(read(pool.path))
        for superblock in (0, 4096):  # docs/FORMAT.md: two copies; the version is the second word
            content[superblock + 8:superblock + 16] = (99).to_bytes(8, "little")
        pool.file("pool", bytes(content))
        for command in (["get", "a"], ["put", "a", "1"], ["info"], ["check"]):
            pool(*command, code=INCOMPATIBLE, says="version 99")
        assert read(pool.path) == content


@test
def a_damaged_value_exits_4_and_the_rest_can_be_read():
    with Pool("2MiB") as pool:
        pool("put", "good", "fine")
        pool("put", "bad", "DAMAGE-ME-" * 20)
        content = bytearray(read(pool.path))
        at = content.index(b"DAMAGE-ME-DAMAGE-ME-")
        content[at] ^= 4
        pool.file("pool", bytes(content))
        pool("get", "bad", code=CORRUPTION, says="bad")
        assert pool("get", "good").out == b"fine\n"
        checked = pool("check", "--json", code=CORRUPTION, says=pool.path).json()
        assert checked["sound"] is False and checked["problems"]
        assert b"not sound" in pool("check", code=CORRUPTION).out
        pool("scan", code=CORRUPTION)
        file = pool.file("d")
        pool("dump", file, code=CORRUPTION)
        assert not os.path.exists(file), "half a dump never gets the name"


@test
def a_pool_that_another_process_holds_exits_6():
    with Pool() as pool:
        holder = subprocess.Popen([NACRE, "load", pool.path, "-", "--ack", "-"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        holder.stdin.write(b"held\tyes\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == b"held\n"
        for command in (["put", "a", "1"], ["get", "a"], ["del", "a"], ["count"], ["info"], ["check"]):
            pool(*command, code=LOCKED, says=pool.path)
        holder.stdin.close()
        assert holder.wait(30) == OK
        holder.stdout.close()
        assert pool("get", "held").out == b"yes\n"


@test
def readers_share_a_pool_and_keep_writers_out():
    with Pool("4MiB") as pool:
        put_all(pool, {b"k%d" % i: b"v" * 3000 for i in range(400)})
        reader = subprocess.Popen([NACRE, "scan", pool.path], stdout=subprocess.PIPE)
        first = reader.stdout.read(10)  # the rest fills the pipe: the scan waits with the pool open
        assert pool("count").out == b"400\n"
        pool("check")
        pool("put", "a", "1", code=LOCKED, says=pool.path)
        rest = reader.stdout.read()
        reader.stdout.close()
        assert reader.wait(30) == OK and (first + rest).count(b"\n") == 400
        pool("put", "a", "1")


@test
def a_full_pool_exits_3_and_stays_sound():
    with Pool("1MiB", "--max-size", "1MiB") as pool:
        acks = pool.file("acks")
        tsv = b"".join(b"k%d\t%s\n" % (i, b"v" * 20000) for i in range(200))
        said = pool("load", "-", "--ack", acks, stdin=tsv, code=IO, says="put of key").err
        kept = read(acks).split()
        assert 5 < len(kept) < 60 and f"standard input:{len(kept) + 1}: " in said, said
        assert set(pool("scan", "--keys-only").lines()) == set(kept)
        pool("check")
        pool("del", "k0")
        pool("put", "small", "fits again")
        pool("check")


# ---- allocation classes ----

def classes_of(pool, *options):
    return {c["unit_bytes"]: c for c in pool("class list", "--json", *options).json()["classes"]}


@test
def every_class_command_has_its_help():
    for name in ("list", "add", "retire", "suggest"):
        assert f"Usage: nacre class {name} " in nacre("class", name, "--help").out.decode()
    nacre("class", code=USAGE)
    nacre("class", "lend", code=USAGE)
    nacre("class", "list", code=USAGE)


@test
def classes_are_made_with_the_pool_added_retired_and_there_at_the_next_open():
    with Pool(None) as pool:
        made = pool("create", "--size", "4MiB", "--class", "400", "--class", "640:64", "--record", "16:270",
                    "--json").json()
        assert made["classes"] == [400, 640, 304], made
        assert classes_of(pool)[640]["align"] == 64 and 304 in classes_of(pool)
        assert b"added" in pool("class add", "1008", "--record", "8:1100").out
        assert pool("class add", "2000", "--json").json()["added"] == [2000]
        put_all(pool, {b"%016d" % i: b"v" * 270 for i in range(10)})
        assert pool("class retire", "304", "--json").json()["retired"] == [304]
        seen = classes_of(pool)
        assert seen[304]["state"] == "retired" and seen[304]["live_units"] == 10
        assert seen[1008]["state"] == seen[1120]["state"] == seen[2000]["state"] == "live"
        assert set(classes_of(pool, "--used")) < set(seen) and 304 in classes_of(pool, "--used")
        for c in seen.values():
            assert c["live_bytes"] + c["free_bytes"] + c["tail_bytes"] == c["slab_bytes"], c
        assert len(pool.pairs()) == 10, "what a retired class holds stays readable"
        pool("put", "%016d" % 3, "w" * 270)
        assert classes_of(pool)[304]["live_units"] == 9
        assert classes_of(pool)[320]["live_units"] == 2, "the next size up, which a directory node has too"
        pool("class add", "304")
        assert classes_of(pool)[304]["state"] == "live"
        text = pool("class list").out.decode()
        assert "1008" in text and "live" in text
        info = pool("info").out.decode()
        assert "class.304 " in info and "fragmentation_permille" in info
        pool("check")


@test
def wrong_classes_name_the_numbers_and_change_nothing():
    with Pool("4MiB") as pool:
        before = classes_of(pool)
        for arguments, says in ((["40"], "40"), (["30"], "32"), (["2097168"], "2097152"), (["96:64"], "64"),
                                (["x"], "x"), (["1:2:3"], "1:2:3"), (["--record", "16"], "KEY:VALUE"), ([], "--record")):
            pool("class add", *arguments, code=USAGE, says=says)
        pool("class add", "64", code=IO, says="64")
        pool("class retire", "1000", code=IO, says="1000")
        pool("class retire", "64")
        pool("class retire", "64", code=IO, says="retired already")
        pool("class add", "64")
        assert classes_of(pool) == before
        with Pool(None) as other:
            other("create", "--size", "4MiB", "--class", "41", code=USAGE, says="41")
            other("create", "--size", "4MiB", "--class", "2097168", code=USAGE, says="2097152")
            assert not os.path.exists(other.path)
        for command in ("list", "suggest"):
            nacre("class", command, pool.file("absent"), code=IO)
        for command in (("class add", "304"), ("class retire", "64")):
            os.chmod(pool.path, 0o444)
            if os.geteuid() != 0:
                pool(*command, code=IO)
        os.chmod(pool.path, 0o644)


@test
def the_last_class_for_segments_is_not_retired():
    with Pool("1MiB") as pool:
        units = sorted(classes_of(pool), reverse=True)
        refused = [u for u in units if pool("class retire", u, code=(OK, USAGE)).code == USAGE]
        assert refused, "some class must stay"
        assert "segment" in pool("class retire", refused[0], code=USAGE).err
        put_all(pool, {b"k%d" % i: b"v" for i in range(100)})
        pool("check")


@test
def suggest_finds_the_size_of_the_records_and_its_command_works():
    with Pool("8MiB") as pool:
        put_all(pool, {b"%08d" % i: b"v" * 272 for i in range(300)})
        before = read(pool.path)
        advice = pool("class suggest", "--json").json()
        assert read(pool.path) == before, "suggest only reads"
        assert advice["records"] == 300 and advice["record_bytes"] == 300 * 292
        assert [c["unit_bytes"] for c in advice["classes"]] == [304]
        assert advice["waste_after_bytes"] < advice["waste_before_bytes"] == 300 * (322 - 292)  # 65536 / 204
        text = pool("class suggest", "--plot").out.decode()
        assert "300 records" in text and "####" in text and advice["command"] in text
        assert "####" not in pool("class suggest").out.decode(), "no plot where there is no terminal"
        subprocess.run(advice["command"].replace("nacre", NACRE, 1), shell=True, check=True, stdout=subprocess.DEVNULL)
        assert 304 in classes_of(pool)
        assert pool("class suggest", "--json").json()["classes"] == []
        assert "no further class" in pool("class suggest").out.decode()
        assert len(pool("class suggest", "--max", "1", "--json").json()["classes"]) == 0
        pool("class suggest", "--max", "65", code=USAGE)


@test
def suggest_draws_a_plot_on_a_terminal():
    try:
        ours, theirs = os.openpty()
    except OSError:
        return  # this machine lends no terminal, as a bare chroot without /dev/pts
    process = subprocess.Popen([NACRE, "class", "suggest", "--histogram", "-"], stdin=subprocess.PIPE, stdout=theirs)
    os.close(theirs)
    process.communicate(b"270 10\n900 5\n", timeout=30)
    said = os.read(ours, 10000)
    os.close(ours)
    assert process.returncode == OK and b"####" in said and b"272" in said, said


@test
def suggest_takes_a_histogram_with_and_without_a_pool():
    with Pool("4MiB") as pool:
        file = pool.file("sizes", b"# bytes count\n\n270 1000000\n1500\t20000 # odd\n270 1\r\n0 5\n")
        advice = nacre("class", "suggest", "--histogram", file, "--json").json()
        assert advice["records"] == 1020006 and "pool" not in advice
        assert [c["unit_bytes"] for c in advice["classes"]] == [272, 1504]
        assert advice["classes"][0]["records"] == 1000001
        assert "class add POOL 272 1504" in nacre("class", "suggest", "--histogram", "-", stdin=read(file)).out.decode()
        pool("class add", "272")
        rest = pool("class suggest", "--histogram", file, "--json").json()["classes"]
        assert [c["unit_bytes"] for c in rest] == [1504]
        large = nacre("class", "suggest", "--histogram", "-", "--json", stdin=b"10000000 3\n").json()
        assert large["too_large"] == 3 and large["records"] == 0
        for line in (b"x 1", b"1", b"1 x", b"1 2 3", b"-1 2", b"1 99999999999999999999", b"1 -2"):
            nacre("class", "suggest", "--histogram", "-", stdin=b"16 1\n" + line + b"\n", code=USAGE, says=":2:")
        nacre("class", "suggest", "--histogram", "-", stdin=b"100 18446744073709551615\n", code=IO, says="histogram")
        nacre("class", "suggest", code=USAGE, says="POOL")
        nacre("class", "suggest", "--histogram", pool.file("none"), code=IO)


# ---- endings ----

@test
def a_full_standard_output_exits_3():
    with Pool() as pool:
        pool("put", "a", "1")
        for command in (["get", "a"], ["exists", "a"], ["count"], ["scan"], ["dump"], ["info"], ["stats"], ["check"]):
            with open("/dev/full", "wb") as full:
                process = subprocess.run([NACRE, command[0], pool.path] + command[1:], stdout=full,
                                         stderr=subprocess.PIPE, timeout=60)
            assert process.returncode == IO, (command, process)
            assert b"standard output" in process.stderr, process.stderr
        pool("get", "a", "--out", "/dev/full", code=IO, says="/dev/full")
        pool("dump", "/dev/full", code=IO, says="/dev/full")


@test
def a_reader_that_goes_away_ends_a_scan_quietly():
    with Pool("4MiB") as pool:
        put_all(pool, {b"k%d" % i: b"v" * 3000 for i in range(400)})
        process = subprocess.Popen([NACRE, "scan", pool.path], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == -signal.SIGPIPE
        process.stderr.close()


@test
def what_was_acknowledged_before_a_kill_is_there():
    with Pool("8MiB") as pool:
        for round_ in range(3):
            acks = pool.file("acks")
            process = subprocess.Popen([NACRE, "load", pool.path, "-", "--ack", acks], stdin=subprocess.PIPE)
            try:
                process.stdin.write(b"".join(b"%d-%d\tvalue %d\n" % (round_, i, i * i) for i in range(3000)))
                process.stdin.flush()
                end = time.time() + 30
                while time.time() < end and len(read(acks).split() if os.path.exists(acks) else []) < 50:
                    time.sleep(0.002)
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait(30)
                try:
                    process.stdin.close()
                except BrokenPipeError:
                    pass
            acknowledged = read(acks).split()
            assert len(acknowledged) >= 50
            pairs = pool.pairs()  # a read-only open after a kill
            for key in acknowledged:
                assert pairs.get(key) == b"value %d" % (int(key.split(b"-")[1]) ** 2), key
            extra = [k for k in pairs if k.startswith(b"%d-" % round_) and k not in set(acknowledged)]
            assert len(extra) <= 1, "only the put that was in flight may be there without its acknowledgement"
            assert pool("check").code == OK


@test
def info_and_stats_and_check_print_figures():
    with Pool() as pool:
        put_all(pool, {b"k%d" % i: b"v" for i in range(10)})
        for command in ("info", "stats", "check"):
            assert len(pool(command).lines()) >= 2, command
        assert pool("check").lines()[-1].endswith(b": sound")


@test
def read_commands_never_write_to_the_file():
    with Pool("2MiB") as pool:
        put_all(pool, odd_pairs())
        before = read(pool.path)
        for command in (["get", "#"], ["get", "absent"], ["exists", "#"], ["count"], ["scan"], ["dump"], ["info"],
                        ["stats"], ["check"], ["class list"], ["class suggest"]):
            pool(*command, code=NEGATIVE if "absent" in command else OK)
            assert read(pool.path) == before, command
        os.chmod(pool.path, 0o444)
        assert pool("count").out == b"%d\n" % len(odd_pairs())


@test
def a_pool_grows_and_shrink_gives_the_empty_end_back():
    with Pool("1MiB") as pool:
        put_all(pool, {b"small": b"1"})
        tsv = b"".join(b"k%d\t%s\n" % (i, b"v" * 20000) for i in range(300))
        pool("load", "-", stdin=tsv)
        large = os.path.getsize(pool.path)
        assert large > 6 << 20, large
        figures = json.loads(pool("info", "--json").out)
        assert figures["pool_bytes"] == figures["medium_bytes"] == large
        pool("check")
        for i in range(300):
            pool("del", "k%d" % i)
        said = json.loads(pool("shrink", "--json").out)
        assert said["before_bytes"] == large and said["after_bytes"] == os.path.getsize(pool.path) < 2 << 20, said
        pool("check")
        assert pool("get", "small").out == b"1\n"
        assert b"now" in pool("shrink").out
        pool("load", "-", stdin=tsv)
        pool("check")


@test
def max_size_of_create_holds_for_every_later_writer():
    with Pool("1MiB", "--max-size", "3MiB") as pool:
        for i in range(2):
            said = pool("load", "-", stdin=b"".join(b"%d/%d\t%s\n" % (i, k, b"v" * 20000) for k in range(300)), code=IO).err
            assert "at most 3145728 bytes" in said, said
            assert os.path.getsize(pool.path) <= 3 << 20
        pool("check")
    nacre("create", "/tmp/never", "--size", "2MiB", "--max-size", "1MiB", code=USAGE, says="--max-size")


@test
def the_medium_can_be_named():
    with Pool(None) as pool:
        pool("create", "--size", "2M", "--medium", "msync")
        pool("put", "a", "1", "--medium", "msync")
        assert pool("get", "a", "--medium", "auto").out == b"1\n"
        assert "msync" in pool("info", "--medium", "msync").out.decode()


def main():
    chosen = [t for t in TESTS if not sys.argv[1:] or any(a in t.__name__ for a in sys.argv[1:])]
    if not os.access(NACRE, os.X_OK):
        print(f"Bail out! NACRE={NACRE} is no program")
        return 1
    print(f"1..{len(chosen)}")
    failed = 0
    for number, function in enumerate(chosen, 1):
        began = time.time()
        try:
            function()
            verdict = "ok"
        except Exception:  # a test that fails in any way is a failed test
            verdict = "not ok"
            failed += 1
            print("\n".join("# " + line for line in traceback.format_exc().splitlines()))
        print(f"{verdict} {number} - {function.__name__.replace('_', ' ')} ({time.time() - began:.2f} s)", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
