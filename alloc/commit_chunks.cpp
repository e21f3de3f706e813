// The part of a commit that changes words of the chunk table: extents that become allocated or free, chunks that become
// a slab, slabs that become free chunks. These lines are locked with the bitmap lines, after all index lines.
#include <algorithm>
#include <utility>

#include "alloc/commit.h"
#include "alloc/heap_layout.h"
#include "alloc/mutants.h"

namespace nacre::alloc {
namespace {

constexpr uint64_t kNoSuchWord = ~uint64_t{0};  // of an extent that was gone when it was located

unsigned long long ull(uint64_t v) noexcept { return v; }

}  // namespace

// ---- extents ----

// A slab of several chunks in a small pool would take much of it for one record.
bool Commit::prefers_extent(uint64_t bytes, UnitUse use, uint32_t class_id) const noexcept {
  if (use == UnitUse::lines) return false;
  if (class_id == kMaxClasses) return true;
  const SizeClasses& classes = pool_.heap().classes();
  const Layout& layout = pool_.layout();
  const uint32_t unit_bytes = classes.unit_bytes(class_id);
  if (unit_bytes < layout.geometry.chunk_bytes) [[likely]]
    return false;
  const uint32_t slab_chunks = classes.slab_chunks(class_id);
  return extent_chunks(bytes) << layout.chunk_shift <= unit_bytes ||
         (slab_chunks > 1 && slab_chunks * kSlabShare > layout.chunk_count());
}

uint64_t Commit::extent_chunks(uint64_t bytes) const noexcept {
  const Layout& layout = pool_.layout();  // ceil_div would wrap for the largest numbers
  if (broken(site::kExtentRoundedDown)) return std::max<uint64_t>(bytes >> layout.chunk_shift, 1);
  return (bytes >> layout.chunk_shift) + ((bytes & (layout.geometry.chunk_bytes - 1)) != 0 ? 1 : 0);
}

Status Commit::allocate_extent(uint64_t bytes, UnitRef& unit) {
  const uint64_t chunks = extent_chunks(bytes), most = pool_.largest_extent_chunks();
  if (chunks > most)
    return Status::error(Code::too_large, "%llu bytes: the largest zone of this pool has room for %llu", ull(bytes),
                         ull(most * pool_.layout().geometry.chunk_bytes));
  const auto count = static_cast<uint32_t>(chunks);
  for (bool drained = false;;) {
    const uint64_t seen_bytes = pool_.layout().pool_bytes();
    Status s = reserve_extent(count, unit);
    if (s.code() != Code::not_found) return s;
    if (!std::exchange(drained, true)) {
      pool_.drain_all(*lane_);
      continue;
    }
    s = grow(count, seen_bytes);
    if (s.code() == Code::out_of_space) break;
    NACRE_TRY(s);
  }
  NACRE_TRY(repin_and_reclaim());
  const Status s = reserve_extent(count, unit);
  return s.code() == Code::not_found ? pool_.growth()->refusal(bytes) : s;
}

Status Commit::reserve_extent(uint32_t chunks, UnitRef& unit) {
  Status s = pool_.heap().reserve_extent(chunks, unit);
  if (s.code() == Code::not_found) s = empty_slabs_for(chunks, unit);
  if (s.ok()) pool_.growth()->chunk_taken(unit.unit, chunks, pool_.heap().free_chunks_known());
  return s;
}

// Turns empty slabs into free chunks until there is a run that is long enough.
Status Commit::empty_slabs_for(uint32_t chunks, UnitRef& unit) {
  for (;;) {
    uint64_t freed = 0;
    NACRE_TRY(free_empty_slab(0, freed));
    const Status s = pool_.heap().reserve_extent(chunks, unit);
    if (s.code() != Code::not_found) return s;
  }
}

// An empty slab of another length has to become free chunks first.
Status Commit::claim_for_slab(Heap::Claim& claim, uint32_t chunks) {
  for (;;) {
    Status s = claim.take(chunks);
    if (s.code() != Code::out_of_space) return s;
    uint64_t freed = 0;
    const Status emptied = free_empty_slab(0, freed);
    if (emptied.ok()) continue;
    if (emptied.code() != Code::not_found) return emptied;
    return claim.take(chunks);  // once more, for its words
  }
}

// ---- under the locks ----

// What is to become of the words. Nothing is looked at yet: their lines are not locked.
void Commit::collect_chunk_words() noexcept {
  Lane& lane = *lane_;
  const Layout& layout = pool_.layout();
  if (own_word_ != nullptr) lane.words.push(*own_word_);
  const auto add = [&](const UnitRef& unit, bool frees) {
    if (!unit.is_extent()) return;
    const ChunkPlace place = layout.place_of(unit.unit);
    const uint64_t word = unit.chunks != 0 ? make_extent_word(unit.chunks) : kNoSuchWord;
    lane.words.push({place.line_off, place.word, frees ? word : 0, frees ? 0 : word});
  };
  for (const UnitRef& unit : lane.allocated)
    if (!broken(site::kExtentUnlogged)) add(unit, false);
  for (const Lane::Freed& f : lane.freed) add(f.unit, true);
  std::sort(lane.words.begin(), lane.words.end(), [](const ChunkWordChange& a, const ChunkWordChange& b) {
    return a.line_off != b.line_off ? a.line_off < b.line_off : a.word < b.word;
  });
}

Status Commit::add_chunk_words() noexcept {
  auto& updates = lane_->record.updates;
  auto& ops = lane_->record.ops;
  const size_t first_update = updates.size();
  for (const ChunkWordChange& change : lane_->words) {
    const uint64_t word = pool_.line(change.line_off)->words[change.word], bitmap = word & kBitmapWritten;
    const bool twice = updates.size() != first_update && updates.back().line_off == change.line_off &&
                       ops.back().word == change.word;
    if (((word & ~bitmap) != change.from || twice) && !broken(site::kCommitUncheckedWords))
      return Status::error(Code::corruption,
                           "chunk table line at offset %llu: word %u is %016llx and not what this commit "
                           "was to change; run nacre check",
                           ull(change.line_off), change.word, ull(word));
    if (updates.size() == first_update || updates.back().line_off != change.line_off)
      updates.push({change.line_off, 0, 0, static_cast<uint32_t>(ops.size()), 0});
    ops.push({static_cast<uint8_t>(change.word), OpKind::set, change.to | bitmap});
    ++updates.back().op_count;
  }
  return Code::ok;
}

}  // namespace nacre::alloc
