// The judge of concurrent histories: what some order of the operations explains passes, everything else does not.
#include "tests/interleave/history.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "tests/crash/db_client.h"

using namespace nacre;
using namespace nacre::interleave;

namespace {

std::string saw(uint64_t key, uint64_t bytes, uint64_t seed) {
  return "saw:0:" + std::to_string(key) + ":" + std::to_string(crash::value_hash(crash::value_text(bytes, seed)));
}

struct World {
  std::unique_ptr<crash::Client> client = crash::db_client_kind().make({});
  crash::KnownStates known;
  const crash::Known* start = known.add(client->empty_model());
  History history;

  size_t states() { return linearize(history.operations(), start, known, *client).states.size(); }
  bool allows(const std::vector<std::string>& ops) {
    const crash::Known* state = start;
    for (const std::string& op : ops) state = known.derived(state, op).state;
    const auto found = linearize(history.operations(), start, known, *client).states;
    return std::any_of(found.begin(), found.end(),
                       [&](const crash::Known* k) { return k->fingerprint == state->fingerprint; });
  }
  uint32_t begin(const std::string& op) { return history.begin(op); }
  void end(uint32_t op, Code code = Code::ok) { history.end(op, history.operations()[op].text, code); }
};

}  // namespace

TEST_CASE("an operation in flight is there or not, one that returned is there") {
  World w;
  const uint32_t put = w.begin("put:0:1:8:1");
  REQUIRE(w.allows({}));
  REQUIRE(w.allows({"put:0:1:8:1"}));
  w.end(put);
  REQUIRE_FALSE(w.allows({}));
  REQUIRE(w.allows({"put:0:1:8:1"}));
}

TEST_CASE("operations that overlap have any order, others that of time") {
  World w;
  const uint32_t first = w.begin("put:0:1:8:1"), second = w.begin("put:0:1:8:2");
  w.end(first);
  w.end(second);
  REQUIRE(w.states() == 2);
  const uint32_t third = w.begin("put:0:1:8:3");
  w.end(third);
  REQUIRE(w.states() == 1);
  REQUIRE(w.allows({"put:0:1:8:3"}));
}

TEST_CASE("what a get returned must not be lost: the put that it saw in flight is there for good") {
  World w;
  w.begin("put:0:1:8:1");
  const uint32_t get = w.begin("get:0:1");
  w.history.end(get, saw(1, 8, 1), Code::ok);
  REQUIRE_FALSE(w.allows({}));
  REQUIRE(w.allows({"put:0:1:8:1"}));
}

TEST_CASE("a get that saw an overwritten value, or one that nobody wrote, has no order") {
  World w;
  for (const char* op : {"put:0:1:8:1", "put:0:1:8:2"}) w.end(w.begin(op));
  SECTION("overwritten") {
    w.history.end(w.begin("get:0:1"), saw(1, 8, 1), Code::ok);
    REQUIRE(w.states() == 0);
  }
  SECTION("from nowhere") {
    w.history.end(w.begin("get:0:1"), saw(1, 8, 9), Code::ok);
    REQUIRE(w.states() == 0);
  }
  SECTION("nothing") {
    w.history.end(w.begin("get:0:1"), "saw:0:1:0", Code::ok);
    REQUIRE(w.states() == 0);
  }
  SECTION("the last one") {
    w.history.end(w.begin("get:0:1"), saw(1, 8, 2), Code::ok);
    REQUIRE(w.states() == 1);
  }
}

TEST_CASE("of two removes of one key only one finds it; a refused put changes nothing") {
  World w;
  w.end(w.begin("put:0:1:8:1"));
  const uint32_t a = w.begin("del:0:1"), b = w.begin("del:0:1"), c = w.begin("put:0:2:8:2");
  w.end(a);
  w.end(c, Code::out_of_space);
  SECTION("the other one does not") {
    w.end(b, Code::not_found);
    REQUIRE(w.states() == 1);
    REQUIRE(w.allows({}));
  }
  SECTION("both") {
    w.end(b);
    REQUIRE(w.states() == 0);
  }
}
