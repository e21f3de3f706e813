#include "tests/crash/pool_client.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>
#include <span>

#include "alloc/commit.h"
#include "alloc/heap_check.h"
#include "alloc/sealed_range.h"
#include "tests/crash/replay_text.h"
#include "tests/crash/worker.h"
#include "tests/crash/zobrist.h"

namespace nacre::crash {
namespace {

using alloc::Commit;
using alloc::GuardedLine;
using alloc::UnitUse;

constexpr pmem::Site kRecordFlush{"pool_client.record_flush"};
constexpr pmem::Site kNodeFlush{"pool_client.node_flush"};

constexpr uint64_t kNodes = alloc::kLineWords;
constexpr uint64_t kSlots = alloc::kLineWords;
constexpr uint64_t kKeys = kNodes * kSlots;

//  0    4      8       16      24
//  |crc |key   |bytes  |seed   |a byte pattern that follows from the seed ...
struct RecordHead {
  uint32_t crc;
  uint32_t key;
  uint64_t bytes;
  uint64_t seed;
};
static_assert(sizeof(RecordHead) == 24);

struct Put {
  uint64_t key, bytes, seed;
};

std::vector<uint64_t> numbers(std::string_view op) {
  std::vector<uint64_t> n;
  const std::vector<std::string> parts = split(op, ':');
  for (size_t i = 1; i < parts.size(); ++i) n.push_back(std::stoull(parts[i]));
  return n;
}

/// The operation without the thread it runs in.
std::string_view without_thread(std::string_view op) { return op.starts_with('@') ? op.substr(3) : op; }

std::vector<Put> parse_puts(std::string_view op) {
  const std::vector<uint64_t> n = numbers(op);
  std::vector<Put> puts;
  for (size_t i = 0; i + 2 < n.size(); i += 3)
    puts.push_back({n[i] % kKeys, std::max<uint64_t>(n[i + 1], sizeof(RecordHead)), n[i + 2]});
  return puts;
}

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

/// Folded over nodes and records in order of their numbers.
struct Fingerprint {
  uint64_t hash = 1;
  void add(uint64_t v) { hash = mix64(hash ^ v) + 0x9e3779b97f4a7c15ull; }
};

class PoolModel final : public Model {
 public:
  std::unique_ptr<Model> clone() const override { return std::make_unique<PoolModel>(*this); }

  Code apply(std::string_view threaded_op) override {
    const std::string_view op = without_thread(threaded_op);
    if (op.starts_with("put:")) {
      for (const Put& put : parse_puts(op)) {
        nodes_.insert(put.key / kSlots);
        records_[put.key] = put;
      }
    } else if (op.starts_with("del:")) {
      for (uint64_t key : numbers(op))
        if (!records_.contains(key)) return Code::not_found;
      for (uint64_t key : numbers(op)) records_.erase(key);
    } else if (op.starts_with("move:") || op.starts_with("drop:")) {
      const uint64_t node = numbers(op)[0];
      if (!nodes_.contains(node)) return Code::not_found;
      if (op.starts_with("move:")) return Code::ok;
      nodes_.erase(node);
      std::erase_if(records_, [node](const auto& entry) { return entry.first / kSlots == node; });
    }
    return Code::ok;
  }

  uint64_t fingerprint() const override {
    Fingerprint f;
    for (uint64_t node : nodes_) f.add(node);
    for (const auto& [key, put] : records_) f.add(key), f.add(put.bytes), f.add(put.seed);
    return f.hash;
  }
  std::string text() const override {
    std::string text = "nodes";
    for (uint64_t node : nodes_) text += " " + std::to_string(node);
    for (const auto& [key, put] : records_)
      text += ", " + std::to_string(key) + ":" + std::to_string(put.bytes) + ":" + std::to_string(put.seed);
    return text;
  }
  bool has_node(uint64_t node) const { return nodes_.contains(node); }
  void see_node(uint64_t node) { nodes_.insert(node); }
  void see(const Put& put) { records_[put.key] = put; }

 private:
  std::set<uint64_t> nodes_;
  std::map<uint64_t, Put> records_;
};

class PoolStore final : public Store {
 public:
  explicit PoolStore(std::unique_ptr<alloc::Pool> pool) : pool_(std::move(pool)) {}

  Status make_root() {
    Commit c(*pool_);
    uint64_t root;
    NACRE_TRY(c.begin());
    NACRE_TRY(c.allocate(kLineBytes, UnitUse::lines, root));
    write_line(c, root, {});
    c.finish_fresh();
    NACRE_TRY(c.lock(kRootsLines, 2, 2));
    for (uint64_t off : kRootsLines) c.set_word(off, alloc::kCatalogueWord, root);
    return c.publish();
  }

  /// A pool whose making stopped before the root was there holds nothing; it is completed.
  Status open() {
    alloc::Pool::prefer_lane(lane_);  // a thread's choice outlives its pools
    root_ = pool_->line(kRootsLines[0])->words[alloc::kCatalogueWord];
    if (root_ == 0) {
      NACRE_TRY(make_root());
      root_ = pool_->line(kRootsLines[0])->words[alloc::kCatalogueWord];
    }
    return Code::ok;
  }

  Status apply(std::string_view op) override {
    if (!op.starts_with('@')) return apply_here(op);
    std::unique_ptr<Worker>& worker = workers_[static_cast<size_t>(op[1] - '0') % workers_.size()];
    if (!worker) worker = std::make_unique<Worker>();
    Status status;
    worker->run([&] { status = apply_here(without_thread(op)); });
    return status;
  }

  Status apply_here(std::string_view op) {
    alloc::Pool::prefer_lane(lane_);
    if (op.starts_with("put:")) return put(parse_puts(op));
    if (op.starts_with("del:")) return remove(numbers(op));
    if (op.starts_with("move:")) return move(numbers(op)[0]);
    if (op.starts_with("drop:")) return drop(numbers(op)[0]);
    if (op.starts_with("lane:")) return lane_ = static_cast<int>(numbers(op)[0]), Code::ok;
    if (op == "epoch" || op == "retire") return pool_->advance(op == "retire"), Code::ok;
    if (op == "reclaim") return pool_->reclaim(), Code::ok;
    if (op.starts_with("read:")) return begin_read(numbers(op)[0]);
    if (op == "look") return end_read();
    if (op == "shrink") return pool_->shrink();
    return Code::invalid_argument;
  }

  Observation check() override {
    Observation seen;
    alloc::HeapCheck heap(*pool_);
    heap.check_metadata();
    const PoolModel content = dump(&heap);
    heap.finish();
    if (heap.account().sum() != pool_->layout().pool_bytes())
      heap.problem("the parts sum up to %llu bytes", static_cast<unsigned long long>(heap.account().sum()));
    // Leaked units are problems, too; they are named there.
    if (heap.problem_count() != 0) seen.problem = heap.problems()[0];
    seen.leaked_bytes = heap.account().leaked_bytes;
    seen.fingerprint = content.fingerprint();
    return seen;
  }

  std::string text() override {
    alloc::HeapCheck heap(*pool_);
    return dump(&heap).text();
  }
  Status close() override { return pool_->quiesce(); }

 private:
  static constexpr std::array<uint64_t, 2> kRootsLines = {alloc::kSuperblockAOff + alloc::kRootsLineOff,
                                                          alloc::kSuperblockBOff + alloc::kRootsLineOff};

  uint64_t node_off(uint64_t node) const { return node < kNodes ? pool_->line(root_)->words[node] : 0; }
  uint64_t record_off(uint64_t key) const {
    const uint64_t off = node_off(key / kSlots);
    return off == 0 ? 0 : pool_->line(off)->words[key % kSlots];
  }

  void write_line(Commit& c, uint64_t off, const std::array<uint64_t, alloc::kLineWords>& words) {
    GuardedLine* line = pool_->line(off);
    std::copy(words.begin(), words.end(), line->words);
    line->guard = alloc::make_guard(c.salt(), off, line->words, c.fresh_seq(off));
    c.flush_fresh_lines(off, kLineBytes, kNodeFlush);
  }

  void write_record(Commit& c, uint64_t off, const Put& put) {
    std::byte* p = pool_->at<std::byte>(off);
    RecordHead head{0, static_cast<uint32_t>(put.key), put.bytes, put.seed};
    std::memcpy(p, &head, sizeof head);
    fill_pattern(put.seed, {p + sizeof head, put.bytes - sizeof head});
    head.crc = alloc::range_crc(c.salt(), off, p, put.bytes);
    std::memcpy(p, &head.crc, sizeof head.crc);
    c.flush_fresh(off, put.bytes, head.crc, kRecordFlush);
  }

  Status put(const std::vector<Put>& puts) {
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
        if (puts[i].key / kSlots == node) words[puts[i].key % kSlots] = records[i];
      write_line(c, off, words);
    }
    c.finish_fresh();
    for (const Put& put : puts)
      if (const uint64_t old = record_off(put.key); old != 0) NACRE_TRY(c.free(old, UnitUse::record));
    return publish_put(c, puts, records, new_nodes);
  }

  Status publish_put(Commit& c, const std::vector<Put>& puts, const std::vector<uint64_t>& records,
                     const std::map<uint64_t, uint64_t>& new_nodes) {
    std::set<uint64_t> lines;
    for (const Put& put : puts)
      if (const uint64_t off = node_off(put.key / kSlots); off != 0) lines.insert(off);
    if (!new_nodes.empty()) lines.insert(root_);
    NACRE_TRY(c.lock(std::vector(lines.begin(), lines.end()), lines.size(), puts.size() + new_nodes.size()));
    for (size_t i = 0; i < puts.size(); ++i)
      if (const uint64_t off = node_off(puts[i].key / kSlots); off != 0)
        c.set_word(off, static_cast<uint32_t>(puts[i].key % kSlots), records[i]);
    for (const auto& [node, off] : new_nodes) c.set_word(root_, static_cast<uint32_t>(node), off);
    return c.publish();
  }

  Status remove(const std::vector<uint64_t>& keys) {
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

  Status move(uint64_t node) {
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

  Status drop(uint64_t node) {
    Commit c(*pool_);
    NACRE_TRY(c.begin());
    const uint64_t from = node_off(node);
    if (from == 0) return Code::not_found;
    for (uint64_t off : pool_->line(from)->words)
      if (off != 0) NACRE_TRY(c.free(off, UnitUse::record));
    return replace_node(c, node, from, 0);
  }

  // The freed line is locked as well, and the commit's seq is above its own.
  Status replace_node(Commit& c, uint64_t node, uint64_t from, uint64_t to) {
    NACRE_TRY(c.free(from, UnitUse::lines));
    NACRE_TRY(c.lock(std::array{root_, from}, 1, 1));
    c.raise_seq(alloc::guard_seq(pool_->line(from)->guard));
    c.set_word(root_, static_cast<uint32_t>(node), to);
    return c.publish();
  }

  // A reader of another thread: it pins, remembers where the record lies, and sees later whether the bytes are still
  // those. Run by a worker ("@1:read:0" ... "@1:look"), for a pin belongs to its thread.
  struct Reading {
    explicit Reading(alloc::Pool& pool) : pin(pool.epochs()) {}
    alloc::Pin pin;
    const std::byte* at = nullptr;
    std::vector<std::byte> seen;
  };
  Status begin_read(uint64_t key) {
    reading_ = std::make_unique<Reading>(*pool_);
    const uint64_t off = record_off(key);
    if (off == 0) return Code::not_found;
    RecordHead head;
    std::memcpy(&head, pool_->at<std::byte>(off), sizeof head);
    reading_->at = pool_->at<std::byte>(off);
    reading_->seen.assign(reading_->at, reading_->at + head.bytes);
    return Code::ok;
  }
  Status end_read() {
    const std::unique_ptr<Reading> reading = std::move(reading_);
    if (reading == nullptr) return Code::ok;
    const bool same = std::equal(reading->seen.begin(), reading->seen.end(), reading->at);
    return same ? Status() : Status::error(Code::corruption, "what a pinned reader read was overwritten");
  }

  // Everything reachable, marked; what makes no sense is a problem of `heap`.
  PoolModel dump(alloc::HeapCheck* heap) {
    PoolModel content;
    if (!line_sound(heap, root_, "root")) return content;
    for (uint64_t node = 0; node < kNodes; ++node) {
      const uint64_t off = node_off(node);
      if (off == 0 || !line_sound(heap, off, "node")) continue;
      content.see_node(node);
      for (uint64_t slot = 0; slot < kSlots; ++slot)
        if (const uint64_t record = pool_->line(off)->words[slot]; record != 0)
          dump_record(heap, record, node * kSlots + slot, &content);
    }
    return content;
  }

  bool line_sound(alloc::HeapCheck* heap, uint64_t off, const char* what) {
    if (!heap->mark(off, kLineBytes, what)) return false;
    if (off % kLineBytes == 0 && alloc::line_intact(pool_->salt(), off, *pool_->line(off))) return true;
    heap->problem("%s line at %llu is damaged", what, static_cast<unsigned long long>(off));
    return false;
  }

  void dump_record(alloc::HeapCheck* heap, uint64_t off, uint64_t key, PoolModel* content) {
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

  std::unique_ptr<alloc::Pool> pool_;
  uint64_t root_ = 0;
  int lane_ = 0;
  std::unique_ptr<Reading> reading_;  // of a worker, which ends it
  std::array<std::unique_ptr<Worker>, 10> workers_;
};

class PoolClient final : public Client {
 public:
  explicit PoolClient(const Config& config)
      : form_(config_value(config, "form", "strict") == "one" ? alloc::CommitForm::one_fence
                                                              : alloc::CommitForm::strict) {
    const auto number = [&](const char* key, const char* otherwise) {
      return std::stoull(std::string(config_value(config, key, otherwise)));
    };
    size_bytes_ = number("size", "65536");
    max_bytes_ = number("max", "0");
    step_bytes_ = number("step", "8192");
    geometry_.chunk_bytes = static_cast<uint32_t>(number("chunk", "4096"));
    geometry_.lane_count = static_cast<uint32_t>(number("lanes", "2"));
    geometry_.lane_cells = static_cast<uint32_t>(number("cells", "16"));
  }

  uint64_t pool_bytes() const override { return size_bytes_; }
  uint64_t max_bytes() const override { return std::max(size_bytes_, max_bytes_); }
  std::unique_ptr<Model> empty_model() const override { return std::make_unique<PoolModel>(); }

  Status format(std::unique_ptr<pmem::Domain> domain) override {
    return alloc::format_pool(*domain, {.geometry = geometry_, .classes = {}, .identity_lo = 1, .identity_hi = 2});
  }
  Result<std::unique_ptr<Store>> open(std::unique_ptr<pmem::Domain> domain) override {
    NACRE_ASSIGN(auto pool, alloc::Pool::open(std::move(domain), options()));
    auto store = std::make_unique<PoolStore>(std::move(pool));
    NACRE_TRY(store->open());
    return std::unique_ptr<Store>(std::move(store));
  }
  std::string probe(const Model& model, uint64_t salt) const override {
    switch (salt) {
      case 0:
        return "put:0:24:77";
      case 1:
        return "put:1:100:78:15:24:79";
      case 2:
        return static_cast<const PoolModel&>(model).has_node(0) ? "move:0" : "put:2:64:80";
      default:
        return static_cast<const PoolModel&>(model).has_node(0) ? "drop:0" : "put:3:40:81";
    }
  }

 private:
  // Growth happens in the operation that needs it, so that a run is the same each time.
  alloc::PoolOptions options() const {
    alloc::PoolOptions o;
    o.form = form_;
    o.grow = {.helper = false, .step_bytes = step_bytes_};
    return o;
  }

  alloc::CommitForm form_;
  alloc::Geometry geometry_;
  uint64_t size_bytes_, max_bytes_, step_bytes_;
};

std::unique_ptr<Client> make_pool_client(const Config& config) { return std::make_unique<PoolClient>(config); }

// Directed runs: each names the edge it is there for.
struct Directed {
  std::string name, ops;
  std::string config = {};  // added to the form
};
const std::vector<Directed>& directed() {
  // Ten of the first zone's chunks, and more keys than that: the pool is full, or has just grown.
  static const std::string full =
      "put:0:4000:1;put:1:4000:2;put:2:4000:3;put:3:4000:4;put:4:4000:5;put:5:4000:6;put:6:4000:7;put:7:4000:8;"
      "put:8:4000:9;";
  static const std::vector<Directed> runs = {
      {"format", "put:0:24:1"},
      {"lane wraps in one key",
       "put:0:24:1;put:0:24:2;put:0:24:3;put:0:24:4;put:0:24:5;put:0:24:6;put:0:24:7;put:0:24:8"},
      {"unit of a record is reused",
       "put:0:24:1;put:0:24:2;epoch;epoch;epoch;|;put:0:24:3;epoch;epoch;epoch;put:0:24:4"},
      {"line memory is reused as a node",
       "put:0:24:1;move:0;retire;retire;retire;|;move:0;retire;retire;retire;move:0"},
      {"line memory is reused as a record",
       "put:0:24:1;put:1:24:2;move:0;retire;retire;retire;|;put:2:64:4;put:3:64:8;put:4:64:12", ",cells=64"},
      {"line memory is reused after two epochs and one retire",
       "put:0:24:1;put:1:24:2;move:0;epoch;epoch;retire;|;put:2:64:4;put:3:64:8", ",cells=64"},
      {"a freed unit of an idle lane is reused",
       "put:6:24:1;lane:1;put:0:24:2:1:24:3;lane:0;put:0:24:4;epoch;epoch;epoch;put:3:24:6;lane:1;|;put:2:24:5"},
      {"a freed unit of an idle lane is reused, no fence between",
       "put:6:24:1;lane:1;put:0:24:2:1:24:3;lane:0;put:0:24:4;epoch;epoch;epoch;del:5;lane:1;|;put:2:24:5"},
      {"a freed unit of an idle lane is reused, epochs by another thread",
       "put:6:24:1;lane:1;put:0:24:2:1:24:3;lane:0;put:0:24:4;@1:epoch;@1:epoch;@1:epoch;del:5;lane:1;|;put:2:24:5"},
      {"line memory is retired by two threads and reused by a third",
       "put:0:24:1;put:1:24:2;move:0;retire;@1:retire;@1:retire;|;@2:put:2:64:4;@2:put:3:64:8", ",cells=64"},
      {"threads take turns on one lane",
       "put:0:24:1;put:0:24:2;|;@1:put:1:24:3;@2:put:0:24:4;put:2:24:5;@1:put:0:24:6;@2:del:1;put:3:24:7"},
      {"record memory is reused as a line", "put:0:64:1;del:0;epoch;epoch;epoch;|;put:7:24:2;put:14:24:3;put:21:24:4"},
      {"idle lane with its last record in the ring",
       "lane:1;put:0:24:1;lane:0;|;put:1:24:2;epoch;put:0:24:3;epoch;epoch;epoch;put:2:24:4"},
      {"two lanes take turns on one line", "put:0:24:1;|;lane:1;put:1:24:2;lane:0;put:2:24:3;lane:1;put:0:24:4"},
      {"commit of both lanes with frees", "put:0:24:1:7:24:2;|;lane:1;put:0:100:3:7:100:4;lane:0;del:0:7"},
      {"retire while both lanes hold records", "put:0:24:1;lane:1;put:7:24:2;|;retire;lane:0;put:0:24:3;retire"},
      {"a reader is pinned while its record is replaced and the epoch moves",
       "put:0:24:1;put:1:24:2;@1:read:0;put:0:24:3;epoch;epoch;epoch;put:2:24:5;put:3:24:6;epoch;put:4:24:7;@1:look"},
      {"a reader pins after the epoch moved, and its record is replaced",
       "put:0:24:1;epoch;epoch;epoch;@1:read:0;put:0:24:3;epoch;put:2:24:5;put:3:24:6;put:4:24:7;@1:look;epoch;put:5:"
       "24:9"},
      {"a reader pins one epoch later than the writer that replaces its record",
       "put:0:24:1;put:1:24:2;@2:read:1;epoch;@1:read:0;put:0:24:3;@2:look;epoch;put:2:24:5;put:3:24:6;epoch;put:4:24:"
       "7;"
       "@1:look"},
      {"a torn record of a lane that is behind the other lane is not completed",
       "put:0:24:9:1:24:8;!reopen;lane:1;put:2:24:1;put:2:24:2;put:2:24:3;lane:0;|;del:0"},
      {"each commit leaves a half of its ring",
       "put:0:24:1:8:24:2:16:24:3:24:24:4;|;put:0:24:7:8:24:8:16:24:9:24:24:10;put:0:24:13:8:24:14:16:24:15:24:24:16;"
       "del:0:8:16:24;put:0:24:1:8:24:2:16:24:3:24:24:4"},
      {"drop and remake of a node", "put:0:24:1:1:100:2:2:64:3;|;drop:0;retire;retire;retire;put:0:24:4;drop:0"},
      {"out of space and reclaim",
       "put:0:4000:1;put:1:4000:2;put:2:4000:3;put:3:4000:4;put:4:4000:5;put:5:4000:6;"
       "put:6:4000:7;put:7:4000:8;put:8:4000:9;|;put:9:4000:10;del:0;put:9:4000:11;put:10:4000:12"},
      {"growth into a new zone, and within it", full + "|;put:11:4000:12;put:12:4000:13;put:13:4000:14;put:14:4000:15",
       ",max=131072"},
      {"growth of a pool that was recovered", full + "|;put:11:4000:12;!kill;put:12:4000:13;!crash:5;put:13:4000:14",
       ",max=131072"},
      {"growth by one chunk after another, into a third zone",
       full + "put:11:4000:12;put:12:4000:13;|;put:13:4000:14;put:14:4000:15;put:15:4000:16;put:16:4000:17",
       ",size=45056,max=131072,step=4096"},
      {"growth up to the bound, then out of space",
       full + "|;put:11:4000:12;put:12:4000:13;put:13:4000:14;put:14:4000:15;del:0;put:14:4000:15", ",max=81920"},
      {"shrink of free chunks", "put:0:24:1;|;shrink;put:0:24:2;put:1:4000:3;shrink"},
      {"shrink by a zone, and growth over it",
       full + "put:11:4000:12;put:12:4000:13;del:11;del:12;|;shrink;put:11:4000:14;put:12:4000:15", ",max=131072"},
      {"shrink by a zone whose slabs were emptied: the log named its chunk table a moment ago",
       full + "put:11:700:12;put:12:300:13;del:11;del:12;|;shrink;put:11:700:14;put:12:4000:15;shrink", ",max=131072"},
      {"shrink takes slabs that were emptied, and line memory with them",
       "put:0:24:1;put:7:24:2;put:14:24:3;del:7;del:14;drop:1;drop:2;move:0;retire;retire;retire;|;shrink;put:7:24:4;"
       "put:1:"
       "4000:5",
       ",cells=64"},
      {"shrink, kill, growth",
       full + "put:11:4000:12;del:11;del:10;|;shrink;!kill;put:10:4000:14;put:11:4000:13;shrink;!crash:7;put:12:24:1",
       ",max=131072"},
      {"extents come, change size and go",
       "put:0:24:1;|;put:0:1000:2;put:0:9000:3;put:0:24:4;put:0:5000:5;epoch;epoch;epoch;put:0:2000:6;del:0",
       ",chunk=1024"},
      {"chunks of a freed extent become another extent, in two lanes",
       "put:6:24:1;lane:1;put:0:6000:2;lane:0;put:0:5100:3;epoch;epoch;epoch;|;lane:1;put:1:6000:5;lane:0;put:0:9000:6",
       ",chunk=1024"},
      {"chunks of a freed extent become a slab, of lines and of records",
       "put:0:6000:1;del:0;epoch;epoch;epoch;|;put:1:500:2;put:7:24:3;put:14:200:5;put:2:24:4", ",chunk=1024"},
      {"an empty slab becomes an extent when the pool is full",
       "put:0:1000:1;put:1:700:2;put:2:24000:3;del:1;epoch;epoch;epoch;|;put:3:9000:5;put:4:9000:6;put:5:3000:7;del:2;"
       "put:6:24000:9",
       ",chunk=1024"},
      {"slabs of several chunks",
       "put:0:24:1;|;put:0:1100:2;put:1:1100:3;put:2:1100:5;del:1;put:1:1150:6;!reopen;del:0;put:0:1100:7",
       ",chunk=1024,size=98304"},
      {"a slab of several chunks becomes free when the pool is full",
       "put:0:1100:1;del:0;epoch;epoch;epoch;|;put:1:30000:2;put:2:30000:3;put:3:9000:5;put:4:9000:6",
       ",chunk=1024,size=98304"},
      {"out of space between extents",
       "put:0:9000:1;put:1:9000:2;put:2:9000:3;put:3:4000:5;|;put:4:9000:6;del:1;put:4:12000:7;put:4:9000:9;del:0;"
       "put:5:12000:10",
       ",chunk=1024,size=65536"},
      {"kill with extents, recover, go on, crash",
       "put:0:1000:1;|;put:0:5000:2;!kill;put:0:2000:3;!kill;put:1:6000:5;!crash:3;put:0:7000:6;del:1", ",chunk=1024"},
      {"kill, recover, go on, crash", "put:0:24:1;|;put:0:24:2;!kill;put:0:24:3;!kill;put:1:24:4;!crash:3;put:0:24:5"},
  };
  return runs;
}

std::string random_op(Random& random, bool large) {
  const std::string key = std::to_string(random.below(10));
  static const char* const sizes[] = {"24", "40", "64", "100", "400", "24", "700", "1100", "2500", "6000"};
  const std::string size = sizes[random.below(large ? 10 : 5)], seed = std::to_string(random.below(1000));
  const std::string node = std::to_string(random.below(2));
  switch (random.below(16)) {
    case 0:
      return "del:" + key;
    case 1:
      return "move:" + node;
    case 2:
      return "drop:" + node;
    case 3:
      return "epoch";
    case 4:
      return "retire";
    case 5:
      return "lane:" + node;
    case 6:
      return "!reopen";
    case 7:
      return "!kill";
    case 8:
      return "!crash:" + seed;
    case 9:
      return "put:" + key + ":" + size + ":" + seed + ":11:24:" + seed;
    default:
      return "put:" + key + ":" + size + ":" + seed;
  }
}

// Large records come and go, so that the pool grows and shrinks; now and then something else.
std::string random_growing_op(Random& random) {
  const std::string key = std::to_string(random.below(24));
  switch (random.below(10)) {
    case 0:
      return "shrink";
    case 1:
    case 2:
    case 3:
      return "del:" + key;
    case 4:
      return random_op(random, false);
    default:
      return "put:" + key + ":4000:" + std::to_string(random.below(1000));
  }
}

// Chunks of 1 KiB: records are units of slabs, or extents of one chunk or of several.
const std::vector<std::string>& large_alphabet() {
  static const std::vector<std::string> ops = {
      "put:0:24:1", "put:0:1000:2", "put:0:2500:3", "put:0:6000:5", "put:0:2500:6:8:4000:7",
      "del:0",      "del:0:1",      "drop:0",       "epoch",        "retire",
      "lane:1",     "!reopen",      "!kill",        "!crash:11"};
  return ops;
}

std::vector<Workload> pool_workloads() {
  const std::vector<std::string> alphabet = {
      "put:0:24:1", "put:0:100:2", "put:7:24:3", "put:0:24:4:8:24:5", "del:0", "move:0",   "drop:0",
      "epoch",      "retire",      "lane:1",     "!reopen",           "!kill", "!crash:11"};
  std::vector<Workload> all;
  for (const std::string form : {"form=strict", "form=one"}) {
    for (const auto& [name, ops, config] : directed())
      all.push_back({form.substr(5) + ": " + name, "pool", form + config, split(ops, ';'), name == "format"});
    for (const std::string& first : alphabet)
      for (const std::string& second : alphabet)
        all.push_back({form.substr(5) + ": " + first + ", " + second,
                       "pool",
                       form,
                       {"put:0:24:9:1:24:8", "retire", "|", first, second},
                       false,
                       true});
    for (const std::string& first : large_alphabet())
      for (const std::string& second : large_alphabet())
        all.push_back({form.substr(5) + ": extents, " + first + ", " + second,
                       "pool",
                       form + ",chunk=1024",
                       {"put:0:5000:9:1:700:8:2:24:7", "retire", "|", first, second},
                       false,
                       true});
    for (uint64_t seed = 1; seed <= 16; ++seed) {
      Random random{seed};
      const bool large = seed > 10;
      Workload workload{
          form.substr(5) + ": random " + std::to_string(seed), "pool", form + (large ? ",chunk=1024" : ""), {}, false};
      for (int i = 0; i < 60; ++i) workload.ops.push_back(random_op(random, large));
      all.push_back(std::move(workload));
    }
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      Random random{seed};
      Workload workload{
          form.substr(5) + ": random growth " + std::to_string(seed), "pool", form + ",max=131072", {}, false};
      for (int i = 0; i < 60; ++i) workload.ops.push_back(random_growing_op(random));
      all.push_back(std::move(workload));
    }
  }
  return all;
}

}  // namespace

const ClientKind& pool_client_kind() {
  static const ClientKind kind{"pool", make_pool_client, pool_workloads};
  return kind;
}

}  // namespace nacre::crash
