// What `nacre load` reads: TSV, TSV in hexadecimal, JSON lines, a dump. The first byte of the input chooses.
//
// Expected of any bytes: a Failure or an end, never more bytes of keys and values than the input has. And what was
// read is written as a dump and read again: the same pairs.
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"
#include "tools/dump_format.h"
#include "tools/failure.h"
#include "tools/pair_source.h"
#include "tools/text.h"

using namespace nacre::fuzz;
using namespace nacre::tools;

namespace {

/// A file in memory with a path.
class MemoryFile {
 public:
  MemoryFile() : fd_(::memfd_create("nacre-fuzz", MFD_CLOEXEC)) { require(fd_ >= 0, "memfd_create"); }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  void write(std::span<const uint8_t> bytes) {
    require(::ftruncate(fd_, 0) == 0, "ftruncate");
    require(::pwrite(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()), "pwrite");
  }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

std::unique_ptr<PairSource> make_source(uint8_t format, Input& input) {
  switch (format % 4) {
    case 0:
      return make_tsv_source(input, false);
    case 1:
      return make_tsv_source(input, true);
    case 2:
      return make_jsonl_source(input);
    default:
      return make_dump_source(input);
  }
}

std::vector<Pair> read_all(PairSource& source, size_t input_bytes) {
  std::vector<Pair> pairs;
  size_t bytes = 0;
  try {
    Pair pair;
    while (source.next(pair)) {
      bytes += pair.key.size() + pair.value.size();
      require(bytes <= input_bytes, "more bytes came out than went in");
      pairs.push_back(pair);
    }
  } catch (const Failure& failure) {
    require(*failure.what() != '\0', "a failure without a text");
  }
  return pairs;
}

void write_dump(const std::vector<Pair>& pairs, MemoryFile& file) {
  file.write({});
  Output out = Output::file(file.path());
  DumpWriter writer(out, "table", "hash");
  for (const Pair& pair : pairs) writer.add(pair.key, pair.value);
  writer.finish();
  out.finish();
}

void survives_a_dump(const std::vector<Pair>& pairs, MemoryFile& file) {
  write_dump(pairs, file);
  Input input = Input::file(file.path());
  const std::unique_ptr<PairSource> dump = make_dump_source(input);
  Pair pair;
  for (const Pair& wanted : pairs) {
    require(dump->next(pair), "a dump of what was read ends early");
    require(pair.key == wanted.key && pair.value == wanted.value, "a dump changed a pair");
  }
  require(!dump->next(pair), "a dump of what was read goes on");
}

std::string dump_of(const std::vector<Pair>& pairs) {
  MemoryFile file;
  write_dump(pairs, file);
  return read_whole(file.path());
}

void survives_text(const std::string& bytes) {
  std::string error;
  require(unescape(escaped(bytes), error) == bytes, "escaped bytes come back changed");
  require(from_hex(to_hex(bytes), error) == bytes, "hexadecimal bytes come back changed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static MemoryFile file;
  Bytes bytes(data, size);
  const uint8_t format = bytes.byte();
  const std::span<const uint8_t> text = bytes.rest();
  file.write(text);
  std::vector<Pair> pairs;
  try {
    Input input = Input::file(file.path());
    pairs = read_all(*make_source(format, input), text.size());
  } catch (const Failure&) {  // a dump says what is wrong with its header when it is made
  }
  for (const Pair& pair : pairs) {
    survives_text(pair.key);
    survives_text(pair.value);
  }
  survives_a_dump(pairs, file);
  return 0;
}

std::vector<Seed> nacre::fuzz::seeds() {
  using namespace std::string_literals;
  return {{"tsv", "\0alice\t1\nbob\\t\\x00\\n\ttwo\\\\\n\t\n"s},
          {"tsv-hex", "\1616c696365\t31\n\tFFff00\n"s},
          {"jsonl",
           "\2{\"key\": \"alice\", \"value\": {\"n\": [1.10, -0e5, null, true], \"s\": \"\\u00e9\\n\"}}\n\n"
           "{\"key_hex\":\"00ff\",\"value_hex\":\"\"}\n{\"value\":\"x\",\"key\":\"\\ud83d\\ude00\"}"s},
          {"dump", "\3" + dump_of({{"hello", "abc"}, {"", "\n\n"}})},
          {"dump-lengths", "\3nacre-dump 1 {}\n+18446744073709551615,0:x->\n"s}};
}
