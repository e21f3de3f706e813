// Sequences of operations on a database against the model of tests/crash, with closings, kills and power losses as
// operations. A power loss strikes at a fence in the middle of an operation, or of the recovery after one; each word
// that was not durable survives or not as the input's seed says.
//
//   byte 0       form, growth, chunk size
//   then         one byte chooses an operation, the bytes after it its numbers
#include <memory>
#include <vector>

#include "tests/crash/client.h"
#include "tests/crash/crash_domain.h"
#include "tests/crash/db_client.h"
#include "tests/crash/recording.h"
#include "tests/crash/zobrist.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"

using namespace nacre;
using namespace nacre::crash;
using namespace nacre::fuzz;

namespace {

constexpr uint64_t kMaxOperations = 120;  // of one input: each looks at the whole pool several times

/// Keeps what a power failure at the n-th fence from now could leave.
class PointCatcher final : public PointSink {
 public:
  void arm(uint32_t fences) {
    left_ = fences;
    caught_ = false;
  }
  bool caught() const noexcept { return caught_; }
  void on_crash_point(CrashMedium& medium, const char*) override {
    if (caught_ || left_ == 0 || --left_ != 0) return;
    caught_ = true;
    words_.resize(medium.max_bytes() / kWordBytes + 1);  // the length of the file is the last word
    std::memcpy(words_.data(), medium.durable(), words_.size() * kWordBytes);
    medium.collect(&unsettled_);
  }
  /// Makes the medium what the power failure left.
  void restore(CrashMedium& medium, uint64_t seed) const {
    for (uint32_t w = 0; w < words_.size(); ++w) {
      uint64_t now;
      std::memcpy(&now, medium.durable() + w * kWordBytes, sizeof now);
      if (now != words_[w]) medium.assign(w, words_[w]);
    }
    Random random{seed};
    for (const Unsettled::Word& word : unsettled_.words)
      medium.assign(word.word_idx, unsettled_.candidate(word, static_cast<uint32_t>(random.below(word.count))).value);
  }

 private:
  uint32_t left_ = 0;
  bool caught_ = false;
  std::vector<uint64_t> words_;
  Unsettled unsettled_;
};

std::string config_of(uint8_t byte) {
  std::string config = (byte & 1) != 0 ? "form=one" : "form=strict";
  if ((byte & 2) != 0) config += ",max=131072";
  if ((byte & 4) != 0) config += ",chunk=1024";
  if ((byte & 8) != 0) config += ",cells=16";
  if ((byte & 16) != 0) config += ",skip=0,dirbits=3";
  return config;
}

class Run {
 public:
  explicit Run(uint8_t config)
      : client_(db_client_kind().make(parse_config(config_of(config)))),
        medium_(client_->pool_bytes(), client_->max_bytes()),
        model_(client_->empty_model()) {
    medium_.set_sink(&catcher_);
    const Status made = client_->format(std::make_unique<CrashDomain>(medium_));
    require(made.ok(), "format");
    open();
  }

  uint64_t applied() const noexcept { return applied_; }

  void apply(const std::string& op) {
    ++applied_;
    std::unique_ptr<Model> after = model_->clone();
    const Code expected = after->apply(op);
    const Status status = store_->apply(op);
    const bool done = status.code() == expected;
    if (!done && !client_->may_refuse(op, status.code()))
      fail(op + " says " + status.name() + ", not " + code_name(expected) + ": " + status.message());
    std::unique_ptr<Model> before = std::exchange(model_, done ? std::move(after) : model_->clone());
    medium_.observe();
    medium_.clear_undo();
    if (catcher_.caught()) lose_power_at_point(std::move(before));
  }

  void crash_in_next(uint32_t fences, uint64_t seed) {
    ++applied_;
    catcher_.arm(fences);
    seed_ = seed;
  }

  void reopen() {
    applied_ += 4;
    const Status closed = store_->close();
    if (!closed.ok()) fail(std::string("close: ") + closed.message());
    medium_.observe();
    end_store();
    if (catcher_.caught()) return lose_power_at_point(model_->clone());
    open();
  }

  void kill() {
    applied_ += 4;
    end_store();
    medium_.forget_captures();
    open();
  }

  void lose_power(uint64_t seed) {
    applied_ += 4;
    end_store();
    medium_.forget_captures();
    Unsettled unsettled;
    medium_.collect(&unsettled);
    Random random{seed};
    std::vector<uint16_t> choice;
    for (const Unsettled::Word& word : unsettled.words)
      choice.push_back(static_cast<uint16_t>(random.below(word.count)));
    medium_.lose_power(unsettled, choice);
    open();
  }

  void check() {
    applied_ += 2;
    const Observation seen = store_->check();
    if (!seen.problem.empty()) fail("check: " + seen.problem);
    require(seen.leaked_bytes == 0, "leaked bytes");
    if (seen.fingerprint != model_->fingerprint()) fail("holds " + store_->text() + "\ninstead of " + model_->text());
  }

 private:
  void open() {
    for (;;) {
      auto store = client_->open(std::make_unique<CrashDomain>(medium_));
      if (!store.has_value()) fail(std::string("open: ") + store.status().message());
      store_ = std::move(*store);
      medium_.observe();
      if (!catcher_.caught()) break;
      end_store();  // the power failed in the middle of this open
      restore();
    }
    medium_.clear_undo();
  }

  // The process is gone: what its destructors would store never was.
  void end_store() {
    medium_.observe();
    medium_.save_working();
    medium_.set_blind(true);
    store_.reset();
    medium_.set_blind(false);
    medium_.restore_working();
  }

  void restore() {
    medium_.forget_captures();
    Unsettled unsettled;
    medium_.collect(&unsettled);
    medium_.lose_power(unsettled, std::vector<uint16_t>(unsettled.words.size(), 0));
    catcher_.restore(medium_, seed_);
    medium_.clear_undo();
    // The recovery may be struck too, but not for ever.
    catcher_.arm((seed_ & 1) != 0 ? static_cast<uint32_t>(seed_ >> 1 & 7) : 0);
    seed_ = mix64(seed_) >> 1 & ~uint64_t{1};
  }

  // The operation that was struck is there or it is not.
  void lose_power_at_point(std::unique_ptr<Model> before) {
    end_store();
    restore();
    open();
    catcher_.arm(0);
    const uint64_t found = store_->check().fingerprint;
    if (found == before->fingerprint()) model_ = std::move(before);
    check();
  }

  PointCatcher catcher_;
  uint64_t applied_ = 0;
  uint64_t seed_ = 0;
  std::unique_ptr<Client> client_;
  CrashMedium medium_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Store> store_;
};

std::string put(uint64_t table, uint64_t key, uint64_t bytes, uint64_t seed) {
  return "put:" + std::to_string(table) + ":" + std::to_string(key) + ":" + std::to_string(bytes) + ":" +
         std::to_string(seed);
}

void step(Run& run, Bytes& bytes) {
  static constexpr uint64_t kSizes[] = {0, 8, 8, 30, 100, 280, 400, 1260, 3900, 5000, 9000};
  static const char* const kUnits[] = {"32", "176", "304", "1280"};
  const uint8_t what = bytes.byte();
  const uint64_t table = what >> 5 & 3;
  switch (what & 31) {
    case 0:
      return run.apply("create:" + std::to_string(1 + table));
    case 1:
      return run.apply("drop:" + std::to_string(1 + table));
    case 2:
      return run.apply("clear:" + std::to_string(table));
    case 3:
      return run.apply("epoch");
    case 4:
      return run.apply("retire");
    case 5:
      return run.apply("reclaim");
    case 6:
      return run.apply("lane:" + std::to_string(table & 1));
    case 7:
      return run.apply("shrink");
    case 8:
      return run.apply(std::string("addclass:") + kUnits[table]);
    case 9:
      return run.apply(std::string("noclass:") + kUnits[table]);
    case 10:
      return run.reopen();
    case 11:
      return run.kill();
    case 12:
      return run.lose_power(bytes.number(2));
    case 13:
    case 14: {
      const uint8_t fences = bytes.byte();
      return run.crash_in_next(1u + (fences & 15), bytes.number(2));
    }
    case 15:
      return run.check();
    case 16:
    case 17:
    case 18:
      return run.apply("del:" + std::to_string(table & 1) + ":" + std::to_string(bytes.byte() & 63));
    case 19:
    case 20: {  // as many as split a segment
      const uint8_t first = bytes.byte();
      for (uint64_t key = first & 63; key < (first & 63u) + 12; ++key) run.apply(put(table & 1, key, 8, key));
      return;
    }
    default: {
      const uint64_t key = bytes.byte() & 63, size = bytes.byte();
      return run.apply(put(table & 1, key, kSizes[size % std::size(kSizes)], size));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes bytes(data, size);
  Run run(bytes.byte());
  while (run.applied() < kMaxOperations && !bytes.empty()) step(run, bytes);
  run.check();
  run.crash_in_next(0, 0);
  run.reopen();
  run.check();
  return 0;
}

std::vector<Seed> nacre::fuzz::seeds() {
  using namespace std::string_literals;
  return {{"splits", "\0\x13\0\x13\x0c\x13\x18\x0f\x0b"s},
          {"one-fence-crash", "\1\x15\1\1\x0d\1\x2a\1\x15\1\4\x0d\2\x55\2\x10\1\x0b\x0c\x11\x22"s},
          {"tables", "\0\0\x35\1\1\x35\2\5\x01\x0d\3\7\0\0\x35\3\3\x02\x0a"s},
          {"extents-and-growth", "\x06\x15\1\x0a\x15\2\x09\x15\3\x08\x0d\1\1\0\x15\4\x0a\x10\1\x03\x03\x07\x0b"s},
          {"classes", "\5\x48\x15\1\5\x49\x15\2\5\x48\x0d\2\3\0\x08\x29\x0a\x0f"s}};
}
