// The embedded API below the C ABI: a pool, its named tables, statistics, check.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/class_suggest.h"
#include "engine/table.h"
#include "pmem/domain.h"

namespace nacre::alloc {
class Pool;
}  // namespace nacre::alloc

namespace nacre::engine {

enum class MediumChoice : uint8_t { automatic, dax, memory, msync };

inline constexpr uint64_t kMinPoolBytes = 1u << 20;
inline constexpr uint64_t kDefaultPoolBytes = 1ull << 30;
inline constexpr std::string_view kDefaultTable = "default";
inline constexpr uint64_t kMaxTableNameBytes = 255;

struct Options {
  bool create_if_missing = false;
  bool error_if_exists = false;
  bool read_only = false;
  bool one_fence = true;                        ///< false: strict commits, two fences a put
  uint64_t size_bytes = kDefaultPoolBytes;      ///< first size of a pool to be made, at most max_size_bytes
  bool grow = true;                             ///< false: this handle leaves the pool at its size
  uint64_t max_size_bytes = 0;                  ///< growth stops there; kept in a pool to be made; 0: no bound
  uint64_t grow_step_bytes = 0;                 ///< what one growth adds; see alloc::GrowOptions
  bool grow_helper = true;                      ///< false: no thread of our own; growth happens where it is needed
  MediumChoice medium = MediumChoice::automatic;
  EngineKind engine = EngineKind::hash;         ///< of the default table of a pool to be made
  /// Allocation classes of a pool to be made, beside the default ones.
  std::vector<alloc::ClassSpec> classes;
  const alloc::Geometry* geometry = nullptr;    ///< of a pool to be made; null: chosen for size_bytes
  uint64_t identity_seed = 0;                   ///< 0: random; tests fix it to make a pool repeatable
};

/// One figure of stats(), info() or check(): a number, or a text when `text` is not empty.
struct Figure {
  std::string name;
  uint64_t value = 0;
  std::string text;
};

struct TableInfo {
  std::string name;
  EngineKind kind;
};

/// One allocation class: what it is, and what it is filled with now. All sizes in bytes.
struct ClassInfo {
  uint32_t id = 0;
  uint32_t unit_bytes = 0;
  uint32_t align = 0;
  bool retired = false;
  uint64_t slabs = 0;
  uint64_t slab_bytes = 0;  ///< of all its slabs together: live, free and tail
  uint64_t units = 0;
  uint64_t live_units = 0;
  uint64_t live_bytes = 0;  ///< live_units x unit_bytes
  uint64_t free_bytes = 0;  ///< of units that hold nothing
  uint64_t tail_bytes = 0;  ///< behind the last unit of each slab, too short for one
  uint64_t fragmentation_permille = 0;  ///< free bytes in a thousand bytes of its slabs
};

/// What a record of this key and value takes, header included. Stays at a multiple of 16 near the largest number where
/// the sum would overflow.
uint64_t stored_bytes(uint64_t key_bytes, uint64_t value_bytes) noexcept;
/// The unit of an exact class for records of this size: header, key and value, rounded up to what a unit may be. Stays
/// at the largest number where the sum would overflow.
uint64_t record_unit_bytes(uint64_t key_bytes, uint64_t value_bytes) noexcept;

class Db {
 public:
  /// Opens or makes the pool at `path`. Errors as nacre_open in <nacre/nacre.h>.
  static Result<std::unique_ptr<Db>> open(const char* path, const Options& options);
  /// As open, on a domain the caller made (tests): formats it if `create`, else recovers it.
  static Result<std::unique_ptr<Db>> open_domain(std::unique_ptr<pmem::Domain> domain, const Options& options,
                                                 bool create);
  /// Closes; errors of the final flush are lost: call close() to see them.
  ~Db();

  /// Writes the clean-shutdown state. No other call may be running. Ok on a second call.
  Status close();
  /// The default table; never null while open.
  std::shared_ptr<Table> default_table();
  /// Opens `name`; makes it with `create` if absent and `create` is given (else not_found). A table of another
  /// engine than `create` is invalid_argument.
  Result<std::shared_ptr<Table>> table(std::string_view name, std::optional<EngineKind> create);
  Status drop_table(std::string_view name);
  /// Gives empty chunks at the pool's end back to the medium. Errors as nacre_shrink in <nacre/nacre.h>.
  Status shrink();
  Result<std::vector<TableInfo>> tables();

  /// The allocation classes, ascending by unit; retired ones too. Holds writers back while it counts. corruption.
  Result<std::vector<ClassInfo>> classes();
  /// Adds a class or revives the retired one of its size; durable at return. Errors as alloc::add_class.
  Status add_class(const alloc::ClassSpec& spec);
  /// Retires a class: at return, durably, it hands out no unit; those in use stay readable and can be freed. Refused if
  /// it is the last that could hold what the engine itself needs. Errors as alloc::retire_class.
  Status retire_class(uint32_t unit_bytes);
  /// The best further classes for records of these sizes, headers included. Errors as alloc::suggest_classes.
  Result<alloc::ClassAdvice> suggest_classes(std::span<const alloc::SizeCount> histogram, uint32_t max_classes);

  Result<std::vector<Figure>> stats();
  Result<std::vector<Figure>> info();
  /// Figures, and one figure "problem" for each finding (at most 100). Never writes. Nobody may write meanwhile.
  Result<std::vector<Figure>> check();

  pmem::Domain& domain();
  bool read_only() const;

  /// For tests: the pool below, to move epochs; and an end of the handle that writes nothing more, as if the process
  /// had died.
  alloc::Pool& pool();
  void abandon() noexcept;

 private:
  struct Impl;
  explicit Db(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

const char* engine_name(EngineKind kind) noexcept;
std::optional<EngineKind> engine_from_name(std::string_view name) noexcept;

}  // namespace nacre::engine
