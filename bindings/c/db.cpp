// Pools: open, close, figures.
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <thread>
#include <vector>

#include "bindings/c/entry.h"
#include "bindings/c/handles.h"
#include "bindings/include/nacre/nacre.h"

namespace nacre::bindings {
namespace {

// A path may be missing only where it would not be used.
bool is_in_memory(const engine::Options& options) noexcept {
  if (options.medium == engine::MediumChoice::memory) return true;
  const char* forced = std::getenv("NACRE_MEDIUM");
  return options.medium == engine::MediumChoice::automatic && forced != nullptr &&
         std::string_view(forced) == "memory";
}

// Nothing the caller can reach may be left half done: everything that can fail comes before the handle.
Status open_pool(const char* path, const engine::Options& options, nacre_db** out) {
  NACRE_TRY(watch_forks());
  auto handle = std::make_unique<DbHandle>();
  handle->pins = take_pins();
  if (handle->pins == nullptr) return Status::error(Code::out_of_memory, "nacre_open: out of memory");
  handle->pins->owner = handle.get();
  NACRE_ASSIGN(handle->db, engine::Db::open(path, options));
  NACRE_ASSIGN(const uint64_t bits, make_handle(Kind::db, handle->pins, handle.get()));
  static_cast<void>(handle.release());  // the handle owns it now
  *out = reinterpret_cast<nacre_db*>(static_cast<uintptr_t>(bits));
  return Code::ok;
}

// Drops count as calls, though they hold no pin while they wait (registry.h, 5).
void wait_for_drops(DbHandle& db) {
  for (;;) {
    {
      const sync::Guard lock(db.mutex);
      if (db.dropping.empty()) return;
    }
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
}

// 1. No new call enters. 2. Those inside leave. 3. Cursors go before tables, tables before the pool.
int close_pool(const char* operation, nacre_db* db) {
  Pin pin;
  if (!pin.enter(db, Kind::db)) return answer(operation, refuse(operation, db, Kind::db));
  if (inside_callback()) return invalid(operation, "must not be called from a callback");
  auto* handle = pin.object<DbHandle>();
  IteratorHandle* iterators = nullptr;
  {
    const sync::Guard lock(handle->mutex);
    if (handle->closing) return answer(operation, refuse(operation, db, Kind::db));
    iterators = retire_children(*handle, nullptr);
    handle->closing = true;
    retire_handle(handle_bits(db));
  }
  const std::unique_ptr<DbHandle> owned(handle);
  pin.leave();
  wait_for_calls(*owned->pins);
  wait_for_drops(*owned);
  release_retired(*owned, nullptr, iterators);
  const int code = answer(operation, owned->db->close());
  owned->db.reset();
  return code;
}

using FiguresOf = Result<std::vector<engine::Figure>> (engine::Db::*)();

// Calls fn for the figures; `problems` counts the findings of a check.
int report(const char* operation, nacre_db* db, FiguresOf figures_of, nacre_figure_fn* fn, void* arg,
           uint64_t* problems) {
  Pin pin;
  if (!pin.enter(db, Kind::db)) return answer(operation, refuse(operation, db, Kind::db));
  if (fn == nullptr) return invalid(operation, "fn is null");
  const auto figures = (pin.object<DbHandle>()->db.get()->*figures_of)();
  if (!figures.has_value()) return answer(operation, figures.status());
  for (const engine::Figure& figure : *figures) {
    if (problems != nullptr && figure.name == "problem") ++*problems;
    const char* text = figure.text.empty() ? nullptr : figure.text.c_str();
    if (fn(figure.name.c_str(), figure.value, text, arg) != 0) return NACRE_STOPPED;
  }
  return NACRE_OK;
}

}  // namespace
}  // namespace nacre::bindings

using namespace nacre::bindings;  // NOLINT: the ABI's functions live outside every namespace
namespace engine = nacre::engine;
using nacre::Code;
using nacre::Status;

int nacre_open(const char* path, const nacre_options* options, nacre_db** out) {
  constexpr const char* kOperation = "nacre_open";
  if (out == nullptr) return invalid(kOperation, "out is null");
  *out = nullptr;
  return entry(kOperation, [&] {
    engine::Options copy;
    if (options != nullptr) {
      bool found_one = false;
      {
        const RegistryLock lock;
        if (const auto* found = static_cast<OptionsHandle*>(find_options_locked(options)); found != nullptr) {
          copy = found->options;
          found_one = true;
        }
      }
      if (!found_one) return answer(kOperation, refuse(kOperation, options, Kind::options));
    }
    if (path == nullptr && !is_in_memory(copy)) return invalid(kOperation, "path is null");
    return answer_with_text(kOperation, open_pool(path != nullptr ? path : "", copy, out));
  });
}

int nacre_close(nacre_db* db) {
  constexpr const char* kOperation = "nacre_close";
  return entry(kOperation, [&] { return close_pool(kOperation, db); });
}

int nacre_stats(nacre_db* db, nacre_figure_fn* fn, void* arg) {
  constexpr const char* kOperation = "nacre_stats";
  return entry(kOperation, [&] { return report(kOperation, db, &engine::Db::stats, fn, arg, nullptr); });
}

int nacre_info(nacre_db* db, nacre_figure_fn* fn, void* arg) {
  constexpr const char* kOperation = "nacre_info";
  return entry(kOperation, [&] { return report(kOperation, db, &engine::Db::info, fn, arg, nullptr); });
}

int nacre_check(nacre_db* db, nacre_figure_fn* fn, void* arg) {
  constexpr const char* kOperation = "nacre_check";
  return entry(kOperation, [&] {
    uint64_t problems = 0;
    const int code = report(kOperation, db, &engine::Db::check, fn, arg, &problems);
    if (code != NACRE_OK || problems == 0) return code;
    return answer(kOperation, Status::error(Code::corruption, "%s: %llu problems were found", kOperation,
                                            static_cast<unsigned long long>(problems)));
  });
}

int nacre_shrink(nacre_db* db) {
  constexpr const char* kOperation = "nacre_shrink";
  return entry(kOperation, [&] {
    Pin pin;
    if (!pin.enter(db, Kind::db)) return answer(kOperation, refuse(kOperation, db, Kind::db));
    if (inside_callback()) return invalid(kOperation, "must not be called from a callback");
    return answer(kOperation, pin.object<DbHandle>()->db->shrink());
  });
}

int nacre_thread_counters(nacre_db* db, uint64_t* fences, uint64_t* lines, uint64_t* bytes) {
  constexpr const char* kOperation = "nacre_thread_counters";
  return entry(kOperation, [&] {
    Pin pin;
    if (!pin.enter(db, Kind::db)) return answer(kOperation, refuse(kOperation, db, Kind::db));
    const nacre::pmem::Counters counters = pin.object<DbHandle>()->db->domain().thread_counters();
    if (fences != nullptr) *fences = counters.fences;
    if (lines != nullptr) *lines = counters.lines;
    if (bytes != nullptr) *bytes = counters.bytes;
    return static_cast<int>(NACRE_OK);
  });
}
