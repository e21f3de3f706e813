// The score of the explorer (and of the workloads): break one thing at a time and see whether anything notices. A
// survivor is a gap in the tests until a written proof says that the mutant is equivalent (docs/CRASH.md).
//
//   a flush      off | short (its last line is missed) | early (before its stores) | late (after its fence)
//   a fence      off | late (after the stores it should hold back)
//   a point      broken: a check is skipped, an order is turned round, ... (pmem/mutant.h)
//
// Each run of a workload under a mutant is a process of its own: a mutant may crash or hang, and then it is killed.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/crash/explorer.h"

namespace nacre::crash {

struct MutantId {
  std::string name;       ///< of the site or point
  std::string operation;  ///< off, short, early, late; "broken" for a point
  std::string text() const { return name + ":" + operation; }
};

/// How closely one workload is looked at.
struct Effort {
  uint64_t states = 0;
  uint32_t nested_every = 4;  ///< as ExploreConfig's
};

struct Mutant {
  MutantId id;
  uint64_t effects = 0;      ///< how often the fault made a difference; 0: the mutant is the sound program
  std::string killed_by{};   ///< "client workload"; empty: it survived
  Effort effort{};           ///< what was enough
  std::string finding{};     ///< what the oracle said
  std::string line{};        ///< replays it, together with --fault or --broken
  std::string equivalent{};  ///< why nothing can kill it
  bool from_hint = false;
  double seconds = 0;
  const char* verdict() const;
};

/// Which workload killed a mutant last time, and with how much effort: tried first.
struct Hint {
  std::string workload;
  Effort effort{};
};
using Hints = std::map<std::string, Hint>;
Hints read_hints(const std::string& path);
bool write_hints(const std::string& path, const Hints& hints);
/// Lines of a document that begin with "| `name:operation` | argument |".
std::map<std::string, std::string> read_equivalents(const std::string& path);

struct MutationConfig {
  ExploreConfig explore;
  /// All workloads with the first, then all with the next: few states of many before many of one, and for each number
  /// of states a sample of the nested crashes before all of them.
  std::vector<Effort> efforts = {{60, 4}, {600, 4}, {600, 1}, {6000, 4}, {6000, 1}, {20'000, 1}};
  bool doubt = false;       ///< also look for what kills mutants that are said to be equivalent
  double seconds_each = 0;  ///< a mutant that lives longer than this has survived; 0: no limit
  Hints hints;
  std::map<std::string, std::string> equivalents;
  uint32_t jobs = 1;
};

struct Score {
  std::vector<Mutant> mutants;
  std::vector<Mutant> unsound;  ///< workloads that fail when nothing is broken: they were left out

  uint64_t count(std::string_view verdict) const;
};

/// Of all sites and points that the libraries list (points only in builds with NACRE_MUTANTS), without the operators
/// that mean nothing at a site (mutant_list.cpp says which and why).
std::vector<MutantId> product_mutants();
/// Of sites with these names.
std::vector<MutantId> site_mutants(const std::vector<std::string>& sites);
/// How often each point was passed in this process.
using PointHits = std::vector<std::pair<std::string, uint64_t>>;
PointHits point_hits();
/// Of the sites that these workloads pass.
std::vector<MutantId> passed_mutants(const std::vector<Workload>& workloads, const ExploreConfig& config);

ExploreConfig with_effort(ExploreConfig config, const Effort& effort);

/// Breaks the point of this name in this process. False if there is none.
bool break_point(std::string_view name);
/// Breaks the point in this process, or the site in `sites`. An empty name breaks nothing.
bool apply_mutant(const MutantId& id, SiteTable* sites);

/// Runs each mutant until a workload fails. `progress` is called with each mutant as it is judged.
Score score_mutants(const std::vector<Workload>& workloads, const std::vector<MutantId>& mutants,
                    const MutationConfig& config, void (*progress)(const Mutant&) = nullptr);

}  // namespace nacre::crash
