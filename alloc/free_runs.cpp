#include "alloc/free_runs.h"

#include <algorithm>

#include "alloc/mutants.h"

namespace nacre::alloc {
namespace {

uint32_t priority(uint32_t chunk) noexcept {  // the finaliser of MurmurHash3
  chunk = (chunk ^ chunk >> 16) * 0x85ebca6bu;
  chunk = (chunk ^ chunk >> 13) * 0xc2b2ae35u;
  return chunk ^ chunk >> 16;
}

}  // namespace

bool FreeRuns::before(Order order, uint32_t a, uint32_t b) const noexcept {
  if (order == kSize && nodes_[a].chunks != nodes_[b].chunks) return nodes_[a].chunks < nodes_[b].chunks;
  return a < b;
}

void FreeRuns::update(Order order, uint32_t at) noexcept {
  if (order != kPlace) return;
  Node& n = nodes_[at];
  n.longest = n.chunks;
  if (n.left[kPlace] != 0) n.longest = std::max(n.longest, nodes_[n.left[kPlace]].longest);
  if (n.right[kPlace] != 0) n.longest = std::max(n.longest, nodes_[n.right[kPlace]].longest);
}

// Into what lies before `key`, which is in neither, and what lies behind it.
void FreeRuns::split(Order order, uint32_t at, uint32_t key, uint32_t& low, uint32_t& high) noexcept {
  if (at == 0) {
    low = high = 0;
    return;
  }
  Node& n = nodes_[at];
  if (before(order, at, key)) {
    split(order, n.right[order], key, n.right[order], high);
    low = at;
  } else {
    split(order, n.left[order], key, low, n.left[order]);
    high = at;
  }
  update(order, at);
}

uint32_t FreeRuns::join(Order order, uint32_t low, uint32_t high) noexcept {
  if (low == 0 || high == 0) return low + high;
  if (priority(low) > priority(high)) {
    nodes_[low].right[order] = join(order, nodes_[low].right[order], high);
    update(order, low);
    return low;
  }
  nodes_[high].left[order] = join(order, low, nodes_[high].left[order]);
  update(order, high);
  return high;
}

uint32_t FreeRuns::without(Order order, uint32_t at, uint32_t key) noexcept {
  Node& n = nodes_[at];
  if (at == key) return join(order, n.left[order], n.right[order]);
  uint32_t& side = before(order, key, at) ? n.left[order] : n.right[order];
  side = without(order, side, key);
  update(order, at);
  return at;
}

void FreeRuns::add(FreeRun run) noexcept {
  Node& n = nodes_[run.first];
  n = {};
  n.chunks = n.longest = run.chunks;
  for (const Order order : {kPlace, kSize}) {
    uint32_t low, high;
    split(order, root_[order], run.first, low, high);
    root_[order] = join(order, join(order, low, run.first), high);
  }
  chunk_count_ += run.chunks;
}

void FreeRuns::remove(uint32_t first) noexcept {
  for (const Order order : {kPlace, kSize}) root_[order] = without(order, root_[order], first);
  chunk_count_ -= nodes_[first].chunks;
}

uint32_t FreeRuns::at_or_before(uint32_t chunk) const noexcept {
  uint32_t found = 0;
  for (uint32_t at = root_[kPlace]; at != 0;) {
    if (at <= chunk) found = at;
    at = at <= chunk ? nodes_[at].right[kPlace] : nodes_[at].left[kPlace];
  }
  return found;
}

uint32_t FreeRuns::behind(uint32_t chunk) const noexcept {
  uint32_t found = 0;
  for (uint32_t at = root_[kPlace]; at != 0;) {
    if (at > chunk) found = at;
    at = at > chunk ? nodes_[at].left[kPlace] : nodes_[at].right[kPlace];
  }
  return found;
}

bool FreeRuns::insert(FreeRun run) noexcept {
  const uint32_t low = at_or_before(run.first), high = behind(run.first);
  const uint32_t low_end = low == 0 ? 0 : low + nodes_[low].chunks;
  const uint32_t end = run.first + run.chunks;
  if (low_end > run.first || (high != 0 && high < end)) return false;
  if (high != 0 && high == end && !broken(site::kRunsApartHigh)) {
    run.chunks += nodes_[high].chunks;
    remove(high);
  }
  if (low != 0 && low_end == run.first && !broken(site::kRunsApartLow)) {
    run = {low, nodes_[low].chunks + run.chunks};
    remove(low);
  }
  add(run);
  return true;
}

FreeRun FreeRuns::take_front(uint32_t first, uint32_t chunks) noexcept {
  const uint32_t length = nodes_[first].chunks;
  remove(first);
  const uint32_t again = broken(site::kRunsOverlap) ? 1 : 0;
  if (length > chunks && !broken(site::kRunsRestLost)) add({first + chunks - again, length - chunks + again});
  return {first, chunks};
}

FreeRun FreeRuns::take_lowest(uint32_t chunks) noexcept {
  if (longest() < chunks) return {};
  for (uint32_t at = root_[kPlace];;) {
    const Node& n = nodes_[at];
    if (n.left[kPlace] != 0 && nodes_[n.left[kPlace]].longest >= chunks)
      at = n.left[kPlace];
    else if (n.chunks >= chunks)
      return take_front(at, chunks);
    else
      at = n.right[kPlace];
  }
}

FreeRun FreeRuns::take_best(uint32_t chunks) noexcept {
  uint32_t found = 0;
  for (uint32_t at = root_[kSize]; at != 0;) {
    const bool fits = nodes_[at].chunks >= chunks;
    if (fits) found = at;
    at = fits ? nodes_[at].left[kSize] : nodes_[at].right[kSize];
  }
  return found == 0 ? FreeRun{} : take_front(found, chunks);
}

bool FreeRuns::take(FreeRun run) noexcept {
  const uint32_t low = at_or_before(run.first);
  if (low == 0 || low + nodes_[low].chunks < run.first + run.chunks) return false;
  const FreeRun whole{low, nodes_[low].chunks};
  remove(low);
  const uint32_t end = run.first + run.chunks, whole_end = whole.first + whole.chunks;
  if (run.first > low && !broken(site::kRunsTailLost)) add({low, run.first - low});
  if (whole_end > end) add({end, whole_end - end});
  return true;
}

FreeRun FreeRuns::last() const noexcept {
  uint32_t at = root_[kPlace];
  if (at == 0) return {};
  while (nodes_[at].right[kPlace] != 0) at = nodes_[at].right[kPlace];
  return {at, nodes_[at].chunks};
}

}  // namespace nacre::alloc
