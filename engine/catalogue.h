// Reading and changing the catalogue. All changes are commits, made under the Db's catalogue mutex.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "alloc/commit.h"
#include "alloc/heap_check.h"
#include "engine/catalogue_layout.h"
#include "engine/line_reader.h"
#include "engine/shape.h"
#include "pmem/base/result.h"

namespace nacre::engine {

/// A catalogue line that is in use.
struct TableEntry {
  uint64_t line_off = 0;
  TableState state = TableState::free;
  EngineKind engine = EngineKind::none;
  uint16_t id = 0;
  bool count_valid = false;
  uint64_t root = 0;
  uint64_t count = 0;
  std::string name;
};

class Catalogue {
 public:
  Catalogue(alloc::Pool& pool, const Shape& shape) : pool_(pool), shape_(shape) {}

  /// Makes the first node if the pool has none yet. out_of_space, read_only, io_error.
  Status ensure();
  bool exists() const { return first_node_off() != 0; }

  /// All lines in use. corruption.
  Result<std::vector<TableEntry>> list();
  /// The live table of that name; not_found.
  Result<TableEntry> find(std::string_view name);
  /// Makes a hash table with one empty segment. limit, out_of_space.
  Result<TableEntry> create(std::string_view name);
  /// Gives a table a new empty root; the old one goes to a line of its own, whose entry is returned, to be dropped.
  Result<TableEntry> clear(const TableEntry& table);
  Status mark_dropping(const TableEntry& table);
  /// Frees the line of a dropped table and its name. Its root must be empty.
  Status forget(const TableEntry& table);
  /// Stores what count() is worth at the next clean open.
  Status store_count(const TableEntry& table, std::optional<uint64_t> count);

  /// Marks the nodes and names and verifies the lines.
  void check(alloc::HeapCheck& check);

 private:
  struct FreeLine {
    uint64_t line_off = 0;
    uint64_t head_off = 0;  // of the first node, which holds the next table id
    uint64_t next_id = 0;
  };
  uint64_t first_node_off() const noexcept;
  Status read_node_header(uint64_t node_off, LineView& header);
  Status read_entry(uint64_t line_off, const LineView& line, TableEntry& out);
  /// A line nobody uses; appends a node to the chain if there is none.
  Result<FreeLine> free_line();
  Status append_node(uint64_t last_node_off);
  void write_node(alloc::Commit& commit, uint64_t off);

  alloc::Pool& pool_;
  Shape shape_;
};

}  // namespace nacre::engine
