#include "tests/crash/client.h"

#include "tests/crash/db_client.h"
#include "tests/crash/pool_client.h"
#include "tests/crash/replay_text.h"
#include "tests/crash/toy_client.h"

namespace nacre::crash {

Config parse_config(std::string_view text) {
  Config config;
  for (const std::string& part : split(text, ',')) {
    const size_t equals = std::min(part.find('='), part.size());
    config.emplace_back(part.substr(0, equals), part.substr(std::min(equals + 1, part.size())));
  }
  return config;
}

std::string_view config_value(const Config& config, std::string_view key, std::string_view otherwise) {
  for (const auto& [name, value] : config)
    if (name == key) return value;
  return otherwise;
}

const std::vector<ClientKind>& client_kinds() {
  static const std::vector<ClientKind> kinds = {toy_client_kind(), pool_client_kind(), db_client_kind()};
  return kinds;
}

const ClientKind* find_client_kind(std::string_view name) {
  for (const ClientKind& kind : client_kinds())
    if (kind.name == name) return &kind;
  return nullptr;
}

}  // namespace nacre::crash
