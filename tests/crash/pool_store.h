// The pool client's store: see pool_client.h.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "alloc/commit.h"
#include "alloc/heap_check.h"
#include "tests/crash/client.h"
#include "tests/crash/pool_model.h"
#include "tests/crash/worker.h"

namespace nacre::crash {

class PoolStore final : public Store {
 public:
  explicit PoolStore(std::unique_ptr<alloc::Pool> pool) : pool_(std::move(pool)) {}

  /// A pool whose making stopped before the root was there holds nothing; it is completed, by another thread than the
  /// one that opened the pool if `by_another`.
  Status open(bool by_another);

  Status apply(std::string_view op) override;
  Observation check() override;
  std::string text() override;
  Status close() override { return pool_->quiesce(); }

 private:
  // What a reader that pinned remembers. Run by a worker ("@1:read:0" ... "@1:look"), for a pin belongs to its thread.
  struct Reading {
    explicit Reading(alloc::Pool& pool) : pin(pool.epochs()) {}
    alloc::Pin pin;
    const std::byte* at = nullptr;
    std::vector<std::byte> seen;
  };
  static constexpr size_t kThreads = 10;

  uint64_t root_word(uint32_t word) const { return pool_->line(root_)->words[word]; }
  uint64_t node_off(uint64_t node) const { return node < kNodes ? root_word(static_cast<uint32_t>(node)) : 0; }
  uint64_t record_off(uint64_t key) const {
    const uint64_t off = node_off(key / kSlots);
    return off == 0 ? 0 : off_of_slot(pool_->line(off)->words[key % kSlots]);
  }

  Status in_thread(uint32_t thread, const std::function<Status()>& work);
  Status call(std::string_view op, uint32_t thread);
  Status make_root();
  void write_line(alloc::Commit& c, uint64_t off, const std::array<uint64_t, alloc::kLineWords>& words);
  void write_record(alloc::Commit& c, uint64_t off, const Put& put);
  Status put(const std::vector<Put>& puts);
  Status publish_put(alloc::Commit& c, const std::vector<Put>& puts, const std::vector<uint64_t>& records,
                     const std::map<uint64_t, uint64_t>& new_nodes);
  Status remove(const std::vector<uint64_t>& keys);
  Status move(uint64_t node);
  Status drop(uint64_t node);
  Status replace_node(alloc::Commit& c, uint64_t node, uint64_t from, uint64_t to);
  Status note(uint64_t number);
  Status begin_read(uint32_t thread, const std::byte* at, uint64_t bytes);
  Status read_record(uint32_t thread, uint64_t key);
  Status read_node(uint32_t thread, uint64_t node);
  Status end_read(uint32_t thread);
  Status trial(std::string_view op);

  PoolModel dump(alloc::HeapCheck* heap);
  bool line_sound(alloc::HeapCheck* heap, uint64_t off, const char* what);
  void dump_record(alloc::HeapCheck* heap, uint64_t off, uint64_t key, PoolModel* content);
  void dump_notes(alloc::HeapCheck* heap, PoolModel* content);

  std::unique_ptr<alloc::Pool> pool_;
  uint64_t root_ = 0;
  int lane_ = 0;
  std::array<std::unique_ptr<Reading>, kThreads> readings_;  // of workers, which end them
  std::array<std::unique_ptr<Worker>, kThreads> workers_;
};

}  // namespace nacre::crash
