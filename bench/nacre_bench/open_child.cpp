#include "bench/nacre_bench/open_child.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "bench/nacre_bench/keys.h"
#include "bench/nacre_bench/loops.h"

namespace nacre::bench {

namespace {

StoreOptions store_options(const Options& o) { return {o.engine, o.db, o.medium, o.commit_form}; }

void answer(const void* bytes, size_t count) {
  const auto* at = static_cast<const char*>(bytes);
  while (count != 0) {
    const ssize_t put = write(STDOUT_FILENO, at, count);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw BenchError{std::string("answering: ") + std::strerror(errno)};
    at += put;
    count -= static_cast<size_t>(put);
  }
}

uint64_t ns(uint64_t in_ticks) {
  return static_cast<uint64_t>(static_cast<double>(in_ticks) * ns_per_tick());
}

void first_gets(Store& store, const Plan& plan, const ValuePool& values, ProbeAnswer& out) {
  std::string buffer(values.value_bytes() + 1, 0);
  const FlushCounts before = store.thread_counts();
  for (uint64_t i = 0; i < kFirstOps; ++i) {
    size_t value_bytes = 0;
    const uint64_t start = ticks();
    const bool found = store.get(plan.key(i), buffer.data(), buffer.size(), &value_bytes);
    out.get_ns[i] = ns(ticks() - start);
    const std::string_view got(buffer.data(), value_bytes);
    if (!found || (got != values.value(plan.idx(i), 0) && got != values.value(plan.idx(i), 1)))
      throw BenchError{"open: " + quoted(plan.key(i)) +
                       " is absent or has a wrong value after opening again"};
  }
  out.get_counts = store.thread_counts() - before;
}

void first_puts(Store& store, const Plan& plan, const ValuePool& values, ProbeAnswer& out) {
  const FlushCounts before = store.thread_counts();
  for (uint64_t i = 0; i < kFirstOps; ++i) {
    const uint64_t start = ticks();
    store.put(plan.key(i), values.value(plan.idx(i), 1));
    out.put_ns[i] = ns(ticks() - start);
  }
  out.put_counts = store.thread_counts() - before;
}

void probe(const Options& o) {
  const Plan plan(o.key_bytes, drawn(kFirstOps, o.num, 1, o.seed + static_cast<uint64_t>(getpid())), false);
  const ValuePool values(o.value_bytes, o.seed);
  const auto out = std::make_unique<ProbeAnswer>();
  const auto store = make_store(store_options(o), StoreUse::unopened);
  const uint64_t cpu_before_ns = thread_cpu_ns(), before_ns = wall_ns();
  store->open_again();
  out->open_ns = wall_ns() - before_ns;
  out->open_cpu_ns = thread_cpu_ns() - cpu_before_ns;
  out->open_counts = store->thread_counts();  // they begin at 0 with the handle
  for (const auto& [name, value] : store->stats_figures()) {
    if (name == "recovered_records") out->recovered_records = value;
    if (name == "recovered_lines") out->recovered_lines = value;
  }
  first_gets(*store, plan, values, *out);
  first_puts(*store, plan, values, *out);
  store->close();
  answer(out.get(), sizeof *out);
}

void overwrite_for_ever(const Options& o, Store& store, const ValuePool& values, uint64_t thread,
                        std::atomic<uint64_t>& not_ready) {
  Random random(o.seed + static_cast<uint64_t>(getpid()) + thread);
  std::string key(o.key_bytes, '0');
  for (uint64_t i = 0;; ++i) {
    if (i == kPutsBeforeKill && not_ready.fetch_sub(1) == 1) answer("", 1);
    const uint32_t idx = random.below(o.num);
    write_key(key.data(), key.size(), idx);
    store.put(key, values.value(idx, i % 2));
  }
}

[[noreturn]] void write_until_killed(const Options& o) {
  const ValuePool values(o.value_bytes, o.seed);
  const auto store = make_store(store_options(o), StoreUse::unopened);
  store->open_again();
  std::atomic<uint64_t> not_ready{o.threads};
  const auto body = [&](uint64_t thread) {
    try {
      overwrite_for_ever(o, *store, values, thread, not_ready);
    } catch (const BenchError& error) {
      std::fprintf(stderr, "nacre_bench: %s\n", error.text.c_str());
      _exit(1);
    }
  };
  std::vector<std::thread> team;
  for (uint64_t t = 1; t < o.threads; ++t) team.emplace_back(body, t);
  body(0);
  std::abort();  // not reached
}

}  // namespace

void run_child(const Options& options) {
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);  // a writer has no other end when its parent is killed
  if (options.child == Child::writer) write_until_killed(options);
  probe(options);
}

}  // namespace nacre::bench
