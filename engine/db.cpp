#include "engine/db.h"

#include <algorithm>
#include <array>
#include <map>

#include "alloc/heap_check.h"
#include "engine/catalogue.h"
#include "engine/db_impl.h"
#include "engine/dram/dram_table.h"
#include "engine/engines.h"
#include "engine/historic_mutants.h"
#include "engine/mutants.h"
#include "pmem/base/os.h"
#include "pmem/media/open.h"

namespace nacre::engine {
namespace {

uint64_t mix(uint64_t x) noexcept {  // the finaliser of SplitMix64
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
  x = (x ^ x >> 27) * 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

Status make_identity(uint64_t seed, uint64_t (&identity)[2]) {
  if (seed != 0) {
    identity[0] = mix(seed);
    identity[1] = mix(seed + 1);
    return Code::ok;
  }
  const int error = os::getrandom(identity, sizeof identity);
  if (error != 0) return Status::system_error(Code::io_error, error, "open: no random identity for the new pool");
  return Code::ok;
}

Status format(pmem::Domain& domain, const Options& options) {
  alloc::FormatOptions f;
  f.geometry = options.geometry != nullptr ? *options.geometry : alloc::Geometry::for_pool(domain.size_bytes());
  Shape shape = Shape::for_geometry(f.geometry);
  if (f.geometry.client != 0) shape = Shape::decode(f.geometry.client);
  if (!shape.valid(f.geometry)) return Status::error(Code::invalid_argument, "format: the engine's shape does not fit");
  f.geometry.client = shape.encode();
  std::vector<alloc::ClassSpec> classes = options.classes;
  for (uint64_t bytes : {shape.segment_bytes(), shape.dir_node_bytes(), shape.catalogue_bytes()})
    classes.push_back({static_cast<uint32_t>(bytes), kLineBytes});
  f.classes = classes;
  uint64_t identity[2];
  NACRE_TRY(make_identity(options.identity_seed, identity));
  f.max_bytes = options.max_size_bytes;
  f.identity_lo = identity[0];
  f.identity_hi = identity[1];
  return alloc::format_pool(domain, f);
}

/// The same failure with the pool's path before the text.
Status name_the_pool(const char* path, Status status) {
  const std::string text = status.message();
  return Status::error(status.code(), "%s: %s", path, text.c_str());
}

pmem::MediumRequest medium_request(MediumChoice choice) noexcept {
  switch (choice) {
    case MediumChoice::automatic: return pmem::MediumRequest::automatic;
    case MediumChoice::dax: return pmem::MediumRequest::dax;
    case MediumChoice::memory: return pmem::MediumRequest::memory;
    case MediumChoice::msync: return pmem::MediumRequest::msync;
  }
  return pmem::MediumRequest::automatic;
}

}  // namespace

const char* engine_name(EngineKind kind) noexcept {
  for (const EngineRow& row : kEngines)
    if (row.kind == kind) return row.name;
  return "none";
}

std::optional<EngineKind> engine_from_name(std::string_view name) noexcept {
  for (const EngineRow& row : kEngines)
    if (name == row.name) return row.kind;
  return std::nullopt;
}

Db::Db(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Db::~Db() {
  try {
    (void)close();
  } catch (...) {  // no memory to close cleanly: the next open recovers
  }
}

Result<std::unique_ptr<Db>> Db::open(const char* path, const Options& options) {
  if (options.read_only && options.error_if_exists)
    return Status::error(Code::invalid_argument, "open: read_only opens what is there, error_if_exists makes what is "
                         "not; drop one of them");
  const bool creates = !options.read_only && (options.create_if_missing || options.error_if_exists);
  if (creates && options.size_bytes < kMinPoolBytes)
    return Status::error(Code::invalid_argument, "open: a pool needs at least %llu bytes, %llu were asked for",
                         static_cast<unsigned long long>(kMinPoolBytes),
                         static_cast<unsigned long long>(options.size_bytes));
  if (creates && options.size_bytes > alloc::kMaxPoolBytes)
    return Status::error(Code::invalid_argument, "open: a pool has at most %llu bytes, %llu were asked for",
                         static_cast<unsigned long long>(alloc::kMaxPoolBytes),
                         static_cast<unsigned long long>(options.size_bytes));
  if (creates && options.max_size_bytes != 0 && options.max_size_bytes < kMinPoolBytes)
    return Status::error(Code::invalid_argument, "open: a pool needs at least %llu bytes, max_size says %llu",
                         static_cast<unsigned long long>(kMinPoolBytes),
                         static_cast<unsigned long long>(options.max_size_bytes));
  pmem::OpenRequest request;
  request.path = path;
  request.medium = medium_request(options.medium);
  request.access = options.read_only ? pmem::Access::read_only : pmem::Access::read_write;
  request.create = creates;
  request.must_create = options.error_if_exists;
  request.create_bytes = options.max_size_bytes == 0 ? options.size_bytes
                                                     : std::min(options.size_bytes, options.max_size_bytes);
  request.reserve_bytes = options.max_size_bytes;
  NACRE_ASSIGN(pmem::OpenedMedium opened, pmem::open_medium(request));
  auto db = open_domain(std::move(opened.domain), options, opened.created);
  if (!db && path != nullptr && *path != '\0') return name_the_pool(path, db.status());
  return db;
}

Result<std::unique_ptr<Db>> Db::open_domain(std::unique_ptr<pmem::Domain> domain, const Options& options, bool create) {
  if (create) NACRE_TRY(format(*domain, options));
  alloc::PoolOptions pool_options;
  pool_options.form = options.one_fence ? alloc::CommitForm::one_fence : alloc::CommitForm::strict;
  pool_options.read_only = options.read_only;
  pool_options.grow = {.allowed = options.grow,
                       .helper = options.grow_helper,
                       .max_bytes = options.max_size_bytes,
                       .step_bytes = options.grow_step_bytes};
  NACRE_ASSIGN(auto pool, alloc::Pool::open(std::move(domain), pool_options));
  const Shape shape = Shape::decode(pool->layout().geometry.client);
  if (!shape.valid(pool->layout().geometry))
    return Status::error(Code::corruption, "the superblock's engine shape %llx makes no sense",
                         static_cast<unsigned long long>(pool->layout().geometry.client));
  auto impl = std::make_unique<Impl>(std::move(pool), shape, options);
  NACRE_TRY(impl->start());
  std::unique_ptr<Db> db(new Db(std::move(impl)));
  db->impl_->pool->domain().keep_created();  // last: nothing can fail any more
  return db;
}

// ---- life ----

Db::Impl::Impl(std::unique_ptr<alloc::Pool> p, const Shape& s, const Options& o)
    : pool(std::move(p)), shape(s), catalogue(*pool, s), options(o) {}

uint64_t Db::Impl::state_word() const noexcept { return pool->line(pool->roots_off())->words[alloc::kStateWord]; }

Status Db::Impl::set_state(uint64_t word) {
  alloc::Commit commit(*pool);
  NACRE_TRY(commit.begin());
  NACRE_TRY(commit.lock(alloc::kRootsLines, 2, 2));
  for (uint64_t line : alloc::kRootsLines) commit.set_word(line, alloc::kStateWord, word);
  return commit.publish();
}

Status Db::Impl::start() {
  was_clean = (state_word() & alloc::kStateDirty) == 0;
  if (!options.read_only) {
    const uint64_t dirty_opens = (state_word() >> alloc::kDirtyCountShift) + (was_clean ? 0 : 1);
    if (!broken(site::kDirtyUnsaid))
      NACRE_TRY(set_state(dirty_opens << alloc::kDirtyCountShift | alloc::kStateDirty));
    NACRE_TRY(catalogue.ensure());
    if (!broken(site::kDropsForgotten)) NACRE_TRY(resume_drops());
  }
  return open_default_table();
}

Status Db::Impl::resume_drops() {
  NACRE_ASSIGN(const auto entries, catalogue.list());
  for (const TableEntry& e : entries)
    if (e.state == TableState::dropping) NACRE_TRY(hash::finish_drop(*pool, catalogue, shape, e));
  return Code::ok;
}

Status Db::Impl::open_default_table() {
  sync::Guard guard(mutex);
  auto found = open_table(kDefaultTable, std::nullopt);
  if (!found && found.status().code() == Code::not_found) {
    const EngineKind engine = options.read_only ? EngineKind::dram : options.engine;
    found = open_table(kDefaultTable, engine);
  }
  if (!found) return found.status();
  default_table = *found;
  return Code::ok;
}

Result<std::shared_ptr<Table>> Db::Impl::open_table(std::string_view name, std::optional<EngineKind> create) {
  if (const auto it = open_tables.find(name); it != open_tables.end()) return check_engine(it->second, name, create);
  Result<TableEntry> entry = catalogue.exists() ? catalogue.find(name) : Result<TableEntry>(Code::not_found);
  if (!entry && entry.status().code() != Code::not_found) return entry.status();
  if (!entry && !create)
    return Status::error(Code::not_found, "there is no table '%.*s'", static_cast<int>(name.size()), name.data());
  std::shared_ptr<Table> table;
  if (entry || *create == EngineKind::hash) {
    const bool made = !entry;
    if (made) {
      NACRE_TRY(pool->writable());
      entry = catalogue.create(name);
      if (!entry) return entry.status();
    }
    auto hash_table = std::make_shared<hash::HashTable>(*pool, catalogue, mutex, shape, *entry);
    if (made || ((was_clean || broken(site::kCountBelieved)) && entry->count_valid))
      hash_table->tree().set_base_count(entry->count);
    table = hash_table;
  } else {
    table = std::make_shared<dram::DramTable>();
  }
  NACRE_ASSIGN(table, check_engine(table, name, create));
  open_tables.emplace(std::string(name), table);
  return table;
}

Result<std::shared_ptr<Table>> Db::Impl::check_engine(std::shared_ptr<Table> table, std::string_view name,
                                                      std::optional<EngineKind> create) {
  if (create && table->kind() != *create)
    return Status::error(Code::invalid_argument, "the table '%.*s' has the engine %s, not %s",
                         static_cast<int>(name.size()), name.data(), engine_name(table->kind()), engine_name(*create));
  return table;
}

Status Db::close() {
  if (impl_ == nullptr) return Code::ok;
  const std::unique_ptr<Impl> impl = std::move(impl_);
  return impl->stop();
}

// A clean end: counts and state are stored, then every commit is made home, so that the next open recovers nothing.
Status Db::Impl::stop() {
  default_table.reset();
  if (options.read_only) return Code::ok;
  if (!pool->writable().ok()) return pool->domain().health();  // nothing more can be written; the next open recovers
  if (broken(site::kCleanTooEarly)) NACRE_TRY(set_state(state_word() & ~alloc::kStateDirty));
  NACRE_ASSIGN(const auto entries, catalogue.list());
  for (const TableEntry& e : entries) {
    if (e.state != TableState::live || broken(site::kCountsStay)) continue;
    const auto it = open_tables.find(e.name);
    uint64_t count;
    if (it != open_tables.end() && it->second->kind() == EngineKind::hash) {
      const bool known = static_cast<hash::HashTable&>(*it->second).tree().known_count(count);
      if (known != e.count_valid || (known && count != e.count))
        NACRE_TRY(catalogue.store_count(e, known ? std::optional(count) : std::nullopt));
    } else if (!was_clean && e.count_valid) {
      NACRE_TRY(catalogue.store_count(e, std::nullopt));
    }
  }
  NACRE_TRY(set_state(state_word() & ~alloc::kStateDirty));
  return pool->quiesce();
}

// ---- tables ----

std::shared_ptr<Table> Db::default_table() { return impl_->default_table; }

Result<std::shared_ptr<Table>> Db::table(std::string_view name, std::optional<EngineKind> create) {
  if (name.empty() || name.size() > kMaxTableNameBytes)
    return Status::error(Code::invalid_argument, "table: a name has 1 to %llu bytes, this one %zu",
                         static_cast<unsigned long long>(kMaxTableNameBytes), name.size());
  sync::Guard guard(impl_->mutex);
  return impl_->open_table(name, create);
}

Status Db::drop_table(std::string_view name) {
  if (name == kDefaultTable) return Status::error(Code::invalid_argument, "drop: the default table cannot be dropped");
  sync::Guard guard(impl_->mutex);
  NACRE_ASSIGN(const auto table, impl_->open_table(name, std::nullopt));
  if (table->kind() == EngineKind::hash) NACRE_TRY(static_cast<hash::HashTable&>(*table).drop());
  impl_->open_tables.erase(impl_->open_tables.find(name));  // whoever is still in it holds a share of it
  return Code::ok;
}

Result<std::vector<TableInfo>> Db::tables() {
  sync::Guard guard(impl_->mutex);
  std::vector<TableInfo> infos;
  if (impl_->catalogue.exists()) {
    NACRE_ASSIGN(const auto entries, impl_->catalogue.list());
    for (const TableEntry& e : entries)
      if (e.state == TableState::live) infos.push_back({e.name, e.engine});
  }
  for (const auto& [name, table] : impl_->open_tables)
    if (table->kind() == EngineKind::dram) infos.push_back({name, EngineKind::dram});
  return infos;
}

Status Db::shrink() { return impl_->pool->shrink(); }

alloc::Pool& Db::pool() { return *impl_->pool; }
void Db::abandon() noexcept { impl_.reset(); }
pmem::Domain& Db::domain() { return impl_->pool->domain(); }
bool Db::read_only() const { return impl_->options.read_only || !impl_->pool->writable().ok(); }

}  // namespace nacre::engine
