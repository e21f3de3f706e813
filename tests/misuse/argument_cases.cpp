#include "tests/misuse/cases.h"

namespace nacre::misuse {
namespace {

constexpr Role kHandleRoles[] = {Role::options, Role::db, Role::table, Role::iterator};

const char* handle_name(Role role) noexcept {
  switch (role) {
    case Role::options:
      return "options";
    case Role::db:
      return "pool";
    case Role::table:
      return "table";
    default:
      return "iterator";
  }
}

// What a null argument must be answered with; nothing if null is no misuse that could be judged.
std::optional<int> answer_to_null(Role role) noexcept {
  switch (role) {
    case Role::options:
    case Role::db:
    case Role::table:
    case Role::iterator:
      return NACRE_BAD_HANDLE;
    case Role::options_or_null:
      return NACRE_NOT_FOUND;  // the defaults do not make a pool
    case Role::out_optional:
    case Role::callback_arg:
    case Role::engine_or_null:
      return NACRE_OK;
    case Role::out_handle:
    case Role::out_number:
    case Role::value_fn:
    case Role::pair_fn:
    case Role::figure_fn:
    case Role::table_fn:
    case Role::class_fn:
    case Role::suggestion_fn:
    case Role::key:
    case Role::value:
    case Role::buffer:
    case Role::name:
    case Role::histogram:
    case Role::path:
    case Role::engine_text:
    case Role::medium_text:
    case Role::form_text:
      return NACRE_INVALID_ARGUMENT;
    default:
      return std::nullopt;  // a number
  }
}

// A handle is   generation 32 | 1001 | kind 4 | slot 24   (bindings/c/registry.h)
void add_forged(std::vector<Case>& cases, const Function& f, size_t argument, Role role, uint64_t living) {
  static const char text[64] = "bytes of the caller's, no handle";
  const std::pair<const char*, uint64_t> forged[] = {
      {"pointer to bytes", word_of(text)},
      {"one", 1},
      {"all ones", ~uint64_t{0}},
      {"top bit alone", uint64_t{1} << 63},
      {"a later generation", living + (uint64_t{1} << 32)},
      {"the generation before", living - (uint64_t{1} << 32)},
      {"another slot", living + 12345},
      {"a slot that cannot be", living | 0xffffff},
      {"slot zero", living & ~uint64_t{0xffffff}},
      {"another kind in its bits", living ^ (uint64_t{7} << 24)},
      {"the mark of a fork", living ^ (uint64_t{0x40000000})},
      {"without its tag", living & ~uint64_t{0xf0000000}},
  };
  for (const auto& [what, word] : forged)
    cases.push_back(
        {&f, std::string("forged ") + handle_name(role) + " handle: " + what, {{argument, word}}, NACRE_BAD_HANDLE});
}

void add_handle_cases(std::vector<Case>& cases, World& world, const Function& f, size_t argument) {
  const Role role = f.roles[argument] == Role::options_or_null ? Role::options : f.roles[argument];
  for (const World::Dead& dead : world.dead())
    if (dead.role == role)
      cases.push_back(
          {&f, std::string(handle_name(role)) + " handle " + dead.text, {{argument, dead.word}}, NACRE_BAD_HANDLE});
  for (const Role other : kHandleRoles)
    if (other != role)
      cases.push_back({&f,
                       std::string("a living ") + handle_name(other) + " handle as " + handle_name(role),
                       {{argument, world.handle(other)}},
                       NACRE_BAD_HANDLE});
  add_forged(cases, f, argument, role, world.handle(role));
}

}  // namespace

std::vector<Case> argument_cases(World& world) {
  std::vector<Case> cases;
  for (const Function& f : functions()) {
    cases.push_back({&f, "valid arguments", {}, NACRE_OK});
    for (size_t i = 0; i < f.roles.size(); ++i) {
      const std::string place = "argument " + std::to_string(i + 1);
      if (const auto expected = answer_to_null(f.roles[i])) cases.push_back({&f, place + " null", {{i, 0}}, *expected});
      if (is_handle(f.roles[i])) add_handle_cases(cases, world, f, i);
    }
  }
  return cases;
}

}  // namespace nacre::misuse
