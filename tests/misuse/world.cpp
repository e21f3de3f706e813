#include "tests/misuse/world.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>

namespace nacre::misuse {
namespace {

constexpr uint64_t kUntouched = 0x7eadbeef'7eadbeef;  // what an out argument holds before the call

// ---- callbacks: each runs the reentry, once, and goes on ----

int seen(void* arg) {
  if (arg == nullptr) return 0;
  auto& reentry = *static_cast<Reentry*>(arg);
  if (reentry.calls++ == 0 && reentry.function != nullptr) reentry.status = reentry.function->call(reentry.words);
  return 0;
}

void on_value(const char*, size_t, void* arg) { static_cast<void>(seen(arg)); }
int on_pair(const char*, size_t, const char*, size_t, void* arg) { return seen(arg); }
int on_figure(const char*, uint64_t, const char*, void* arg) { return seen(arg); }
int on_table(const char*, size_t, const char*, void* arg) { return seen(arg); }
// A struct of another size than this header's would be another ABI.
int on_class(const nacre_class_info*, size_t bytes, void* arg) {
  return bytes == sizeof(nacre_class_info) ? seen(arg) : 1;
}
int on_suggestion(const nacre_suggestion*, size_t bytes, void* arg) {
  return bytes == sizeof(nacre_suggestion) ? seen(arg) : 1;
}

template <class Fn>
uint64_t word_of_function(Fn* fn) noexcept {
  return reinterpret_cast<uintptr_t>(fn);
}

int put_text(nacre_table* table, const char* key, const char* value) {
  return nacre_put(table, key, std::strlen(key), value, std::strlen(value));
}

nacre_options* file_options(bool create, bool read_only) {
  nacre_options* options = nullptr;
  static_cast<void>(nacre_options_new(&options));
  static_cast<void>(nacre_options_set_medium(options, "msync"));
  static_cast<void>(nacre_options_set_size(options, kPoolBytes));
  static_cast<void>(nacre_options_set_grow(options, 0));  // a helper thread would store at times of its own
  static_cast<void>(nacre_options_set_create_if_missing(options, create));
  static_cast<void>(nacre_options_set_read_only(options, read_only));
  return options;
}

bool copy_file(const std::string& from, const std::string& to) {
  std::ifstream in(from, std::ios::binary);
  std::ofstream out(to, std::ios::binary | std::ios::trunc);
  out << in.rdbuf();
  return in.good() && out.good();
}

nacre_db* open_file(const std::string& path, bool create, bool read_only) {
  nacre_options* options = file_options(create, read_only);
  nacre_db* db = nullptr;
  static_cast<void>(nacre_open(path.c_str(), options, &db));
  nacre_options_delete(options);
  return db;
}

}  // namespace

bool make_template(const std::string& path) {
  nacre_db* db = open_file(path, true, false);
  nacre_table* table = nullptr;
  bool good = nacre_table_default(db, &table) == NACRE_OK && put_text(table, kKey, kValue) == NACRE_OK &&
              put_text(table, "key-2", "two") == NACRE_OK && put_text(table, "key-3", "three") == NACRE_OK;
  nacre_table* other = nullptr;
  good = good && nacre_table_open(db, kTable, std::strlen(kTable), "hash", &other) == NACRE_OK &&
         put_text(other, kKey, kValue) == NACRE_OK;
  good = nacre_close(db) == NACRE_OK && good;
  if (!good) std::fprintf(stderr, "the template pool: %s\n", nacre_errormsg());
  return good;
}

World::World(const std::string& folder, const std::string& template_path, bool read_only)
    : folder_(folder), path_(folder + "/pool"), orphan_path_(folder + "/orphan"), new_path_(folder + "/new") {
  if (!copy_file(template_path, path_) || !make_dead_handles(template_path) || !open_handles(read_only)) {
    trouble_ = std::string("the world: ") + nacre_errormsg();
    return;
  }
  const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  void* mapped = ::mmap(nullptr, kPoolBytes, PROT_READ, MAP_SHARED, fd, 0);
  ::close(fd);
  if (mapped == MAP_FAILED)
    trouble_ = "mmap of the pool file";
  else
    mapped_ = static_cast<const char*>(mapped);
}

World::~World() {
  if (mapped_ != nullptr) ::munmap(const_cast<char*>(mapped_), kPoolBytes);
  static_cast<void>(nacre_close(db_));
  nacre_options_delete(options_);
  for (const std::string& path : {path_, orphan_path_, new_path_}) ::unlink(path.c_str());
}

bool World::open_handles(bool read_only) {
  options_ = file_options(true, false);
  db_ = open_file(path_, false, read_only);
  nacre_table* other = nullptr;
  if (nacre_table_default(db_, &table_) != NACRE_OK ||
      nacre_table_open(db_, kTable, std::strlen(kTable), nullptr, &other) != NACRE_OK)
    return false;
  nacre_iterator* closed = nullptr;
  if (nacre_iterator_new(table_, &iterator_) != NACRE_OK || nacre_iterator_new(table_, &closed) != NACRE_OK)
    return false;
  if (nacre_iterator_next(iterator_) != NACRE_OK) return false;
  if (nacre_iterator_delete(closed) != NACRE_OK || nacre_table_close(other) != NACRE_OK) return false;
  dead_.push_back({"closed by itself", Role::table, word_of(other)});
  dead_.push_back({"closed by itself", Role::iterator, word_of(closed)});
  return true;
}

bool World::make_dead_handles(const std::string& template_path) {
  if (!copy_file(template_path, orphan_path_)) return false;
  nacre_db* db = open_file(orphan_path_, false, false);
  nacre_table *table = nullptr, *dropped = nullptr;
  nacre_iterator *iterator = nullptr, *of_dropped = nullptr;
  const bool good = nacre_table_default(db, &table) == NACRE_OK && nacre_iterator_new(table, &iterator) == NACRE_OK &&
                    nacre_table_open(db, kTable, std::strlen(kTable), nullptr, &dropped) == NACRE_OK &&
                    nacre_iterator_new(dropped, &of_dropped) == NACRE_OK &&
                    nacre_table_drop(db, kTable, std::strlen(kTable)) == NACRE_OK && nacre_close(db) == NACRE_OK;
  nacre_options* options = file_options(true, false);
  nacre_options_delete(options);
  dead_ = {{"closed", Role::db, word_of(db)},
           {"deleted", Role::options, word_of(options)},
           {"of a closed pool", Role::table, word_of(table)},
           {"of a closed pool", Role::iterator, word_of(iterator)},
           {"of a dropped table", Role::table, word_of(dropped)},
           {"of a dropped table", Role::iterator, word_of(of_dropped)}};
  return good;
}

uint64_t World::handle(Role role) const noexcept {
  switch (role) {
    case Role::options:
    case Role::options_or_null:
      return word_of(options_);
    case Role::db:
      return word_of(db_);
    case Role::table:
      return word_of(table_);
    default:
      return word_of(iterator_);
  }
}

Words World::valid_words(const Function& f) {
  Words words{};
  out_ = kUntouched;
  reentry_ = {};
  for (size_t i = 0; i < f.roles.size(); ++i) {
    const auto pair_of = [&](const void* bytes, uint64_t count) {
      words[i] = word_of(bytes);
      words[i + 1] = count;
    };
    switch (f.roles[i]) {
      case Role::options:
      case Role::options_or_null:
      case Role::db:
      case Role::table:
      case Role::iterator:
        words[i] = handle(f.roles[i]);
        break;
      case Role::out_handle:
        words[i] = word_of(&out_);
        break;
      case Role::out_number:
      case Role::out_optional:
        words[i] = word_of(&numbers_[i]);
        break;
      case Role::value_fn:
        words[i] = word_of_function(&on_value);
        break;
      case Role::pair_fn:
        words[i] = word_of_function(&on_pair);
        break;
      case Role::figure_fn:
        words[i] = word_of_function(&on_figure);
        break;
      case Role::table_fn:
        words[i] = word_of_function(&on_table);
        break;
      case Role::class_fn:
        words[i] = word_of_function(&on_class);
        break;
      case Role::suggestion_fn:
        words[i] = word_of_function(&on_suggestion);
        break;
      case Role::callback_arg:
        words[i] = word_of(&reentry_);
        break;
      case Role::key:
        pair_of(kKey, sizeof kKey - 1);
        break;
      case Role::value:
        pair_of(kValue, sizeof kValue - 1);
        break;
      case Role::buffer:
        pair_of(buffer_, sizeof buffer_);
        break;
      case Role::name:
        pair_of(kTable, sizeof kTable - 1);
        break;
      case Role::histogram:
        pair_of(histogram_, 2);
        break;
      case Role::bytes:
        break;  // set with what it is the number of
      case Role::path:
        words[i] = word_of(new_path_.c_str());
        break;
      case Role::engine_or_null:
      case Role::engine_text:
        words[i] = word_of("hash");
        break;
      case Role::medium_text:
        words[i] = word_of("msync");
        break;
      case Role::form_text:
        words[i] = word_of("strict");
        break;
      case Role::pool_bytes:
        words[i] = kPoolBytes;
        break;
      case Role::step_bytes:
        words[i] = kPoolBytes;
        break;
      case Role::new_unit:
        words[i] = 304;
        break;  // no default class
      case Role::live_unit:
        words[i] = 176;
        break;  // one of them
      case Role::align:
        words[i] = 16;
        break;
      case Role::max_classes:
        words[i] = 4;
        break;
      case Role::flag:
        words[i] = 1;
        break;
      case Role::any_number:
        words[i] = 3;
        break;
    }
  }
  return words;
}

void World::remember() { remembered_.assign(mapped_, mapped_ + kPoolBytes); }

bool World::unchanged() const { return std::memcmp(mapped_, remembered_.data(), kPoolBytes) == 0; }

bool World::alive() {
  const char* key = nullptr;
  return nacre_exists(table_, kKey, sizeof kKey - 1) == NACRE_OK &&
         nacre_iterator_get(iterator_, &key, nullptr, nullptr, nullptr) == NACRE_OK &&
         nacre_options_set_grow(options_, 0) == NACRE_OK;
}

bool World::sound_at_end() {
  const int checked = nacre_check(db_, on_figure, nullptr);
  return checked == NACRE_OK && nacre_close(db_) == NACRE_OK;
}

}  // namespace nacre::misuse
