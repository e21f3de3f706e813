// A pool in a file with a handle of every kind on it, living and dead, and its bytes as they should be.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/misuse/abi.h"

namespace nacre::misuse {

inline constexpr uint64_t kPoolBytes = 1u << 20;
inline constexpr char kKey[] = "key-1";
inline constexpr char kValue[] = "value-of-key-1";
inline constexpr char kTable[] = "other";  // a table that exists besides the default one

/// What a callback is told to do, and what it saw.
struct Reentry {
  const Function* function = nullptr;  ///< called once from inside the callback
  Words words{};
  int status = -1;
  uint64_t calls = 0;
};

/// Makes a pool file with tables "default" (three pairs) and "other" (one), closed. False with a text on stderr.
bool make_template(const std::string& path);

/// One process-wide folder holds all pools; the world of a case is a copy of the template.
class World {
 public:
  World(const std::string& folder, const std::string& template_path, bool read_only = false);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Empty if the world stands; else what could not be made.
  const std::string& trouble() const noexcept { return trouble_; }
  /// Arguments with which `f` must succeed.
  Words valid_words(const Function& f);
  /// The word of a living handle of this role.
  uint64_t handle(Role role) const noexcept;

  /// Handles of each kind that are no good, with a word for each.
  struct Dead {
    const char* text;
    Role role;
    uint64_t word;
  };
  const std::vector<Dead>& dead() const noexcept { return dead_; }

  /// Remembers the file's bytes.
  void remember();
  /// True if the file is as it was remembered.
  bool unchanged() const;
  /// True if the living handles still work: nothing of them was closed by mistake.
  bool alive();
  /// True if the pool is sound (nacre_check) and can be closed.
  bool sound_at_end();
  /// What an out_handle argument points to.
  uint64_t& out() noexcept { return out_; }
  Reentry& reentry() noexcept { return reentry_; }
  const std::string& pool_path() const noexcept { return path_; }

 private:
  bool open_handles(bool read_only);
  bool make_dead_handles(const std::string& template_path);

  std::string folder_, path_, orphan_path_, new_path_;
  std::string trouble_;
  const char* mapped_ = nullptr;
  std::vector<char> remembered_;
  nacre_options* options_ = nullptr;
  nacre_db* db_ = nullptr;
  nacre_table* table_ = nullptr;
  nacre_iterator* iterator_ = nullptr;
  std::vector<Dead> dead_;
  uint64_t out_ = 0;
  uint64_t numbers_[8] = {};
  char buffer_[64] = {};
  nacre_size_count histogram_[2] = {{140, 1000}, {300, 10}};
  Reentry reentry_;
};

/// A word as an argument.
inline uint64_t word_of(const void* pointer) noexcept { return reinterpret_cast<uintptr_t>(pointer); }

}  // namespace nacre::misuse
