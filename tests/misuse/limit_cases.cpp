// What the header says about lengths, names, numbers and texts, and the first value beyond it.
#include <sys/mman.h>

#include <climits>
#include <cstdlib>
#include <cstring>

#include "tests/misuse/cases.h"

namespace nacre::misuse {
namespace {

constexpr uint64_t kMaxKeyBytes = (1u << 24) - 1;
constexpr uint64_t kMaxValueBytes = (uint64_t{1} << 48) - 1;

// Zeros, as many as the longest key and a value larger than the pool take; lengths beyond must not be read.
const char* zeros() {
  static void* const bytes =
      ::mmap(nullptr, kMaxKeyBytes + 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (bytes == MAP_FAILED) std::abort();
  return static_cast<const char*>(bytes);
}

class Limits {
 public:
  void add(const char* name, std::string what, std::vector<std::pair<size_t, uint64_t>> changed, int expected) {
    cases.push_back({&function(name), std::move(what), std::move(changed), expected});
  }
  std::vector<Case> cases;
};

std::string length_text(uint64_t bytes) {
  return bytes == kMaxKeyBytes       ? "the longest"
         : bytes == kMaxKeyBytes + 1 ? "the longest and one"
         : bytes == UINT64_MAX       ? "2^64 - 1"
                                     : std::to_string(bytes);
}

void add_keys(Limits& l) {
  struct Row {
    const char* name;
    int absent;     // the answer for a key that is not there
    int too_large;  // for one that cannot be there
    int in_small;   // for the longest, which is longer than this pool
  };
  const Row rows[] = {{"nacre_put", NACRE_OK, NACRE_TOO_LARGE, NACRE_TOO_LARGE},
                      {"nacre_get", NACRE_NOT_FOUND, NACRE_NOT_FOUND, NACRE_NOT_FOUND},
                      {"nacre_get_copy", NACRE_NOT_FOUND, NACRE_NOT_FOUND, NACRE_NOT_FOUND},
                      {"nacre_remove", NACRE_NOT_FOUND, NACRE_NOT_FOUND, NACRE_NOT_FOUND},
                      {"nacre_exists", NACRE_NOT_FOUND, NACRE_NOT_FOUND, NACRE_NOT_FOUND}};
  for (const Row& row : rows) {
    l.add(row.name, "key (null, 0)", {{1, 0}, {2, 0}}, row.absent);
    for (const uint64_t bytes : {uint64_t{1}, kMaxKeyBytes, kMaxKeyBytes + 1, UINT64_MAX})
      l.add(row.name, "key null of length " + length_text(bytes), {{1, 0}, {2, bytes}}, NACRE_INVALID_ARGUMENT);
    const std::pair<uint64_t, int> lengths[] = {{0, row.absent},
                                                {1, row.absent},
                                                {256, row.absent},
                                                {kMaxKeyBytes, row.in_small},
                                                {kMaxKeyBytes + 1, row.too_large},
                                                {UINT64_MAX, row.too_large}};
    for (const auto& [bytes, expected] : lengths)
      l.add(row.name, "key of length " + length_text(bytes), {{1, word_of(zeros())}, {2, bytes}}, expected);
  }
}

void add_values(Limits& l) {
  l.add("nacre_put", "value (null, 0)", {{3, 0}, {4, 0}}, NACRE_OK);
  for (const uint64_t bytes : {uint64_t{1}, kMaxValueBytes, kMaxValueBytes + 1, UINT64_MAX})
    l.add("nacre_put", "value null of length " + std::to_string(bytes), {{3, 0}, {4, bytes}}, NACRE_INVALID_ARGUMENT);
  const std::pair<uint64_t, int> lengths[] = {{0, NACRE_OK},
                                              {1, NACRE_OK},
                                              {70000, NACRE_OK},
                                              {900000, NACRE_OUT_OF_SPACE},
                                              {2 * kPoolBytes, NACRE_TOO_LARGE},
                                              {uint64_t{1} << 40, NACRE_TOO_LARGE},
                                              {kMaxValueBytes, NACRE_TOO_LARGE},
                                              {kMaxValueBytes + 1, NACRE_TOO_LARGE},
                                              {UINT64_MAX, NACRE_TOO_LARGE}};
  for (const auto& [bytes, expected] : lengths)
    l.add("nacre_put", "value of length " + std::to_string(bytes), {{3, word_of(zeros())}, {4, bytes}}, expected);
  static char buffer[64];
  l.add("nacre_get_copy", "buffer (null, 0)", {{3, 0}, {4, 0}}, NACRE_OUT_OF_MEMORY);
  l.add("nacre_get_copy", "buffer null of length 2^64 - 1", {{3, 0}, {4, UINT64_MAX}}, NACRE_INVALID_ARGUMENT);
  l.add("nacre_get_copy", "buffer of length 0", {{3, word_of(buffer)}, {4, 0}}, NACRE_OUT_OF_MEMORY);
  l.add("nacre_get_copy", "buffer one byte too short", {{3, word_of(buffer)}, {4, sizeof kValue - 2}},
        NACRE_OUT_OF_MEMORY);
  l.add("nacre_get_copy", "buffer just long enough", {{3, word_of(buffer)}, {4, sizeof kValue - 1}}, NACRE_OK);
}

void add_names(Limits& l) {
  static const std::string long_name(256, 'n');
  static const char nul_name[] = "ot\0her";
  struct Row {
    const char* name;
    int absent;
  };
  for (const Row& row : {Row{"nacre_table_open", NACRE_OK}, Row{"nacre_table_drop", NACRE_NOT_FOUND}}) {
    const uint64_t text = word_of(long_name.data());
    l.add(row.name, "name (null, 0)", {{1, 0}, {2, 0}}, NACRE_INVALID_ARGUMENT);
    l.add(row.name, "name null of length 256", {{1, 0}, {2, 256}}, NACRE_INVALID_ARGUMENT);
    l.add(row.name, "name null of length 2^64 - 1", {{1, 0}, {2, UINT64_MAX}}, NACRE_INVALID_ARGUMENT);
    l.add(row.name, "name of length 0", {{1, text}, {2, 0}}, NACRE_INVALID_ARGUMENT);
    l.add(row.name, "name of length 1", {{1, text}, {2, 1}}, row.absent);
    l.add(row.name, "name of length 255", {{1, text}, {2, 255}}, row.absent);
    l.add(row.name, "name of length 256", {{1, text}, {2, 256}}, NACRE_INVALID_ARGUMENT);
    l.add(row.name, "name of length 2^64 - 1", {{1, text}, {2, UINT64_MAX}}, NACRE_INVALID_ARGUMENT);
    l.add(row.name, "name with a NUL inside", {{1, word_of(nul_name)}, {2, sizeof nul_name - 1}}, row.absent);
    l.add(row.name, "name with its NUL", {{1, word_of(kTable)}, {2, sizeof kTable}}, row.absent);
    l.add(row.name, "name in capitals", {{1, word_of("OTHER")}, {2, 5}}, row.absent);
  }
  l.add("nacre_table_drop", "the default table", {{1, word_of("default")}, {2, 7}}, NACRE_INVALID_ARGUMENT);
  l.add("nacre_table_open", "a table that is not there, without an engine", {{1, word_of("absent")}, {2, 6}, {3, 0}},
        NACRE_NOT_FOUND);
  l.add("nacre_table_open", "another engine than the table's", {{3, word_of("dram")}}, NACRE_INVALID_ARGUMENT);
}

void add_texts(Limits& l) {
  static const std::string endless(1u << 20, 'x');
  const std::pair<const char*, const char*> texts[] = {{"empty", ""},
                                                       {"unknown", "tape"},
                                                       {"none", "none"},
                                                       {"a space behind", "hash "},
                                                       {"capitals", "HASH"},
                                                       {"a megabyte", endless.c_str()},
                                                       {"not UTF-8", "\xff\xfe"},
                                                       {"a format", "%s%n%s"}};
  for (const auto& [what, text] : texts) {
    l.add("nacre_table_open", std::string("engine: ") + what, {{3, word_of(text)}}, NACRE_INVALID_ARGUMENT);
    for (const char* name : {"nacre_options_set_medium", "nacre_options_set_engine", "nacre_options_set_commit_form"})
      l.add(name, std::string("text: ") + what, {{1, word_of(text)}}, NACRE_INVALID_ARGUMENT);
  }
  static const std::string long_path = "/tmp/" + std::string(5000, 'p');
  static const std::string long_part = "/tmp/" + std::string(256, 'p');
  l.add("nacre_open", "path empty", {{0, word_of("")}}, NACRE_INVALID_ARGUMENT);
  l.add("nacre_open", "path in no folder", {{0, word_of("/nonexistent/folder/pool")}}, NACRE_IO_ERROR);
  l.add("nacre_open", "path longer than the system takes", {{0, word_of(long_path.c_str())}}, NACRE_IO_ERROR);
  l.add("nacre_open", "path with a part too long", {{0, word_of(long_part.c_str())}}, NACRE_IO_ERROR);
  l.add("nacre_open", "path of a folder", {{0, word_of("/tmp")}}, NACRE_NOT_A_POOL);
  l.add("nacre_open", "path of a device", {{0, word_of("/dev/null")}}, NACRE_NOT_A_POOL);
  l.add("nacre_open", "path through a file", {{0, word_of("/dev/null/pool")}}, NACRE_IO_ERROR);
}

void add_sizes(Limits& l) {
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, uint64_t{4096}, kPoolBytes - 1})
    l.add("nacre_options_set_size", std::to_string(bytes) + " bytes", {{1, bytes}}, NACRE_INVALID_ARGUMENT);
  for (const uint64_t bytes : {uint64_t{1}, uint64_t{4096}, kPoolBytes - 1})
    l.add("nacre_options_set_max_size", std::to_string(bytes) + " bytes", {{1, bytes}}, NACRE_INVALID_ARGUMENT);
  l.add("nacre_options_set_max_size", "0 bytes: no bound", {{1, 0}}, NACRE_OK);
  l.add("nacre_options_set_size", "2^64 - 1 bytes, for nacre_open to refuse", {{1, UINT64_MAX}}, NACRE_OK);
  for (const uint64_t bytes : {uint64_t{0}, uint64_t{1}, UINT64_MAX})
    l.add("nacre_options_set_grow_step", std::to_string(bytes) + " bytes", {{1, bytes}}, NACRE_OK);
  for (const char* name : {"nacre_options_set_create_if_missing", "nacre_options_set_error_if_exists",
                           "nacre_options_set_read_only", "nacre_options_set_grow"})
    for (const int flag : {-1, 2, INT_MIN, INT_MAX})
      l.add(name, "flag " + std::to_string(flag), {{1, static_cast<uint64_t>(flag)}}, NACRE_OK);
  for (const int number : {-1, INT_MIN, INT_MAX, NACRE_INTERNAL + 1, 256})
    l.add("nacre_status_name", "status " + std::to_string(number), {{0, static_cast<uint64_t>(number)}}, NACRE_OK);
  for (const char* name : {"nacre_record_bytes", "nacre_class_unit_of_record"})
    l.add(name, "sums beyond 2^64", {{0, UINT64_MAX}, {1, UINT64_MAX}}, NACRE_OK);
}

void add_classes(Limits& l) {
  for (const char* name : {"nacre_options_add_class", "nacre_class_add"}) {
    for (const uint64_t unit : {uint64_t{0}, uint64_t{1}, uint64_t{16}, uint64_t{31}, uint64_t{33}, uint64_t{40},
                                uint64_t{1} << 31, uint64_t{1} << 32, (uint64_t{1} << 32) + 304, UINT64_MAX})
      l.add(name, "unit of " + std::to_string(unit), {{1, unit}}, NACRE_INVALID_ARGUMENT);
    for (const uint64_t align : {uint64_t{1}, uint64_t{3}, uint64_t{8}, uint64_t{17}, uint64_t{32}, uint64_t{8192},
                                 uint64_t{1} << 32, (uint64_t{1} << 32) + 16, UINT64_MAX})
      l.add(name, "alignment " + std::to_string(align), {{2, align}}, NACRE_INVALID_ARGUMENT);
    l.add(name, "alignment 0: the least", {{2, 0}}, NACRE_OK);
  }
  l.add("nacre_class_add", "a unit that is there", {{1, 176}}, NACRE_EXISTS);
  l.add("nacre_options_add_class", "a unit that is there by default", {{1, 176}}, NACRE_OK);
  for (const uint64_t unit : {uint64_t{0}, uint64_t{1}, uint64_t{33}, uint64_t{304}, uint64_t{UINT32_MAX}})
    l.add("nacre_class_retire", "unit of " + std::to_string(unit), {{1, unit}}, NACRE_NOT_FOUND);
  for (const uint64_t unit : {uint64_t{1} << 32, (uint64_t{1} << 32) + 176, UINT64_MAX})
    l.add("nacre_class_retire", "unit of " + std::to_string(unit), {{1, unit}}, NACRE_INVALID_ARGUMENT);
}

void add_suggestions(Limits& l) {
  static const nacre_size_count overflowing[2] = {{140, UINT64_MAX / 2}, {300, UINT64_MAX / 2}};
  static const nacre_size_count odd[3] = {{0, 5}, {UINT64_MAX, 5}, {140, 0}};
  constexpr const char* kName = "nacre_class_suggest";
  l.add(kName, "no rows", {{1, 0}, {2, 0}}, NACRE_OK);
  l.add(kName, "rows null, 2^64 - 1 of them", {{1, 0}, {2, UINT64_MAX}}, NACRE_INVALID_ARGUMENT);
  l.add(kName, "more rows than memory has bytes", {{2, UINT64_MAX}}, NACRE_INVALID_ARGUMENT);
  l.add(kName, "more rows than addresses", {{2, UINT64_MAX / sizeof(nacre_size_count) + 1}}, NACRE_INVALID_ARGUMENT);
  l.add(kName, "more than 2^62 bytes", {{1, word_of(overflowing)}}, NACRE_LIMIT);
  l.add(kName, "sizes 0 and 2^64 - 1", {{1, word_of(odd)}, {2, 3}}, NACRE_OK);
  l.add(kName, "no classes", {{3, 0}}, NACRE_OK);
  l.add(kName, "64 classes", {{3, 64}}, NACRE_OK);
  l.add(kName, "65 classes", {{3, 65}}, NACRE_INVALID_ARGUMENT);
  l.add(kName, "2^32 - 1 classes", {{3, UINT32_MAX}}, NACRE_INVALID_ARGUMENT);
}

}  // namespace

std::vector<Case> limit_cases() {
  Limits limits;
  add_keys(limits);
  add_values(limits);
  add_names(limits);
  add_texts(limits);
  add_sizes(limits);
  add_classes(limits);
  add_suggestions(limits);
  return std::move(limits.cases);
}

}  // namespace nacre::misuse
