#include "tests/crash/toy_client.h"

#include <array>
#include <charconv>

#include "tests/crash/replay_text.h"
#include "tests/crash/zobrist.h"

namespace nacre::crash {
namespace {

//  0       magic
//  64      pair 0: a        ... 512   pair 7: a      (a line each, so that a and b can part company)
//  576     pair 0: b        ... 1024  pair 7: b
//  1088    log: count of entries, 0 when there is nothing to redo
//  1152    log entry 0: pair, a, b;  1216 log entry 1
constexpr uint64_t kPairs = 8;
constexpr uint64_t kMagic = 0x796f742d65726361;
constexpr uint64_t kLogOff = 1088;
constexpr uint64_t kMaxEntries = 2;
constexpr uint64_t a_off(uint64_t pair) { return 64 + 64 * pair; }
constexpr uint64_t b_off(uint64_t pair) { return 576 + 64 * pair; }
constexpr uint64_t entry_off(uint64_t i) { return kLogOff + 64 + 64 * i; }
constexpr uint64_t b_for(uint64_t pair, uint64_t a) { return mix64(a * 8 + pair + 1); }

using pmem::Site;
constexpr Site kFormatFlush{"toy.format.flush"}, kFormatFence{"toy.format.fence"};
constexpr Site kMagicFlush{"toy.format.magic_flush"}, kMagicFence{"toy.format.magic_fence"};
constexpr Site kLogFlush{"toy.log.flush"}, kLogFence{"toy.log.fence"};
constexpr Site kCommitFlush{"toy.commit.flush"}, kCommitFence{"toy.commit.fence"};
constexpr Site kHomeFlush{"toy.home.flush"}, kHomeFence{"toy.home.fence"};
constexpr Site kClearFlush{"toy.clear.flush"}, kClearFence{"toy.clear.fence"};
constexpr Site kRecLogFlush{"toy.recover.log_flush"}, kRecLogFence{"toy.recover.log_fence"};
constexpr Site kRecMagicFlush{"toy.recover.magic_flush"};
constexpr Site kRecHomeFlush{"toy.recover.home_flush"}, kRecHomeFence{"toy.recover.home_fence"};
constexpr Site kRecClearFlush{"toy.recover.clear_flush"}, kRecClearFence{"toy.recover.clear_fence"};

struct Pair {
  uint64_t idx, a;
};

/// The pairs that an operation sets, given what they hold.
template <class ReadFn>
std::vector<Pair> effects(std::string_view op, const ReadFn& a_of) {
  const std::vector<std::string> part = split(op, ':');
  if (part.size() != 3) return {};
  const uint64_t first = std::stoull(part[1]) % kPairs;
  const uint64_t second = std::stoull(part[2]);
  if (part[0] == "set") return {{first, second}};
  if (part[0] == "move" && first != second % kPairs) return {{second % kPairs, a_of(first)}, {first, 0}};
  return {};
}

class ToyModel final : public Model {
 public:
  std::unique_ptr<Model> clone() const override { return std::make_unique<ToyModel>(*this); }
  Code apply(std::string_view op) override {
    const std::vector<Pair> pairs = effects(op, [this](uint64_t pair) { return a_[pair]; });
    for (const Pair& pair : pairs) a_[pair.idx] = pair.a;
    return pairs.empty() ? Code::invalid_argument : Code::ok;
  }
  uint64_t fingerprint() const override {
    uint64_t hash = 1;
    for (uint64_t a : a_) hash = mix64(hash ^ a) + 0x9e3779b97f4a7c15ull;
    return hash;
  }
  std::string text() const override {
    std::string text;
    for (uint64_t a : a_) text += (text.empty() ? "" : " ") + std::to_string(a);
    return text;
  }
  uint64_t& operator[](uint64_t pair) { return a_[pair]; }

 private:
  std::array<uint64_t, kPairs> a_{};
};

class ToyStore final : public Store {
 public:
  ToyStore(std::unique_ptr<pmem::Domain> domain, std::string_view bug) : d_(std::move(domain)), bug_(bug) {}

  void format() {
    if (bug("format_magic_first")) publish_magic();
    for (uint64_t pair = 0; pair < kPairs; ++pair) word(b_off(pair)) = b_for(pair, 0);
    d_->flush(0, kLogOff, kFormatFlush);
    d_->fence(kFormatFence);
    publish_magic();
  }

  Status recover() {
    if (word(0) == 0) return Code::not_a_pool;
    if (word(0) != kMagic) return Code::corruption;
    if (word(kLogOff) > kMaxEntries) return Code::corruption;
    // After the death of the process the log word may be visible without being durable, whatever it says; so
    // may the magic, when the process died in format.
    if (!bug(word(kLogOff) ? "recover_no_log_flush" : "recover_trusts_clear"))
      d_->flush(kLogOff, 8, kRecLogFlush);
    if (!bug("recover_trusts_magic")) d_->flush(0, 8, kRecMagicFlush);
    d_->fence(kRecLogFence);
    if (word(kLogOff) != 0) redo_after_crash();
    if (bug("damage_is_empty") && !pairs_sound())
      for (uint64_t pair = 0; pair < kPairs; ++pair) set_pair(pair, 0);
    return Code::ok;
  }

  Status apply(std::string_view op) override {
    const std::vector<Pair> pairs = effects(op, [this](uint64_t pair) { return word(a_off(pair)); });
    if (pairs.empty()) return Code::invalid_argument;
    if (bug("valid_first")) commit(pairs.size());
    write_log(pairs);
    if (bug("apply_early") || bug("damage_is_empty")) write_home(kHomeFlush, false);
    if (!bug("valid_first")) commit(pairs.size());
    write_home(kHomeFlush, bug("no_home_flush"));
    if (!bug("no_home_fence")) d_->fence(kHomeFence);
    word(kLogOff) = 0;
    if (!bug("no_clear_flush")) d_->flush(kLogOff, 8, kClearFlush);
    if (!bug("no_clear_fence")) d_->fence(kClearFence);
    return Code::ok;
  }

  Observation check() override {
    Observation seen;
    if (bug("check_writes")) word(kLogOff + 8) += 1;
    if (!pairs_sound()) seen.problem = "a pair is torn: " + text();
    ToyModel model;
    for (uint64_t pair = 0; pair < kPairs; ++pair) model[pair] = word(a_off(pair));
    seen.fingerprint = model.fingerprint();
    return seen;
  }
  std::string text() override {
    std::string text;
    for (uint64_t pair = 0; pair < kPairs; ++pair)
      text += (pair ? " " : "") + std::to_string(word(a_off(pair))) +
              (word(b_off(pair)) == b_for(pair, word(a_off(pair))) ? "" : "(torn)");
    return text;
  }
  Status close() override { return Code::ok; }

 private:
  bool bug(std::string_view name) const { return bug_ == name; }
  uint64_t& word(uint64_t off) { return *d_->at<uint64_t>(off); }
  void set_pair(uint64_t pair, uint64_t a) {
    word(a_off(pair)) = a;
    word(b_off(pair)) = b_for(pair, a);
  }
  bool pairs_sound() {
    for (uint64_t pair = 0; pair < kPairs; ++pair)
      if (word(b_off(pair)) != b_for(pair, word(a_off(pair)))) return false;
    return true;
  }

  void publish_magic() {
    word(0) = kMagic;
    d_->flush(0, 8, kMagicFlush);
    d_->fence(kMagicFence);
  }

  void write_log(const std::vector<Pair>& pairs) {
    for (size_t i = 0; i < pairs.size(); ++i) {
      word(entry_off(i)) = pairs[i].idx;
      word(entry_off(i) + 8) = pairs[i].a;
      word(entry_off(i) + 16) = b_for(pairs[i].idx, pairs[i].a);
    }
    const bool wrong_way_round = bug("fence_before_flush");
    if (wrong_way_round) d_->fence(kLogFence);
    if (!bug("no_log_flush")) d_->flush(entry_off(0), 64 * pairs.size(), kLogFlush);
    if (!wrong_way_round && !bug("no_log_fence")) d_->fence(kLogFence);
    logged_ = pairs.size();
  }
  void commit(uint64_t count) {
    word(kLogOff) = count;
    if (!bug("no_commit_flush")) d_->flush(kLogOff, 8, kCommitFlush);
    if (!bug("no_commit_fence")) d_->order(kCommitFence);
  }
  void write_home(const Site& site, bool forget_flush) {
    for (uint64_t i = 0; i < logged_; ++i) {
      const uint64_t pair = word(entry_off(i)) % kPairs;
      word(a_off(pair)) = word(entry_off(i) + 8);
      word(b_off(pair)) = word(entry_off(i) + 16);
      if (forget_flush) continue;
      d_->flush(a_off(pair), 8, site);
      if (!bug("flush_short")) d_->flush(b_off(pair), 8, site);
    }
  }

  void redo_after_crash() {
    logged_ = word(kLogOff);
    if (bug("recover_clear_first")) clear_after_crash();
    write_home(kRecHomeFlush, bug("recover_no_home_flush"));
    if (!bug("recover_no_home_fence")) d_->fence(kRecHomeFence);
    clear_after_crash();
  }
  void clear_after_crash() {
    word(kLogOff) = 0;
    d_->flush(kLogOff, 8, kRecClearFlush);
    if (!bug("recover_no_clear_fence")) d_->fence(kRecClearFence);
  }

  std::unique_ptr<pmem::Domain> d_;
  std::string bug_;
  uint64_t logged_ = 0;
};

class ToyClient final : public Client {
 public:
  explicit ToyClient(const Config& config) : bug_(config_value(config, "bug", "none")) {
    const std::string_view size = config_value(config, "size", "65536");
    std::from_chars(size.data(), size.data() + size.size(), size_bytes_);
  }
  uint64_t pool_bytes() const override { return size_bytes_; }
  std::unique_ptr<Model> empty_model() const override { return std::make_unique<ToyModel>(); }
  Status format(std::unique_ptr<pmem::Domain> domain) override {
    ToyStore(std::move(domain), bug_).format();
    return Code::ok;
  }
  Result<std::unique_ptr<Store>> open(std::unique_ptr<pmem::Domain> domain) override {
    auto store = std::make_unique<ToyStore>(std::move(domain), bug_);
    NACRE_TRY(store->recover());
    return std::unique_ptr<Store>(std::move(store));
  }
  std::string probe(const Model&, uint64_t salt) const override {
    return "set:" + std::to_string(salt) + ":" + std::to_string(100 + salt);
  }

 private:
  std::string bug_;
  uint64_t size_bytes_ = 65536;
};

std::unique_ptr<Client> make_toy(const Config& config) { return std::make_unique<ToyClient>(config); }

std::vector<Workload> toy_workloads() {
  const std::vector<std::string> alphabet = {"set:0:7", "set:1:9", "move:0:1",
                                             "!reopen", "!kill",   "!crash:5"};
  std::vector<Workload> all;
  for (const std::string& first : alphabet)
    for (const std::string& second : alphabet)
      all.push_back({first + ", " + second, "toy", "", {"set:0:3", "|", first, second}, false});
  all.push_back({"format, set, set", "toy", "", {"set:0:3", "set:0:4"}, true});
  all.push_back({"long",
                 "toy",
                 "",
                 {"set:0:1", "set:1:2", "move:0:2", "!kill", "set:0:5", "move:2:0", "!reopen", "move:1:3",
                  "!crash:9", "set:3:8", "move:3:0", "set:7:7"},
                 false});
  return all;
}

}  // namespace

const std::vector<ToyBug>& toy_bugs() {
  static const std::vector<ToyBug> bugs = {
      {"no_log_flush", "the log entries are not flushed"},
      {"no_log_fence", "no fence between the log entries and their count"},
      {"valid_first", "the count is durable before the entries"},
      {"fence_before_flush", "the fence comes before the flush"},
      {"no_commit_flush", "the count is not flushed"},
      {"no_commit_fence", "the pairs change before the count is durable"},
      {"apply_early", "the pairs change before the commit"},
      {"flush_short", "only one word of a pair is flushed"},
      {"no_home_flush", "the log is cleared while the pairs are in the cache"},
      {"no_home_fence", "the log is cleared while the pairs are on their way"},
      {"no_clear_flush", "the next log overwrites one that may still count"},
      {"no_clear_fence", "the next log overwrites one that may still count"},
      {"damage_is_empty", "a torn pair is taken for an empty store"},
      {"format_magic_first", "the pool is one before it is complete"},
      {"check_writes", "check writes to the pool", true},
      {"recover_no_home_flush", "recovery clears the log while the pairs are in the cache", true},
      {"recover_no_home_fence", "recovery clears the log while the pairs are on their way", true},
      {"recover_clear_first", "recovery clears the log before it applies it", true},
      {"recover_no_clear_fence", "the operation after recovery overwrites a log that may still count", true},
      {"recover_no_log_flush", "recovery relies on a log that is visible but not durable", true, true},
      {"recover_trusts_magic", "recovery relies on a magic that is visible but not durable", true, true},
      {"recover_trusts_clear", "recovery relies on a cleared log that is visible but not durable", true,
       true},
  };
  return bugs;
}

const ClientKind& toy_client_kind() {
  static const ClientKind kind{"toy", make_toy, toy_workloads};
  return kind;
}

}  // namespace nacre::crash
