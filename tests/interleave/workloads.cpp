#include "tests/interleave/workloads.h"

#include "tests/crash/replay_text.h"

namespace nacre::interleave {
namespace {

using crash::split;
using Ops = std::vector<std::string>;

Ops ops(std::string_view text) { return text.empty() ? Ops{} : split(text, ';'); }

/// Puts of keys first .. first + count - 1 of 8 bytes, into table 0.
std::string fill(uint64_t first, uint64_t count, const char* bytes = "8") {
  std::string text;
  for (uint64_t key = first; key < first + count; ++key)
    text += (text.empty() ? "put:0:" : ";put:0:") + std::to_string(key) + ":" + bytes + ":" + std::to_string(key);
  return text;
}

std::string gets(uint64_t first, uint64_t count) {
  std::string text;
  for (uint64_t key = first; key < first + count; ++key)
    text += (text.empty() ? "get:0:" : ";get:0:") + std::to_string(key);
  return text;
}

struct Sketch {
  const char* name;
  std::string config, prepare, setup, first, second, third = {};
};

// A segment of the shrunk shape has 21 slots: 14 in two home lines and 7 in the stash.
std::vector<Sketch> sketches() {
  const std::string reused = "epoch;epoch;epoch";
  return {
      {"put and put of one key", "", fill(0, 3), "", "put:0:9:8:1;get:0:9", "put:0:9:8:2;get:0:9"},
      {"put and put of two keys of one line", "", fill(0, 2), "", "put:0:9:8:1;put:0:10:8:2",
       "put:0:11:8:3;put:0:12:8:4"},
      {"overwrite, remove and get of one key", "", fill(0, 4), "", "put:0:1:8:7;get:0:1", "del:0:1;put:0:1:8:8"},
      {"remove and get", "", fill(0, 4), "", "del:0:1;put:0:2:8:5", "get:0:1;get:0:2;get:0:1"},
      {"a slot of the home line becomes free while a put goes next door", "", fill(0, 13), "",
       "put:0:40:8:1;put:0:41:8:2", "del:0:3;put:0:40:8:3;del:0:4;put:0:41:8:4"},
      {"puts into a segment that is about to split", "", fill(0, 19), "", fill(20, 2), fill(30, 2)},
      {"two threads split one segment", ",skip=0", fill(0, 19), "", fill(20, 3), fill(30, 3)},
      {"gets while a segment splits", "", fill(0, 19), "", fill(20, 3), "get:0:3;get:0:20;get:0:5;get:0:22"},
      {"overwrites and removes while a segment splits", "", fill(0, 19), "", fill(20, 3), "put:0:16:8:50;del:0:15"},
      {"overwrites next door while a segment splits", "", fill(1000, 19), "", fill(20, 3),
       "put:0:1010:8:1;put:0:1013:8:2"},
      {"the directory is read from the medium while a segment splits", "", fill(0, 19), "", fill(20, 3),
       "get:0:1;put:0:2:8:60;get:0:2"},
      {"the flat directory doubles under a put", ",dirbits=2", fill(0, 38), gets(0, 38), fill(38, 4),
       "put:0:1:8:50;put:0:2:8:51;get:0:1"},
      {"a put meets a split of which the flat directory has not heard", ",dirbits=2", fill(0, 44), gets(0, 44),
       fill(44, 3), fill(70, 3)},
      {"an entry of the flat directory is looked up while its segment splits", "", fill(0, 19), "", fill(20, 3),
       "put:0:1:8:50;put:0:1:8:51"},
      {"get and put while the table is cleared", "", fill(0, 5), "", "clear:0;put:0:2:8:9",
       "put:0:1:8:7;get:0:1;get:0:2"},
      {"puts while the table is cleared and its lines are reused", "", fill(0, 6), "",
       "clear:0;retire;retire;retire;put:0:20:8:1;create:1;put:1:3:8:2", "get:0:1;put:0:3:8:7"},
      {"get while the table is cleared and its lines are reused", ",size=49152", fill(0, 6), "",
       "clear:0;retire;retire;retire;create:1;put:1:1:8:2", "get:0:1;get:0:2"},
      {"get while its segment splits and is reused", "", fill(0, 19), "",
       fill(20, 3) + ";retire;retire;retire;create:1", "get:0:3;get:0:5"},
      {"a table is dropped under its users", "", "create:1;put:1:1:8:1;put:1:2:8:2", "", "drop:1;create:2;put:2:1:8:5",
       "put:1:1:8:3;get:1:2"},
      {"freed units come back while somebody reads", "", fill(0, 4), "",
       "put:0:1:8:11;" + reused + ";put:0:2:8:12;put:0:3:8:13", "get:0:1;get:0:2"},
      {"freed units come back while a reader is late", "", fill(0, 4), "", "epoch;epoch;epoch;get:0:2",
       "put:0:2:8:31;put:0:4:8:32"},
      {"overwrites of one key while epochs move", "", fill(0, 4), "", "put:0:1:8:21;epoch;put:0:1:8:22",
       "epoch;put:0:1:8:23;epoch;get:0:1"},
      {"a unit changes lanes before its commit is sealed", "", fill(0, 4), "", "put:0:1:30:21",
       "put:0:1:8:22;epoch;epoch;epoch;put:0:4:8:23", "put:0:2:30:24"},
      {"a commit and the epochs that give its unit away", "", fill(0, 4), "", "put:0:1:8:21",
       "put:0:1:8:22;epoch;epoch;epoch;put:0:2:8:23;put:0:3:8:24"},
      {"epochs move while somebody holds all lanes", ",lanes=3", fill(0, 4) + ";addclass:304",
       "lane:2;put:0:1:100:5;lane:1;put:0:1:8:6;lane:0", "noclass:304", reused + ";put:0:3:8:9", "put:0:2:100:7"},
      {"a retire advance while commits are applied", "", fill(0, 4), "put:0:2:8:40", "put:0:1:8:21;put:0:2:8:22",
       "retire;get:0:1;retire"},
      {"line memory is retired while puts run", "", fill(0, 18), fill(20, 3), "retire;retire;retire;" + fill(30, 3),
       "put:0:1:8:5;put:0:40:8:6"},
      {"three threads and two lanes", "", fill(0, 3), "", "put:0:1:8:1", "put:0:2:8:2", "put:0:3:8:3"},
      {"two threads and one lane", ",lanes=1", fill(0, 3), "", "put:0:1:8:1;del:0:2", "put:0:2:8:2;put:0:4:8:3"},
      {"a lane changes hands while its half is pending", ",lanes=1,cells=16", fill(0, 4), fill(0, 5), fill(0, 3),
       fill(4, 3)},
      {"growth under puts", ",max=131072", fill(1, 7, "3900"), "", "put:0:9:3900:9", "put:0:11:3900:11"},
      {"put and get while the pool grows and shrinks", ",max=131072", fill(1, 11, "3900"), "",
       "del:0:11;del:0:10;shrink", "put:0:1:8:9;get:0:11;put:0:20:3900:1"},
      {"a full pool and two who want more", "", fill(1, 7, "3900"), "", "del:0:1;put:0:20:3900:1",
       "put:0:21:3900:2;put:0:22:3900:3"},
      {"put while its class is retired", ",chunk=1024", "addclass:304;put:0:1:280:1", "", "put:0:2:280:2;put:0:3:280:3",
       "noclass:304;addclass:304"},
      {"an empty slab is taken apart under a put", ",chunk=1024", "addclass:304;put:0:2:8:1",
       "lane:1;put:0:1:280:1;del:0:1;epoch;epoch;epoch;put:0:4:8:1;lane:0", "shrink;put:0:8:3000:2",
       "put:0:5:280:3;get:0:5"},
      {"extents change hands", ",chunk=1024", fill(0, 2) + ";put:0:5:3000:1", "",
       "put:0:5:5000:2;" + reused + ";put:0:6:3000:3", "get:0:5;put:0:7:3000:4;get:0:5"},
  };
}

}  // namespace

const std::vector<Workload>& workloads() {
  static const std::vector<Workload> all = [] {
    std::vector<Workload> list;
    for (const std::string form : {"form=one", "form=strict"})
      for (const Sketch& s : sketches()) {
        Workload w{form.substr(5) + ": " + s.name,
                   form + s.config,
                   ops(s.prepare),
                   ops(s.setup),
                   {ops(s.first), ops(s.second)}};
        if (!s.third.empty()) w.threads.push_back(ops(s.third));
        list.push_back(std::move(w));
      }
    return list;
  }();
  return all;
}

std::string arguments_of(const Workload& w) {
  if (w.name != kGiven) return "--workload='" + w.name + "'";
  std::string threads;
  for (const Ops& thread : w.threads) threads += (threads.empty() ? "" : "|") + crash::join(thread, ';');
  return "--config=" + w.config + " --prepare='" + crash::join(w.prepare, ';') + "' --setup='" +
         crash::join(w.setup, ';') + "' --threads='" + threads + "'";
}

const Workload* find_workload(std::string_view name) {
  for (const Workload& w : workloads())
    if (w.name == name) return &w;
  return nullptr;
}

}  // namespace nacre::interleave
