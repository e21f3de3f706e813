// Files that are no sound pool: what nacre_open says of each, read-only and not, and that it leaves them alone; and
// every function on a pool one of whose records is damaged.
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <functional>

#include "alloc/format.h"
#include "alloc/guarded_line.h"
#include "alloc/lane_layout.h"
#include "tests/misuse/cases.h"
#include "tests/support/files.h"

namespace nacre::misuse {
namespace {

using test::read_file;
using test::write_file;

void flip(std::string& bytes, uint64_t at) { bytes[at] = static_cast<char>(bytes[at] ^ 4); }

/// Changes a word of a line in both copies of the superblock and makes its check good again.
void set_superblock_word(std::string& bytes, uint64_t line_off, uint32_t word, uint64_t value) {
  for (const uint64_t copy : {alloc::kSuperblockAOff, alloc::kSuperblockBOff}) {
    alloc::GuardedLine line{};
    std::memcpy(&line, &bytes[copy + line_off], sizeof line);
    line.words[word] = value;
    line.guard = alloc::make_guard(0, copy + line_off, line.words, alloc::guard_seq(line.guard));
    std::memcpy(&bytes[copy + line_off], &line, sizeof line);
  }
}

struct Damage {
  const char* what;
  std::function<void(std::string&)> make;
  int read_write;  // the answer of nacre_open
  int read_only;
  bool recovers = false;  // found only after the log was applied, which could have healed it: the lanes are retired
};

/// True if the files are equal but for the lanes.
bool equal_but_for_lanes(const std::string& one, const std::string& other) {
  alloc::GuardedLine line{};
  std::memcpy(&line, &one[alloc::kGeometryLineOff], sizeof line);
  alloc::Geometry g;
  g.chunk_bytes = static_cast<uint32_t>(line.words[alloc::kChunkWord]);
  g.lane_count = static_cast<uint32_t>(line.words[alloc::kLaneWord]);
  g.lane_cells = static_cast<uint32_t>(line.words[alloc::kLaneWord] >> 32);
  const uint64_t end = alloc::Layout(g, one.size()).zones_off;
  return one.size() == other.size() && one.substr(0, alloc::kLaneAreaOff) == other.substr(0, alloc::kLaneAreaOff) &&
         one.substr(end) == other.substr(end);
}

const std::vector<Damage>& damages() {
  using namespace alloc;
  const auto both = [](uint64_t off) {
    return [off](std::string& b) { flip(b, off), flip(b, kSuperblockBOff + off); };
  };
  const auto word = [](uint64_t line, uint32_t w, uint64_t value) {
    return [=](std::string& b) { set_superblock_word(b, line, w, value); };
  };
  static const std::vector<Damage> all = {
      {"empty", [](std::string& b) { b.clear(); }, NACRE_NOT_A_POOL, NACRE_NOT_A_POOL},
      {"one byte", [](std::string& b) { b.resize(1); }, NACRE_NOT_A_POOL, NACRE_NOT_A_POOL},
      {"a page of zeros", [](std::string& b) { b.assign(4096, '\0'); }, NACRE_NOT_A_POOL, NACRE_NOT_A_POOL},
      {"a megabyte of zeros", [](std::string& b) { b.assign(b.size(), '\0'); }, NACRE_NOT_A_POOL, NACRE_NOT_A_POOL},
      {"text", [](std::string& b) { b.assign(b.size(), 't'); }, NACRE_NOT_A_POOL, NACRE_NOT_A_POOL},
      {"the first page alone", [](std::string& b) { b.resize(4096); }, NACRE_NOT_A_POOL, NACRE_NOT_A_POOL},
      {"half of it", [](std::string& b) { b.resize(b.size() / 2); }, NACRE_CORRUPTION, NACRE_CORRUPTION},
      {"one byte short", [](std::string& b) { b.pop_back(); }, NACRE_CORRUPTION, NACRE_CORRUPTION},
      {"no magic", both(0), NACRE_NOT_A_POOL, NACRE_NOT_A_POOL},
      {"a flipped bit in both identities", both(40), NACRE_CORRUPTION, NACRE_CORRUPTION},
      {"a flipped bit in both geometries", both(kGeometryLineOff), NACRE_CORRUPTION, NACRE_CORRUPTION},
      {"a flipped bit in both roots", both(kRootsLineOff), NACRE_CORRUPTION, NACRE_CORRUPTION, true},
      {"a later version", word(0, kVersionWord, kFormatVersion + 1), NACRE_INCOMPATIBLE, NACRE_INCOMPATIBLE},
      {"version 0", word(0, kVersionWord, 0), NACRE_INCOMPATIBLE, NACRE_INCOMPATIBLE},
      {"an unknown incompatible feature", word(0, kIncompatWord, uint64_t{1} << 40), NACRE_INCOMPATIBLE,
       NACRE_INCOMPATIBLE},
      {"an unknown feature that forbids writing", word(0, kRoCompatWord, 1), NACRE_INCOMPATIBLE, NACRE_OK},
      {"an unknown feature that is no matter", word(0, kCompatWord, 1), NACRE_OK, NACRE_OK},
      {"chunks of 3 bytes", word(kGeometryLineOff, kChunkWord, 3), NACRE_CORRUPTION, NACRE_CORRUPTION},
      {"no lanes", word(kGeometryLineOff, kLaneWord, 0), NACRE_CORRUPTION, NACRE_CORRUPTION},
      {"lanes beyond the file", word(kGeometryLineOff, kLaneWord, uint64_t{16384} << 32 | 4096), NACRE_CORRUPTION,
       NACRE_CORRUPTION},
      {"a flipped bit in the class table", [](std::string& b) { flip(b, kClassTableOff); }, NACRE_CORRUPTION,
       NACRE_CORRUPTION, true},
      {"a flipped bit in the zone table", [](std::string& b) { flip(b, kZoneTableOff); }, NACRE_CORRUPTION,
       NACRE_CORRUPTION, true},
      {"a flipped bit in a lane's header", [](std::string& b) { flip(b, kLaneAreaOff); }, NACRE_CORRUPTION,
       NACRE_CORRUPTION},
  };
  return all;
}

int open_damaged(const std::string& path, bool read_only, nacre_db** db) {
  nacre_options* options = nullptr;
  static_cast<void>(nacre_options_new(&options));
  static_cast<void>(nacre_options_set_medium(options, "msync"));
  static_cast<void>(nacre_options_set_read_only(options, read_only));
  const int status = nacre_open(path.c_str(), options, db);
  nacre_options_delete(options);
  return status;
}

/// Changes one byte of the value of kKey, in both tables, under the open handles of a world.
void damage_records(const std::string& pool_path) {
  const std::string bytes = read_file(pool_path);
  std::fstream file(pool_path, std::ios::binary | std::ios::in | std::ios::out);
  for (size_t at = bytes.find(kValue); at != std::string::npos; at = bytes.find(kValue, at + 1)) {
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(bytes[at] ^ 4));
  }
}

// What each function says on a pool where the value of kKey is damaged. Those not named work.
int on_damaged_record(const std::string& name) {
  for (const char* reader : {"nacre_get", "nacre_get_copy", "nacre_exists", "nacre_scan", "nacre_check"})
    if (name == reader) return NACRE_CORRUPTION;
  return NACRE_OK;
}

}  // namespace

void run_damaged_files(Report& report, const Place& place) {
  const std::string path = place.folder + "/damaged";
  for (const Damage& damage : damages())
    for (const bool read_only : {false, true}) {
      const std::string id = std::string("damaged file/") + damage.what + (read_only ? ", read-only" : "");
      if (!report.wants(id)) continue;
      const Watchdog watchdog(id);
      std::string bytes = read_file(place.template_path);
      damage.make(bytes);
      write_file(path, bytes);
      nacre_db* db = reinterpret_cast<nacre_db*>(static_cast<uintptr_t>(1));
      const int expected = read_only ? damage.read_only : damage.read_write;
      const int status = open_damaged(path, read_only, &db);
      std::string violation;
      if (status != expected)
        violation = std::string("answered ") + nacre_status_name(status) + ", not " + nacre_status_name(expected) +
                    ": " + nacre_errormsg();
      else if ((status == NACRE_OK) != (db != nullptr))
        violation = "out does not agree with the answer";
      else if (damage.recovers && !read_only && !equal_but_for_lanes(read_file(path), bytes))
        violation = "the file changed outside its lanes";
      else if ((read_only || (status != NACRE_OK && !damage.recovers)) && read_file(path) != bytes)
        violation = "the file changed";
      else if (status != NACRE_OK && *nacre_errormsg() == '\0')
        violation = "the failure has no text";
      if (status == NACRE_OK) static_cast<void>(nacre_close(db));
      report.note(id, violation);
    }
  ::unlink(path.c_str());
}

void run_damaged_records(Report& report, const Place& place) {
  for (const Function& f : functions()) {
    const std::string id = std::string("damaged record/") + f.name;
    if (!report.wants(id)) continue;
    const Watchdog watchdog(id);
    World world(place.folder, place.template_path);
    if (!world.trouble().empty()) {
      report.note(id, world.trouble());
      continue;
    }
    const Words words = world.valid_words(f);
    damage_records(world.pool_path());
    world.remember();
    const int status = f.call(words), expected = on_damaged_record(f.name);
    std::string violation;
    if (f.traits.has_status && status != expected)
      violation = std::string("answered ") + nacre_status_name(status) + ", not " + nacre_status_name(expected) + ": " +
                  nacre_errormsg();
    else if (expected != NACRE_OK && !world.unchanged())
      violation = "the pool's bytes changed";
    if (status == NACRE_OK && std::strcmp(f.name, "nacre_open") == 0)
      static_cast<void>(nacre_close(reinterpret_cast<nacre_db*>(static_cast<uintptr_t>(world.out()))));
    report.note(id, violation);
  }
}

}  // namespace nacre::misuse
