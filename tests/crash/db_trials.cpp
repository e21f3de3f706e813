#include "tests/crash/db_trials.h"

#include <cstdint>
#include <string>

#include "alloc/pool.h"
#include "engine/hash/segment_layout.h"
#include "engine/record.h"

namespace nacre::crash {
namespace {

constexpr pmem::Site kDamageFlush{"db_client.damage_flush"}, kDamageFence{"db_client.damage_fence"};
constexpr uint8_t kDamage = 1;

Status unseen(std::string_view call, std::string_view place) {
  return Status::error(Code::corruption, "trial: %s did not see that the %s is damaged", std::string(call).c_str(),
                       std::string(place).c_str());
}

/// A byte of the index line that leads to the record at `record_off`, but not of its slot; null if there is no such
/// line.
std::byte* neighbour_of_slot(alloc::Pool& pool, uint64_t record_off) {
  for (uint64_t off = 0; off < pool.layout().pool_bytes(); off += kLineBytes) {
    alloc::GuardedLine* line = pool.line(off);
    if (!alloc::line_intact(pool.salt(), off, *line)) continue;
    for (uint64_t w = 0; w < alloc::kLineWords; ++w)
      if (engine::hash::slot_off(line->words[w]) == record_off)
        return reinterpret_cast<std::byte*>(&line->words[(w + 1) % alloc::kLineWords]);
  }
  return nullptr;
}

}  // namespace

Status damage_is_seen(engine::Db& db, engine::Table& table, std::string_view place, std::string_view key) {
  alloc::Pool& pool = db.pool();
  const std::string kept(key);
  const char* value = nullptr;
  uint64_t value_bytes = 0;
  NACRE_TRY(table.get(kept, [&](std::string_view v) { value = v.data(), value_bytes = v.size(); }));
  const auto value_off = static_cast<uint64_t>(reinterpret_cast<const std::byte*>(value) - pool.domain().base());
  std::byte* at = pool.at<std::byte>(place == "value" ? value_off : value_off - 1);
  if (place == "slot")
    at = neighbour_of_slot(pool, value_off - kept.size() - engine::record_header_bytes(kept.size(), value_bytes));
  if (at == nullptr) return Status::error(Code::invalid_argument, "trial: there is nothing to damage");
  *at ^= std::byte{kDamage};
  const Code get = table.get(kept, [](std::string_view) {}).code();
  const Code scan = table.scan([](std::string_view, std::string_view) { return true; }).code();
  const Code put = place == "value" ? Code::corruption : table.put(kept, "other").code();
  *at ^= std::byte{kDamage};
  const auto off = static_cast<uint64_t>(at - pool.domain().base());
  pool.domain().flush(off, 1, kDamageFlush);  // no crash is to bring the damage back
  pool.domain().fence(kDamageFence);
  if (get != Code::corruption) return unseen("get", place);
  if (scan != Code::corruption) return unseen("scan", place);
  return put == Code::corruption ? Status() : unseen("put", place);
}

}  // namespace nacre::crash
