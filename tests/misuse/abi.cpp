#include "tests/misuse/abi.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace nacre::misuse {
namespace {

template <class T>
T from_word(uint64_t word) noexcept {
  if constexpr (std::is_pointer_v<T>)
    return reinterpret_cast<T>(static_cast<uintptr_t>(word));
  else
    return static_cast<T>(word);
}

template <auto F, class R, class... Args, size_t... I>
int call_with(R (*)(Args...), const Words& words, std::index_sequence<I...>) {
  if constexpr (std::is_same_v<R, int>) {
    return F(from_word<Args>(words[I])...);
  } else {
    static_cast<void>(F(from_word<Args>(words[I])...));
    return NACRE_OK;
  }
}

template <class R, class... Args>
constexpr size_t arity(R (*)(Args...)) noexcept {
  return sizeof...(Args);
}

template <auto F, class... Roles>
Function row(const char* name, Traits traits, Roles... roles) {
  static_assert(sizeof...(Roles) == arity(F), "a role for each argument");
  return {name, traits, {roles...}, [](const Words& words) {
            return call_with<F>(F, words, std::make_index_sequence<arity(F)>());
          }};
}

#define NACRE_ROW(function, traits, ...) row<&function>(#function, traits __VA_OPT__(, ) __VA_ARGS__)

constexpr Traits kReads{};
constexpr Traits kWrites{.writes = true};
constexpr Traits kPure{.has_status = false};

std::vector<Function> make_rows() {
  using enum Role;
  return {
      NACRE_ROW(nacre_version, kPure),
      NACRE_ROW(nacre_errormsg, kPure),
      NACRE_ROW(nacre_status_name, kPure, any_number),
      NACRE_ROW(nacre_options_new, kReads, out_handle),
      NACRE_ROW(nacre_options_delete, kPure, options),
      NACRE_ROW(nacre_options_set_create_if_missing, kReads, options, flag),
      NACRE_ROW(nacre_options_set_error_if_exists, kReads, options, flag),
      NACRE_ROW(nacre_options_set_read_only, kReads, options, flag),
      NACRE_ROW(nacre_options_set_size, kReads, options, pool_bytes),
      NACRE_ROW(nacre_options_set_grow, kReads, options, flag),
      NACRE_ROW(nacre_options_set_max_size, kReads, options, pool_bytes),
      NACRE_ROW(nacre_options_set_grow_step, kReads, options, step_bytes),
      NACRE_ROW(nacre_options_set_medium, kReads, options, medium_text),
      NACRE_ROW(nacre_options_set_engine, kReads, options, engine_text),
      NACRE_ROW(nacre_options_set_commit_form, kReads, options, form_text),
      NACRE_ROW(nacre_options_add_class, kReads, options, new_unit, align),
      NACRE_ROW(nacre_open, kReads, path, options_or_null, out_handle),
      NACRE_ROW(nacre_close, (Traits{.waits_for_calls = true}), db),
      NACRE_ROW(nacre_stats, kReads, db, figure_fn, callback_arg),
      NACRE_ROW(nacre_info, kReads, db, figure_fn, callback_arg),
      NACRE_ROW(nacre_check, kReads, db, figure_fn, callback_arg),
      NACRE_ROW(nacre_shrink, (Traits{.writes = true, .waits_for_calls = true}), db),
      NACRE_ROW(nacre_thread_counters, kReads, db, out_optional, out_optional, out_optional),
      NACRE_ROW(nacre_record_bytes, kPure, any_number, any_number),
      NACRE_ROW(nacre_class_unit_of_record, kPure, any_number, any_number),
      NACRE_ROW(nacre_class_list, kReads, db, class_fn, callback_arg),
      NACRE_ROW(nacre_class_add, kWrites, db, new_unit, align),
      NACRE_ROW(nacre_class_retire, kWrites, db, live_unit),
      NACRE_ROW(nacre_class_suggest, kReads, db, histogram, bytes, max_classes, suggestion_fn, callback_arg,
                out_optional),
      NACRE_ROW(nacre_table_open, kReads, db, name, bytes, engine_or_null, out_handle),
      NACRE_ROW(nacre_table_default, kReads, db, out_handle),
      NACRE_ROW(nacre_table_close, kReads, table),
      NACRE_ROW(nacre_table_drop, (Traits{.writes = true, .waits_for_calls = true}), db, name, bytes),
      NACRE_ROW(nacre_table_list, kReads, db, table_fn, callback_arg),
      NACRE_ROW(nacre_put, kWrites, table, key, bytes, value, bytes),
      NACRE_ROW(nacre_get, kReads, table, key, bytes, value_fn, callback_arg),
      NACRE_ROW(nacre_get_copy, kReads, table, key, bytes, buffer, bytes, out_optional),
      NACRE_ROW(nacre_remove, kWrites, table, key, bytes),
      NACRE_ROW(nacre_exists, kReads, table, key, bytes),
      NACRE_ROW(nacre_count, kReads, table, out_number),
      NACRE_ROW(nacre_scan, kReads, table, pair_fn, callback_arg),
      NACRE_ROW(nacre_clear, kWrites, table),
      NACRE_ROW(nacre_iterator_new, kReads, table, out_handle),
      NACRE_ROW(nacre_iterator_next, kReads, iterator),
      NACRE_ROW(nacre_iterator_get, kReads, iterator, out_optional, out_optional, out_optional, out_optional),
      NACRE_ROW(nacre_iterator_delete, kReads, iterator),
  };
}

}  // namespace

int Function::find(Role role) const noexcept {
  for (size_t i = 0; i < roles.size(); ++i)
    if (roles[i] == role) return static_cast<int>(i);
  return -1;
}

int Function::callback() const noexcept {
  for (size_t i = 0; i < roles.size(); ++i)
    if (is_callback(roles[i])) return static_cast<int>(i);
  return -1;
}

std::span<const Function> functions() {
  static const std::vector<Function> rows = make_rows();
  return rows;
}

const Function& function(const char* name) {
  for (const Function& f : functions())
    if (std::strcmp(f.name, name) == 0) return f;
  std::fprintf(stderr, "no row for %s\n", name);
  std::abort();
}

}  // namespace nacre::misuse
