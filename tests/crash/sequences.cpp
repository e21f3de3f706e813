#include "tests/crash/sequences.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "tests/crash/replay_text.h"

namespace nacre::crash {
namespace {

struct Family {
  const Workload* example;            // its last two operations are those of the sequence
  std::vector<std::string> alphabet;  // in the order in which sequences begin with them
};

std::vector<Family> families(const std::vector<Workload>& pairs) {
  std::vector<Family> all;
  std::map<std::tuple<std::string, std::string, std::string>, size_t> known;
  for (const Workload& pair : pairs) {
    if (!pair.is_sequence || pair.ops.size() < 2) continue;
    const std::string preparation = join({pair.ops.begin(), pair.ops.end() - 2}, ';');
    const auto [at, is_new] = known.try_emplace({pair.client, pair.config, preparation}, all.size());
    if (is_new) all.push_back({&pair, {}});
    std::vector<std::string>& alphabet = all[at->second].alphabet;
    const std::string& first = pair.ops[pair.ops.size() - 2];
    if (std::find(alphabet.begin(), alphabet.end(), first) == alphabet.end()) alphabet.push_back(first);
  }
  return all;
}

}  // namespace

std::vector<Workload> sequences_of_three(const std::vector<Workload>& pairs) {
  std::vector<Workload> all;
  for (const Family& family : families(pairs))
    for (const std::string& first : family.alphabet)
      for (const std::string& second : family.alphabet)
        for (const std::string& third : family.alphabet) {
          Workload& w = all.emplace_back(*family.example);
          w.ops.resize(w.ops.size() - 2);
          w.ops.insert(w.ops.end(), {first, second, third});
          // The name of a pair ends with its two operations; what stands before names the form and the preparation.
          const std::string& name = family.example->name;
          const std::string pair = family.example->ops.end()[-2] + ", " + family.example->ops.end()[-1];
          w.name =
              name.substr(0, name.size() - std::min(name.size(), pair.size())) + first + ", " + second + ", " + third;
        }
  return all;
}

}  // namespace nacre::crash
