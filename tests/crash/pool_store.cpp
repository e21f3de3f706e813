#include "tests/crash/pool_store.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <span>

#include "alloc/sealed_range.h"
#include "alloc/superblock_layout.h"
#include "tests/crash/damage_trials.h"
#include "tests/crash/pool_oracle.h"
#include "tests/crash/pool_trials.h"

namespace nacre::crash {

using alloc::Commit;
using alloc::GuardedLine;
using alloc::UnitUse;

namespace {

constexpr pmem::Site kRecordFlush{"pool_client.record_flush"};
constexpr pmem::Site kNodeFlush{"pool_client.node_flush"};

// Every fourth record is all zeros: taken for a guarded line, it would be one that any log record is newer
// than.
uint64_t pattern(uint64_t seed, uint64_t word) { return seed % 4 == 0 ? 0 : mix64(seed + word); }

void fill_pattern(uint64_t seed, std::span<std::byte> bytes) {
  for (uint64_t n = 0; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), kWordBytes)), ++n) {
    const uint64_t word = pattern(seed, n);
    std::memcpy(bytes.data(), &word, std::min(bytes.size(), sizeof word));
  }
}

bool has_pattern(uint64_t seed, std::span<const std::byte> bytes) {
  uint64_t different = 0;
  for (uint64_t n = 0; !bytes.empty(); bytes = bytes.subspan(std::min(bytes.size(), kWordBytes)), ++n) {
    const uint64_t expected = pattern(seed, n);
    uint64_t word = expected;  // what is behind the end is right
    std::memcpy(&word, bytes.data(), std::min(bytes.size(), sizeof word));
    different |= word ^ expected;
  }
  return different == 0;
}

/// What word `word` of the notes says when their number is this one; never what a slot or a single bit looks like.
uint64_t note_word(uint64_t number, uint32_t word) {
  return word == 0 ? number : mix64(number * alloc::kLineWords + word) | uint64_t{0x8000000000000003};
}

}  // namespace

Status PoolStore::make_root() {
  Commit c(*pool_);
  uint64_t root;
  NACRE_TRY(c.begin());
  NACRE_TRY(c.allocate(kLineBytes, UnitUse::lines, root));
  write_line(c, root, {});
  c.finish_fresh();
  NACRE_TRY(c.lock(alloc::kRootsLines, 2, 2));
  for (uint64_t off : alloc::kRootsLines) c.set_word(off, alloc::kCatalogueWord, root);
  return c.publish();
}

Status PoolStore::in_thread(uint32_t thread, const std::function<Status()>& work) {
  if (thread == 0) return work();
  std::unique_ptr<Worker>& worker = workers_[thread % kThreads];
  if (!worker) worker = std::make_unique<Worker>();
  Status status;
  worker->run([&] { status = work(); });
  return status;
}

Status PoolStore::open(bool by_another) {
  alloc::Pool::prefer_lane(lane_);  // a thread's choice outlives its pools
  root_ = pool_->line(alloc::kRootsLines[0])->words[alloc::kCatalogueWord];
  if (root_ == 0) {
    NACRE_TRY(in_thread(by_another ? 1 : 0, [this] {
      alloc::Pool::prefer_lane(lane_);
      return make_root();
    }));
    root_ = pool_->line(alloc::kRootsLines[0])->words[alloc::kCatalogueWord];
  }
  return Code::ok;
}

Status PoolStore::apply(std::string_view op) {
  for (const PoolCall& c : parse_calls(op))
    NACRE_TRY(in_thread(c.thread, [&] { return call(c.what, c.thread % kThreads); }));
  return Code::ok;
}

Status PoolStore::call(std::string_view op, uint32_t thread) {
  alloc::Pool::prefer_lane(lane_);
  if (op.starts_with("put:")) return put(parse_puts(op));
  if (op.starts_with("del:")) return remove(numbers(op));
  if (op.starts_with("move:")) return move(numbers(op)[0]);
  if (op.starts_with("drop:")) return drop(numbers(op)[0]);
  if (op.starts_with("note:")) return note(numbers(op)[0]);
  if (op.starts_with("lane:")) return lane_ = static_cast<int>(numbers(op)[0]), Code::ok;
  if (op == "epoch" || op == "retire") return pool_->advance(op == "retire"), Code::ok;
  if (op == "reclaim") return pool_->reclaim(), Code::ok;
  if (op.starts_with("read:")) return read_record(thread, numbers(op)[0]);
  if (op.starts_with("peek:")) return read_node(thread, numbers(op)[0]);
  if (op == "look") return end_read(thread);
  if (op == "shrink") return pool_->shrink();
  if (op.starts_with("try:")) return trial(op);
  return Code::invalid_argument;
}

Observation PoolStore::check() {
  Observation seen;
  alloc::HeapCheck heap(*pool_);
  heap.check_metadata();
  const PoolModel content = dump(&heap);
  heap.finish();
  if (heap.account().sum() != pool_->layout().pool_bytes())
    heap.problem("the parts sum up to %llu bytes", static_cast<unsigned long long>(heap.account().sum()));
  const std::string trouble = pool_trouble(*pool_);
  if (!trouble.empty()) heap.problem("%s", trouble.c_str());
  // Leaked units are problems, too; they are named there.
  if (heap.problem_count() != 0) seen.problem = heap.problems()[0];
  seen.leaked_bytes = heap.account().leaked_bytes;
  seen.fingerprint = content.fingerprint();
  return seen;
}

std::string PoolStore::text() {
  alloc::HeapCheck heap(*pool_);
  return dump(&heap).text();
}

void PoolStore::write_line(Commit& c, uint64_t off, const std::array<uint64_t, alloc::kLineWords>& words) {
  GuardedLine* line = pool_->line(off);
  std::copy(words.begin(), words.end(), line->words);
  line->guard = alloc::make_guard(c.salt(), off, line->words, c.fresh_seq(off));
  c.flush_fresh_lines(off, kLineBytes, kNodeFlush);
}

void PoolStore::write_record(Commit& c, uint64_t off, const Put& put) {
  std::byte* p = pool_->at<std::byte>(off);
  RecordHead head{0, static_cast<uint32_t>(put.key), put.bytes, put.seed};
  std::memcpy(p, &head, sizeof head);
  fill_pattern(put.seed, {p + sizeof head, put.bytes - sizeof head});
  head.crc = alloc::range_crc(c.salt(), off, p, put.bytes);
  std::memcpy(p, &head.crc, sizeof head.crc);
  c.flush_fresh(off, put.bytes, head.crc, kRecordFlush);
}

Status PoolStore::put(const std::vector<Put>& puts) {
  Commit c(*pool_);
  NACRE_TRY(c.begin());
  std::map<uint64_t, uint64_t> new_nodes;  // node -> offset
  std::vector<uint64_t> records(puts.size());
  for (size_t i = 0; i < puts.size(); ++i) {
    NACRE_TRY(c.allocate(puts[i].bytes, UnitUse::record, records[i]));
    const uint64_t node = puts[i].key / kSlots;
    if (node_off(node) == 0 && !new_nodes.contains(node))
      NACRE_TRY(c.allocate(kLineBytes, UnitUse::lines, new_nodes[node]));
  }
  for (size_t i = 0; i < puts.size(); ++i) write_record(c, records[i], puts[i]);
  for (const auto& [node, off] : new_nodes) {
    std::array<uint64_t, alloc::kLineWords> words{};
    for (size_t i = 0; i < puts.size(); ++i)
      if (puts[i].key / kSlots == node) words[puts[i].key % kSlots] = slot_of_record(records[i], puts[i].key);
    write_line(c, off, words);
  }
  c.finish_fresh();
  for (const Put& put : puts)
    if (const uint64_t old = record_off(put.key); old != 0) NACRE_TRY(c.free(old, UnitUse::record));
  return publish_put(c, puts, records, new_nodes);
}

Status PoolStore::publish_put(Commit& c, const std::vector<Put>& puts, const std::vector<uint64_t>& records,
                              const std::map<uint64_t, uint64_t>& new_nodes) {
  std::set<uint64_t> lines;
  for (const Put& put : puts)
    if (const uint64_t off = node_off(put.key / kSlots); off != 0) lines.insert(off);
  if (!new_nodes.empty()) lines.insert(root_);
  NACRE_TRY(c.lock(std::vector(lines.begin(), lines.end()), lines.size(), puts.size() + new_nodes.size()));
  for (size_t i = 0; i < puts.size(); ++i)
    if (const uint64_t off = node_off(puts[i].key / kSlots); off != 0)
      c.set_word(off, static_cast<uint32_t>(puts[i].key % kSlots), slot_of_record(records[i], puts[i].key));
  for (const auto& [node, off] : new_nodes) c.set_word(root_, static_cast<uint32_t>(node), off);
  return c.publish();
}

Status PoolStore::remove(const std::vector<uint64_t>& keys) {
  Commit c(*pool_);
  NACRE_TRY(c.begin());
  std::set<uint64_t> lines;
  for (uint64_t key : keys) {
    const uint64_t off = record_off(key);
    if (off == 0) return Code::not_found;
    NACRE_TRY(c.free(off, UnitUse::record));
    lines.insert(node_off(key / kSlots));
  }
  NACRE_TRY(c.lock(std::vector(lines.begin(), lines.end()), lines.size(), keys.size()));
  for (uint64_t key : keys) c.set_word(node_off(key / kSlots), static_cast<uint32_t>(key % kSlots), 0);
  return c.publish();
}

Status PoolStore::move(uint64_t node) {
  Commit c(*pool_);
  uint64_t to;
  NACRE_TRY(c.begin());
  const uint64_t from = node_off(node);
  if (from == 0) return Code::not_found;
  NACRE_TRY(c.allocate(kLineBytes, UnitUse::lines, to));
  std::array<uint64_t, alloc::kLineWords> words;
  std::copy_n(pool_->line(from)->words, words.size(), words.begin());
  write_line(c, to, words);
  c.finish_fresh();
  return replace_node(c, node, from, to);
}

Status PoolStore::drop(uint64_t node) {
  Commit c(*pool_);
  NACRE_TRY(c.begin());
  const uint64_t from = node_off(node);
  if (from == 0) return Code::not_found;
  for (uint64_t slot : pool_->line(from)->words)
    if (slot != 0) NACRE_TRY(c.free(off_of_slot(slot), UnitUse::record));
  return replace_node(c, node, from, 0);
}

// The freed line is locked as well, and the commit's seq is above its own.
Status PoolStore::replace_node(Commit& c, uint64_t node, uint64_t from, uint64_t to) {
  NACRE_TRY(c.free(from, UnitUse::lines));
  NACRE_TRY(c.lock(std::array{root_, from}, 1, 1));
  c.raise_seq(alloc::guard_seq(pool_->line(from)->guard));
  c.set_word(root_, static_cast<uint32_t>(node), to);
  return c.publish();
}

// All words of one line, no unit: a record that takes the room that was reserved for it to the last byte.
Status PoolStore::note(uint64_t number) {
  Commit c(*pool_);
  NACRE_TRY(c.begin());
  std::array<uint64_t, alloc::kLineWords> words;
  for (uint32_t w = 0; w < words.size(); ++w) words[w] = note_word(number, w);
  const uint64_t old = root_word(kNotesWord);
  uint64_t off = old;
  if (old == 0) {
    NACRE_TRY(c.allocate(kLineBytes, UnitUse::lines, off));
    write_line(c, off, words);
    c.finish_fresh();
    NACRE_TRY(c.lock(std::array{root_}, 1, 1));
    c.set_word(root_, kNotesWord, off);
    return c.publish();
  }
  NACRE_TRY(c.lock(std::array{off}, 1, words.size()));
  for (uint32_t w = 0; w < words.size(); ++w) c.set_word(off, w, words[w]);
  return c.publish();
}

// ---- readers of other threads ----

Status PoolStore::begin_read(uint32_t thread, const std::byte* at, uint64_t bytes) {
  readings_[thread]->at = at;
  readings_[thread]->seen.assign(at, at + bytes);
  return Code::ok;
}

Status PoolStore::read_record(uint32_t thread, uint64_t key) {
  readings_[thread] = std::make_unique<Reading>(*pool_);
  const uint64_t off = record_off(key);
  if (off == 0) return Code::not_found;
  RecordHead head;
  std::memcpy(&head, pool_->at<std::byte>(off), sizeof head);
  return begin_read(thread, pool_->at<std::byte>(off), head.bytes);
}

Status PoolStore::read_node(uint32_t thread, uint64_t node) {
  readings_[thread] = std::make_unique<Reading>(*pool_);
  const uint64_t off = node_off(node);
  return off == 0 ? Status(Code::not_found) : begin_read(thread, pool_->at<std::byte>(off), kLineBytes);
}

Status PoolStore::end_read(uint32_t thread) {
  const std::unique_ptr<Reading> reading = std::move(readings_[thread]);
  if (reading == nullptr) return Code::ok;
  const bool same = std::equal(reading->seen.begin(), reading->seen.end(), reading->at);
  return same ? Status() : Status::error(Code::corruption, "what a pinned reader read was overwritten");
}

Status PoolStore::trial(std::string_view op) {
  const std::vector<std::string> words = split(op, ':');
  if (words[1] == "refuse") return refuses_damage(*pool_, words[2]);
  return run_trial(*pool_, words[1], {.node_off = node_off(0)}, words.size() > 2 ? std::stoull(words[2]) : 0);
}

// ---- what is there ----

// Everything reachable, marked; what makes no sense is a problem of `heap`.
PoolModel PoolStore::dump(alloc::HeapCheck* heap) {
  PoolModel content;
  if (!line_sound(heap, root_, "root")) return content;
  for (uint64_t node = 0; node < kNodes; ++node) {
    const uint64_t off = node_off(node);
    if (off == 0 || !line_sound(heap, off, "node")) continue;
    content.see_node(node);
    for (uint64_t slot = 0; slot < kSlots; ++slot)
      if (const uint64_t word = pool_->line(off)->words[slot]; word != 0)
        dump_record(heap, off_of_slot(word), node * kSlots + slot, &content);
  }
  dump_notes(heap, &content);
  return content;
}

void PoolStore::dump_notes(alloc::HeapCheck* heap, PoolModel* content) {
  const uint64_t off = root_word(kNotesWord);
  if (off == 0 || !line_sound(heap, off, "notes")) return;
  const uint64_t* words = pool_->line(off)->words;
  for (uint32_t w = 0; w < alloc::kLineWords; ++w)
    if (words[w] != note_word(words[0], w)) heap->problem("word %u of the notes is of another commit", w);
  content->see_notes(words[0]);
}

bool PoolStore::line_sound(alloc::HeapCheck* heap, uint64_t off, const char* what) {
  if (!heap->mark(off, kLineBytes, what)) return false;
  if (off % kLineBytes == 0 && alloc::line_intact(pool_->salt(), off, *pool_->line(off))) return true;
  heap->problem("%s line at %llu is damaged", what, static_cast<unsigned long long>(off));
  return false;
}

void PoolStore::dump_record(alloc::HeapCheck* heap, uint64_t off, uint64_t key, PoolModel* content) {
  if (!heap->mark(off, sizeof(RecordHead), "record")) return;
  RecordHead head;
  const std::byte* p = pool_->at<std::byte>(off);
  std::memcpy(&head, p, sizeof head);
  bool sound = head.key == key && head.bytes >= sizeof head && head.bytes <= pool_->layout().pool_bytes() - off &&
               alloc::range_intact(pool_->salt(), off, p, head.bytes);
  sound = sound && has_pattern(head.seed, {p + sizeof head, head.bytes - sizeof head});
  if (sound)
    content->see({key, head.bytes, head.seed});
  else
    heap->problem("record of key %llu at %llu is damaged", static_cast<unsigned long long>(key),
                  static_cast<unsigned long long>(off));
}

}  // namespace nacre::crash
