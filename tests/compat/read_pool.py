#!/usr/bin/env python3
"""An independent reader of a Nacre pool: written from docs/FORMAT.md, with nothing but the standard library.

usage: read_pool.py [--table NAME] [--hex] [--check] POOL

Prints key TAB value for each pair of a table ("default" unless told), escaped as `nacre scan` does it, or in
hexadecimal. Verifies the check of every line and the crc of every record on its way. A pool that was not closed is
recovered first, in memory: the file is only read.

--check walks all tables and accounts for every unit: each allocated one is reached exactly once.
It needs no hash function, for it looks nothing up: it walks.

Exit codes: 0 done, 1 no such table, 4 the pool is damaged, 5 another version or an unknown feature.
"""

import argparse
import mmap
import struct
import sys

LINE, PAGE, WORDS = 64, 4096, 7
CLASS_TABLE, ZONE_TABLE, LANES = 2 * PAGE, 3 * PAGE, 4 * PAGE
MAGIC = 0x317665726361_4E89
SEQ_MASK = (1 << 48) - 1
BUSY = 1 << 63
OFF_MASK = (1 << 40) - 1
U64 = (1 << 64) - 1


class Damaged(Exception):
    pass


class Incompatible(Exception):
    pass


# ---- checksums: CRC-32C without the inversions before and after ----

def crc_table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


CRC = crc_table()


def crc32c(crc, data):
    table = CRC
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return crc


def crc_u64(crc, word):
    return crc32c(crc, struct.pack("<Q", word))


def rotl(x, bits):
    return (x << bits | x >> 32 - bits) & 0xFFFFFFFF


def make_guard(salt, off, words, seq):
    a = crc32c(crc_u64(salt, off), struct.pack("<3Q", *words[0:3]))
    b = crc32c(0, struct.pack("<3Q", *words[3:6]))
    c = crc32c(0, struct.pack("<2Q", words[6], seq))
    x = a ^ rotl(b, 30) ^ rotl(b, 1) ^ rotl(c, 30) ^ rotl(c, 18)
    fold = (x ^ x >> 16 ^ x >> 27) & 0x3FFF
    every = seq
    for word in words:
        every ^= word
    return (fold | (bin(every ^ fold).count("1") & 1) << 14) << 48 | seq


def make_lane_word(salt, off, seq):
    crc = crc_u64(crc_u64(salt, off), seq)
    return seq | ((crc ^ crc >> 16 ^ 0x5A5A) & 0xFFFF) << 48


class Pool:
    def __init__(self, image):
        self.image = image
        self.read_superblock()
        self.lane_bytes = (1 + self.lane_cells) * LINE
        self.recover()
        roots = self.one_good([(copy + 2 * LINE, self.salt) for copy in (0, PAGE)], "roots")
        self.pool_bytes, self.state, self.catalogue = roots[:3]
        if self.pool_bytes > len(image):
            raise Damaged(f"the pool has {self.pool_bytes} bytes, its file {len(image)}")
        self.read_zones()
        self.read_classes()

    # ---- bytes ----

    def words(self, off, count):
        if off < 0 or off + 8 * count > len(self.image):
            raise Damaged(f"offset {off} lies outside the pool")
        return struct.unpack_from(f"<{count}Q", self.image, off)

    def line(self, off, salt=None):
        """The seven words of a guarded line, its check verified."""
        *words, guard = self.words(off, 8)
        if make_guard(self.salt if salt is None else salt, off, words, guard & SEQ_MASK) != guard & ~BUSY:
            raise Damaged(f"line at offset {off} fails its check")
        return words

    def one_good(self, places, what):
        for off, salt in places:
            try:
                return self.line(off, salt)
            except Damaged:
                continue
        raise Damaged(f"both copies of the superblock's {what} line are damaged")

    # ---- superblock and geometry ----

    def read_superblock(self):
        if len(self.image) < LANES or MAGIC not in (self.words(0, 1)[0], self.words(PAGE, 1)[0]):
            raise Damaged("not a Nacre pool")
        identity = self.one_good([(0, 0), (PAGE, 0)], "identity")
        magic, version, _compat, _ro_compat, incompat, lo, hi = identity
        if magic != MAGIC:
            raise Damaged("not a Nacre pool")
        if version != 1 or incompat != 0:
            raise Incompatible(f"format version {version}, incompatible features {incompat:x}")
        self.identity = lo, hi
        self.salt = crc_u64(crc_u64(0x6E616372, lo), hi)
        geometry = self.one_good([(LINE, 0), (PAGE + LINE, 0)], "geometry")
        self.chunk_bytes = geometry[0]
        self.lane_count, self.lane_cells = geometry[1] & 0xFFFFFFFF, geometry[1] >> 32
        client = geometry[2]
        self.segment_lines, self.dir_bits = client & 0xFFFF, client >> 16 & 0xFF
        self.tag_skip, self.stash_lines = client >> 24 & 0xFF, client >> 32 & 0xFF
        if self.chunk_bytes == 0 or self.chunk_bytes & (self.chunk_bytes - 1) or self.segment_lines == 0:
            raise Damaged("the geometry makes no sense")
        self.home_lines = self.segment_lines - 1 - self.stash_lines
        self.dir_lines = -(-(1 << self.dir_bits) // WORDS)
        self.catalogue_lines = max(4, self.dir_lines)

    # ---- zones and chunks: a chunk is named by its offset divided by chunk_bytes ----

    def read_zones(self):
        """self.zones: (first metadata byte, first chunk, capacity, chunks that exist) of each zone."""
        frames = self.pool_bytes // self.chunk_bytes
        align = max(PAGE, self.chunk_bytes)
        frame = -(-(LANES + self.lane_count * self.lane_bytes) // align) * align // self.chunk_bytes
        self.bitmap_lines = -(-(self.chunk_bytes // 32) // 448)
        self.zones, ended = [], False
        for off in range(ZONE_TABLE, ZONE_TABLE + PAGE, LINE):
            for capacity in self.line(off):
                if capacity and ended:
                    raise Damaged("the zone table goes on behind an empty word")
                if ended := capacity == 0:
                    continue
                meta_bytes = (-(-capacity // WORDS) + capacity * self.bitmap_lines) * LINE
                first = frame + -(-meta_bytes // self.chunk_bytes)
                self.zones.append((frame * self.chunk_bytes, first, capacity, max(0, min(capacity, frames - first))))
                frame = first + capacity
        if not self.zones or frames < self.zones[-1][1]:
            raise Damaged("the zones do not fit the pool")

    def zone_of(self, chunk):
        for zone in self.zones:
            if zone[1] <= chunk < zone[1] + zone[3]:
                return zone
        raise Damaged(f"frame {chunk} is no chunk")

    # ---- the log ----

    def recover(self):
        """Brings every line that a counting record names to the end of its chain. Changes our image only."""
        links = {}
        for lane in range(self.lane_count):
            header = LANES + lane * self.lane_bytes
            seal, retired = self.words(header, 2)
            for off, word in ((header, seal), (header + 8, retired)):
                if make_lane_word(self.salt, off, word & SEQ_MASK) != word:
                    raise Damaged(f"header of lane {lane} fails its check")
            records = self.scan_lane(header + LINE, retired & SEQ_MASK)
            newest = max(records, default=0)
            for seq, (strict, fresh, updates) in records.items():
                if strict or seq <= seal & SEQ_MASK or seq < newest or all(map(self.fresh_is_there, fresh)):
                    for line_off, prev, check, ops in updates:
                        links.setdefault(line_off, []).append((seq, prev, check, ops))
        self.recovered_lines = sum(self.apply_chain(off, chain) for off, chain in links.items())

    def scan_lane(self, cells_off, retired):
        """The records with a good crc and a seq above `retired`: {seq: (strict, fresh ranges, line updates)}."""
        records, half = {}, self.lane_cells // 2
        for cell in range(self.lane_cells):
            off = cells_off + cell * LINE
            crc, cells, low, high, flags = struct.unpack_from("<IHHIB", self.image, off)
            if not 1 <= cells <= half - cell % half or flags > 1:
                continue
            record = self.image[off:off + cells * LINE]
            if crc32c(crc32c(crc_u64(self.salt, off ^ 0x4C4F47), record[8:]), record[4:8]) != crc:
                continue
            seq = low | high << 16
            if seq > retired:
                records[seq] = self.parse(record, seq, flags)
        return records

    @staticmethod
    def parse(record, seq, flags):
        at = 13

        def number(count):
            nonlocal at
            at += count
            return int.from_bytes(record[at - count:at], "little")

        def varint():
            value = shift = 0
            while True:
                byte = number(1)
                value |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    return value

        fresh_count, lines = varint(), varint()
        fresh = [(number(5) * 16, varint(), number(4)) for _ in range(fresh_count)]
        updates = []
        for _ in range(lines):
            line_off, prev, check, ops = number(5) * LINE, seq - varint(), number(2), []
            more = True
            while more:
                head = number(1)
                word, kind, wide, more = head & 7, head >> 3 & 3, head >> 5 & 1, head >> 6 & 1
                if kind == 3:
                    high = number(3)
                    kind, operand = 0, high << 40 | fresh[number(1) if wide else 0][0] // 16
                else:
                    operand = number(8) if kind == 0 or wide else 1 << number(1)
                ops.append((word, kind, operand))
            updates.append((line_off, prev, check, ops))
        if at > len(record) or any(record[at:]):
            raise Damaged(f"log record {seq} does not parse")
        return bool(flags & 1), fresh, updates

    def fresh_is_there(self, fresh):
        off, size, crc = fresh
        if size < 4 or off + size > len(self.image):
            return False
        stored = struct.unpack_from("<I", self.image, off)[0]
        return stored == crc == crc32c(crc_u64(self.salt, off), self.image[off + 4:off + size])

    def apply_chain(self, off, chain):
        chain.sort(key=lambda link: link[0])
        first = len(chain) - 1
        while first > 0 and chain[first - 1][0] == chain[first][1]:
            first -= 1
        *words, guard = self.words(off, 8)
        end = chain[-1][0]
        if guard & SEQ_MASK > end:
            return 0
        for _, _, _, ops in chain[first:]:
            for word, kind, operand in ops:
                words[word] = operand if kind == 0 else words[word] | operand if kind == 1 else words[word] & ~operand
        struct.pack_into("<8Q", self.image, off, *words, chain[-1][2] << 48 | end)
        return 1

    # ---- classes, chunks, units ----

    def read_classes(self):
        self.classes = []
        for off in range(CLASS_TABLE, CLASS_TABLE + PAGE, LINE):
            self.classes += [(word & 0xFFFFFFFF, word >> 40 & 0xFF) for word in self.line(off)]

    def chunk_word(self, chunk):
        meta, first, _, _ = self.zone_of(chunk)
        return self.line(meta + (chunk - first) // WORDS * LINE)[(chunk - first) % WORDS]

    def bitmap(self, chunk):
        """All bits of a chunk's bitmap as one number: unit u is bit u."""
        (meta, first, capacity, _), bits = self.zone_of(chunk), 0
        for i in range(self.bitmap_lines):
            off = meta + (-(-capacity // WORDS) + (chunk - first) * self.bitmap_lines + i) * LINE
            for w, word in enumerate(self.line(off)):
                bits |= word << (i * WORDS + w) * 64
        return bits

    def allocated_units(self):
        """The offset and size of every unit whose bit is set, and of every extent."""
        units = {}
        for _, first, _, count in self.zones:
            chunk = first
            while chunk < first + count:
                chunk += self.read_run(chunk, first + count - chunk, units)
        return units

    def read_run(self, chunk, room, units):
        """The chunks that the word of `chunk` speaks for; its units go into `units`."""
        word = self.chunk_word(chunk)
        state, written, low = word >> 56, word >> 55 & 1, word & 0xFFFFFFFF
        bits = self.bitmap(chunk) if written else 0
        bad = Damaged(f"chunk {chunk}: its word {word:016x} or its bitmap makes no sense")
        if word >> 32 & 0x7FFFFF or (state != 1 and bits) or (state == 0 and low):
            raise bad
        if state == 0:
            return 1
        unit_bytes, chunks = self.classes[low] if state == 1 and low < len(self.classes) else (0, low)
        if state > 2 or not 1 <= chunks <= room or any(self.chunk_word(chunk + i) >> 56 for i in range(1, chunks)):
            raise bad
        if state == 2:
            units[chunk * self.chunk_bytes] = chunks * self.chunk_bytes
            return chunks
        if not written or unit_bytes == 0 or bits >> chunks * self.chunk_bytes // unit_bytes:
            raise bad
        while bits:
            unit = (bits & -bits).bit_length() - 1
            units[chunk * self.chunk_bytes + unit * unit_bytes] = unit_bytes
            bits &= bits - 1
        return chunks

    # ---- records, catalogue, directory, segments ----

    def record(self, off):
        first, second = self.words(off, 2)
        flags = first >> 32 & 0xFF
        if flags & 8:
            start, key_bytes, value_bytes, table = 16, first >> 40, second & SEQ_MASK, second >> 48
        else:
            start, key_bytes, value_bytes, table = 12, first >> 40 & 0xFF, second & 0xFFFFFFFF, first >> 48
        key_at = off + start
        end = key_at + key_bytes + value_bytes
        if end > self.pool_bytes or flags & ~8 > 1:
            raise Damaged(f"record at offset {off} makes no sense")
        if crc32c(crc_u64(self.salt, off), self.image[off + 4:end]) != first & 0xFFFFFFFF:
            raise Damaged(f"record at offset {off} fails its checksum")
        key = self.image[key_at:key_at + key_bytes]
        return flags & 7, table, bytes(key), bytes(self.image[key_at + key_bytes:end]), end - off

    def tables(self, reached):
        """(state, id, name, root entry) of every catalogue line in use."""
        node = self.catalogue
        while node:
            header = self.line(node)
            if header[0] != 0x474C544341434E41:
                raise Damaged(f"catalogue node at offset {node} has no magic")
            self.reach(reached, node, self.catalogue_lines * LINE)
            for i in range(1, self.catalogue_lines):
                head, name_off, root, _count = self.line(node + i * LINE)[:4]
                if head == 0:
                    continue
                name = None
                if name_off:
                    kind, _, name, rest, size = self.record(name_off)
                    if kind != 1 or rest:
                        raise Damaged(f"record at offset {name_off} is no table name")
                    self.reach(reached, name_off, size)
                yield head & 0xFF, head >> 32 & 0xFFFF, name, root
            node = header[1]

    def reach(self, reached, off, size):
        if off in reached:
            raise Damaged(f"offset {off} is reached twice")
        reached[off] = size

    def pairs(self, table, root, reached):
        if root:
            yield from self.entry(table, root, 0, 0, 0, reached)

    def entry(self, table, entry, prefix, bits, floor, reached):
        """What a directory entry leads to. The place of the entry fixes the top `bits` bits of the hash, of which its
        node's parents fix `floor`."""
        kind, depth, off = entry >> 62, entry >> 56 & 63, (entry & OFF_MASK) * 16
        if entry >> 40 & 0xFFFF or kind not in (1, 2):
            raise Damaged(f"directory entry {entry:016x} makes no sense")
        if kind == 1:
            if depth > bits or (bits and depth <= floor):
                raise Damaged(f"directory entry {entry:016x} has a depth that does not fit its place")
            yield from self.segment(table, off, depth, prefix, reached)
            return
        self.reach(reached, off, self.dir_lines * LINE)
        entries = []
        for i in range(self.dir_lines):
            entries += self.line(off + i * LINE)
        below, at = bits + self.dir_bits, 0
        while at < 1 << self.dir_bits:
            copies = 1
            if entries[at] >> 62 == 1:
                copies = 1 << max(0, below - (entries[at] >> 56 & 63))
            if at % copies or len(set(entries[at:at + copies])) != 1:
                raise Damaged(f"directory node at offset {off}: the copies of entry {at} differ")
            if entries[at]:
                yield from self.entry(table, entries[at], prefix | at << 64 - below, below, bits, reached)
            at += copies

    def segment(self, table, off, depth, prefix, reached):
        header = self.line(off)
        if header[:3] != [0x53474853 | depth << 32, prefix, table]:
            raise Damaged(f"segment at offset {off}: its header does not fit the entry that leads to it")
        self.reach(reached, off, self.segment_lines * LINE)
        for i in range(1, self.segment_lines):
            for slot in self.line(off + i * LINE):
                record_off = (slot & OFF_MASK) * 16
                if record_off == 0:
                    continue
                kind, owner, key, value, size = self.record(record_off)
                if kind != 0 or owner != table:
                    raise Damaged(f"record at offset {record_off} is not of table {table}")
                self.reach(reached, record_off, size)
                yield key, value


def escaped(data):
    """The bytes as one field of a line, as the nacre command writes them."""
    out = []
    for char in data.decode("utf-8", "surrogateescape"):
        code = ord(char)
        if char in "\\\t\n":
            out.append({"\\": "\\\\", "\t": "\\t", "\n": "\\n"}[char].encode())
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(b"\\x%02x" % (code - 0xDC00))
        elif code < 0x20 or 0x7F <= code < 0xA0:
            out += [b"\\x%02x" % byte for byte in char.encode()]
        else:
            out.append(char.encode())
    return b"".join(out)


def check(pool):
    reached, keys = {}, 0
    for _state, table, _name, root in list(pool.tables(reached)):
        keys += sum(1 for _ in pool.pairs(table, root, reached))
    allocated = pool.allocated_units()
    for off, size in reached.items():
        if off not in allocated:
            raise Damaged(f"offset {off} is reached, but no allocated unit starts there")
        if size > allocated[off]:
            raise Damaged(f"offset {off}: {size} bytes in a unit of {allocated[off]}")
    lost = set(allocated) - set(reached)
    if lost:
        raise Damaged(f"{len(lost)} allocated units are reached from nowhere, the first at offset {min(lost)}")
    print(f"keys {keys}, units {len(allocated)}, recovered lines {pool.recovered_lines}, "
          f"{'dirty' if pool.state & 1 else 'clean'}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--table", default="default")
    parser.add_argument("--hex", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("pool")
    args = parser.parse_args()
    out = sys.stdout.buffer
    with open(args.pool, "rb") as file:
        pool = Pool(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        if args.check:
            return check(pool)
        show = (lambda b: b.hex().encode()) if args.hex else escaped
        for state, table, name, root in list(pool.tables({})):
            if state == 1 and name == args.table.encode():
                for key, value in pool.pairs(table, root, {}):
                    out.write(show(key) + b"\t" + show(value) + b"\n")
                return 0
    print(f"read_pool: there is no table {args.table}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Damaged, ValueError, struct.error) as damage:
        print(f"read_pool: {damage}", file=sys.stderr)
        sys.exit(4)
    except Incompatible as other:
        print(f"read_pool: {other}", file=sys.stderr)
        sys.exit(5)
