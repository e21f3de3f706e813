// The embedded API below the C ABI: a pool, its named tables, statistics, check.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/table.h"
#include "pmem/domain.h"

namespace nacre::alloc {
class Pool;
struct Geometry;
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
  bool one_fence = false;                       ///< false: strict commits, two fences a put
  uint64_t size_bytes = kDefaultPoolBytes;      ///< first size of a pool to be made, at most max_size_bytes
  bool grow = true;                             ///< false: this handle leaves the pool at its size
  uint64_t max_size_bytes = 0;                  ///< growth stops there; kept in a pool to be made; 0: no bound
  uint64_t grow_step_bytes = 0;                 ///< what one growth adds; 0: an eighth of the pool, 4 to 64 MiB
  bool grow_helper = true;                      ///< false: no thread of our own; growth happens where it is needed
  MediumChoice medium = MediumChoice::automatic;
  EngineKind engine = EngineKind::hash;         ///< of the default table of a pool to be made
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
