// What an exact allocation class saves: the same records in a pool with the default classes and in one with a
// class of just their size, side by side. Everything printed was counted in the pools.
//
//   slab [RECORDS]        default 1,000,000
#include <nacre/nacre.hpp>

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

constexpr uint64_t kKeyBytes = 16;

// 304 bytes fall between two default classes. For 144 bytes every pool has an exact one.
constexpr uint64_t kRecordSizes[] = {304, 144};

uint64_t value_bytes_of(uint64_t record_bytes) { return record_bytes - nacre_record_bytes(kKeyBytes, 0); }

std::string key_of(uint64_t number) {
  const std::string digits = std::to_string(number);
  return std::string(kKeyBytes - digits.size(), '0') + digits;
}

nacre::Db make_pool(uint64_t records, uint64_t record_bytes, bool exact) {
  nacre::Options options{.create_if_missing = true, .medium = "memory"};
  options.size = records * record_bytes * 3 / 2 + (uint64_t{32} << 20);  // units, index, and room to spare
  if (exact)
    options.classes = {nacre::ClassSpec::for_record(kKeyBytes, value_bytes_of(record_bytes))};
  return nacre::Db::open("", options).value();
}

// The class that the records went to: the one with most units in use.
nacre::ClassInfo fullest_class(const nacre::Db& db) {
  nacre::ClassInfo fullest{};
  for (const nacre::ClassInfo& info : db.classes().value())
    if (info.live_units > fullest.live_units) fullest = info;
  return fullest;
}

// Fills a pool and prints one row; false if a put failed.
bool fill_and_print(uint64_t records, uint64_t record_bytes, bool exact) {
  nacre::Db db = make_pool(records, record_bytes, exact);
  const nacre::Table table = db.default_table().value();
  const std::string value(value_bytes_of(record_bytes), 'v');
  for (uint64_t i = 0; i < records; ++i) {
    if (const nacre::Status put = table.put(key_of(i), value); !put.ok()) {
      std::fprintf(stderr, "slab: put of record %" PRIu64 ": %s\n", i, put.message().c_str());
      return false;
    }
  }
  const nacre::ClassInfo c = fullest_class(db);
  const uint64_t payload_bytes = records * record_bytes;
  const uint64_t wasted_bytes = c.slab_bytes - payload_bytes;
  std::printf("%6" PRIu64 "  %-8s  %5" PRIu64 "  %9" PRIu64 "  %12" PRIu64 "  %12" PRIu64 "  %11" PRIu64
              "  %5.2f %%\n",
              record_bytes, exact ? "exact" : "default", c.unit_bytes, c.live_units, payload_bytes,
              c.slab_bytes, wasted_bytes,
              100.0 * static_cast<double>(wasted_bytes) / static_cast<double>(payload_bytes));
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t records = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  if (records == 0 || records > 1'000'000'000 || argc > 2) {
    std::fprintf(stderr, "usage: slab [RECORDS]\n");
    return 2;
  }
  std::printf("%6s  %-8s  %5s  %9s  %12s  %12s  %11s  %7s\n", "record", "pool", "unit", "live",
              "record bytes", "slab bytes", "waste bytes", "waste");
  for (const uint64_t record_bytes : kRecordSizes)
    for (const bool exact : {false, true})
      if (!fill_and_print(records, record_bytes, exact)) return 1;
  return 0;
}
