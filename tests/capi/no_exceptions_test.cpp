// The C++ face without exceptions: built with -fno-exceptions. Prints TAP.
#include <nacre/nacre.hpp>

#include <cstdio>

#if defined(__cpp_exceptions)
#error "build this file with -fno-exceptions"
#endif

namespace {

int g_tests = 0;
int g_failed = 0;

void check(bool passed, const char* what) {
  std::printf("%s %d - %s\n", passed ? "ok" : "not ok", ++g_tests, what);
  g_failed += !passed;
}

}  // namespace

int main() {
  check(nacre::Db::open("x", {.medium = "tape"}).code() == nacre::Code::invalid_argument,
        "a failed open is a value");
  auto db = nacre::Db::open("", {.medium = "memory", .engine = nacre::Engine::dram}).value();
  auto table = db.default_table().value();
  check(table.put("k", "v").ok(), "put");
  check(table.get("k").value() == "v", "get");
  bool seen = false;
  check(table.get("k", [&](std::string_view value) { seen = value == "v"; }).ok() && seen, "get in place");
  int pairs = 0;
  for (auto [key, value] : table) pairs += key == "k" && value == "v";
  check(pairs == 1, "range-for");
  check(table.scan([](std::string_view, std::string_view) { return false; }) == nacre::Code::stopped,
        "scan stops");
  check(db.close().ok(), "close");
  std::printf("1..%d\n", g_tests);
  return g_failed == 0 ? 0 : 1;
}
