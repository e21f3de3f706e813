// One test for each defect of the commit path that the explorer found, with enough states to find it again.
#include <catch2/catch.hpp>

#include "tests/crash/explorer.h"
#include "tests/crash/pool_client.h"
#include "tests/crash/replay_text.h"

using namespace nacre::crash;

namespace {

Report explore(const std::string& config, const std::string& ops, bool with_format) {
  const Workload workload{"regress", "pool", config, split(ops, ';'), with_format};
  const auto client = pool_client_kind().make(parse_config(config));
  ExploreConfig explore;
  explore.max_states = 20'000;
  explore.nested_every = 1;
  return Explorer(*client, explore).explore(workload);
}

}  // namespace

// A crash tore the record of a delete: all but one word of it were durable. Recovery rightly did not count it, but
// the next record went to the same cells with the same value in just that word; one evicted word of it completed the
// old record, which now counted. Recovery retires every lane to above the highest seq of all lanes.
TEST_CASE("a torn log record is not completed by the record stored over it") {
  for (const char* form : {"form=strict", "form=one"}) {
    const Report report = explore(form, "put:0:24:9:1:24:8;|;!reopen;del:0", false);
    CHECK(report.states > 100);
    CHECK(report.violations == 0);
  }
}

// The maker of a pool was killed when the magic word was visible but not fenced; the pool was used, and a power loss
// took the magic word. And a torn identity line read as damage rather than as no pool.
TEST_CASE("a pool whose making was cut short is no pool, and one that was opened stays one") {
  const Report report = explore("form=strict", "put:0:24:1", true);
  CHECK(report.states > 100);
  CHECK(report.violations == 0);
}
