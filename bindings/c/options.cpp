// Options handles. All under the registry's lock: they are cold, and then a delete in one thread and a set in
// another need no further thought.
#include <cstring>
#include <new>
#include <optional>
#include <string_view>

#include "bindings/c/classes.h"
#include "bindings/c/entry.h"
#include "bindings/c/handles.h"
#include "bindings/include/nacre/nacre.h"

namespace nacre::bindings {
namespace {

// Calls `set(Options&)`, which returns a Status, if the handle is good.
template <class Set>
int change(const char* operation, nacre_options* handle, Set&& set) noexcept {
  return entry(operation, [&] {
    {
      const RegistryLock lock;
      if (auto* found = static_cast<OptionsHandle*>(find_options_locked(handle)); found != nullptr)
        return answer(operation, set(found->options));
    }
    return answer(operation, refuse(operation, handle, Kind::options));
  });
}

std::optional<engine::MediumChoice> medium_from_name(std::string_view name) noexcept {
  if (name == "auto") return engine::MediumChoice::automatic;
  if (name == "dax") return engine::MediumChoice::dax;
  if (name == "memory") return engine::MediumChoice::memory;
  if (name == "msync") return engine::MediumChoice::msync;
  return std::nullopt;
}

Status unknown_name(const char* operation, const char* name, const char* allowed) noexcept {
  return Status::error(Code::invalid_argument, "%s: \"%s\" is none of %s", operation, name, allowed);
}

}  // namespace
}  // namespace nacre::bindings

using namespace nacre::bindings;  // NOLINT: the ABI's functions live outside every namespace
namespace engine = nacre::engine;
using nacre::Code;
using nacre::Status;

int nacre_options_new(nacre_options** out) {
  constexpr const char* kOperation = "nacre_options_new";
  if (out == nullptr) return invalid(kOperation, "out is null");
  *out = nullptr;
  return entry(kOperation, [&] {
    auto options = std::make_unique<OptionsHandle>();
    const nacre::Result<uint64_t> handle = make_handle(Kind::options, nullptr, options.get());
    if (!handle.has_value()) return answer(kOperation, handle.status());
    static_cast<void>(options.release());  // the handle owns it now
    *out = reinterpret_cast<nacre_options*>(static_cast<uintptr_t>(*handle));
    return static_cast<int>(NACRE_OK);
  });
}

void nacre_options_delete(nacre_options* options) {
  OptionsHandle* found = nullptr;
  {
    const RegistryLock lock;
    found = static_cast<OptionsHandle*>(find_options_locked(options));
  }
  // Of two threads that delete the same handle, the one that retires it frees it.
  if (found != nullptr && retire_handle(handle_bits(options))) delete found;
}

int nacre_options_set_create_if_missing(nacre_options* options, int on) {
  return change("nacre_options_set_create_if_missing", options, [on](engine::Options& o) -> Status {
    o.create_if_missing = on != 0;
    return Code::ok;
  });
}

int nacre_options_set_error_if_exists(nacre_options* options, int on) {
  return change("nacre_options_set_error_if_exists", options, [on](engine::Options& o) -> Status {
    o.error_if_exists = on != 0;
    return Code::ok;
  });
}

int nacre_options_set_read_only(nacre_options* options, int on) {
  return change("nacre_options_set_read_only", options, [on](engine::Options& o) -> Status {
    o.read_only = on != 0;
    return Code::ok;
  });
}

int nacre_options_set_size(nacre_options* options, uint64_t bytes) {
  constexpr const char* kOperation = "nacre_options_set_size";
  return change(kOperation, options, [bytes](engine::Options& o) -> Status {
    if (bytes < engine::kMinPoolBytes)
      return Status::error(Code::invalid_argument, "%s: %llu bytes is less than the least pool, %llu bytes",
                           kOperation, static_cast<unsigned long long>(bytes),
                           static_cast<unsigned long long>(engine::kMinPoolBytes));
    o.size_bytes = bytes;
    return Code::ok;
  });
}

int nacre_options_set_grow(nacre_options* options, int on) {
  return change("nacre_options_set_grow", options, [on](engine::Options& o) -> Status {
    o.grow = on != 0;
    return Code::ok;
  });
}

int nacre_options_set_max_size(nacre_options* options, uint64_t bytes) {
  constexpr const char* kOperation = "nacre_options_set_max_size";
  return change(kOperation, options, [bytes](engine::Options& o) -> Status {
    if (bytes != 0 && bytes < engine::kMinPoolBytes)
      return Status::error(Code::invalid_argument, "%s: %llu bytes is less than the least pool, %llu bytes",
                           kOperation, static_cast<unsigned long long>(bytes),
                           static_cast<unsigned long long>(engine::kMinPoolBytes));
    o.max_size_bytes = bytes;
    return Code::ok;
  });
}

int nacre_options_set_grow_step(nacre_options* options, uint64_t bytes) {
  return change("nacre_options_set_grow_step", options, [bytes](engine::Options& o) -> Status {
    o.grow_step_bytes = bytes;
    return Code::ok;
  });
}

int nacre_options_set_medium(nacre_options* options, const char* name) {
  constexpr const char* kOperation = "nacre_options_set_medium";
  return change(kOperation, options, [name](engine::Options& o) -> Status {
    if (name == nullptr) return Status::error(Code::invalid_argument, "%s: name is null", kOperation);
    const auto medium = medium_from_name(name);
    if (!medium.has_value()) return unknown_name(kOperation, name, "auto, dax, memory, msync");
    o.medium = *medium;
    return Code::ok;
  });
}

int nacre_options_set_engine(nacre_options* options, const char* name) {
  constexpr const char* kOperation = "nacre_options_set_engine";
  return change(kOperation, options, [name](engine::Options& o) -> Status {
    if (name == nullptr) return Status::error(Code::invalid_argument, "%s: name is null", kOperation);
    const auto kind = engine::engine_from_name(name);
    if (!kind.has_value() || *kind == engine::EngineKind::none)
      return unknown_name(kOperation, name, "hash, dram");
    o.engine = *kind;
    return Code::ok;
  });
}

int nacre_options_set_commit_form(nacre_options* options, const char* name) {
  constexpr const char* kOperation = "nacre_options_set_commit_form";
  return change(kOperation, options, [name](engine::Options& o) -> Status {
    if (name == nullptr) return Status::error(Code::invalid_argument, "%s: name is null", kOperation);
    if (std::strcmp(name, "strict") != 0 && std::strcmp(name, "one_fence") != 0)
      return unknown_name(kOperation, name, "strict, one_fence");
    o.one_fence = std::strcmp(name, "one_fence") == 0;
    return Code::ok;
  });
}

int nacre_options_add_class(nacre_options* options, uint64_t unit_bytes, uint64_t align) {
  return change("nacre_options_add_class", options, [=](engine::Options& o) -> Status {
    NACRE_ASSIGN(const nacre::alloc::ClassSpec spec, class_spec(unit_bytes, align));
    // Chunks of a pool to be made are not known yet; what is wrong with any chunk is said here.
    NACRE_TRY(nacre::alloc::check_class_spec(spec, nacre::alloc::Geometry{}));
    o.classes.push_back(spec);
    return Code::ok;
  });
}
