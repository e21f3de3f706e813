#include "tests/crash/pool_workloads.h"

#include "tests/crash/replay_text.h"
#include "tests/crash/zobrist.h"

namespace nacre::crash {
namespace {

// Directed runs: each names the edge it is there for.
struct Directed {
  std::string name, ops;
  std::string config = {};  // added to the form
  bool explore_format = false;
};
const std::vector<Directed>& directed() {
  // Ten of the first zone's chunks, and more keys than that: the pool is full, or has just grown.
  static const std::string full =
      "put:0:4000:1;put:1:4000:2;put:2:4000:3;put:3:4000:4;put:4:4000:5;put:5:4000:6;put:6:4000:7;put:7:4000:8;"
      "put:8:4000:9;";
  static const std::vector<Directed> runs = {
      {"format", "put:0:24:1", "", true},
      {"lane wraps in one key",
       "put:0:24:1;put:0:24:2;put:0:24:3;put:0:24:4;put:0:24:5;put:0:24:6;put:0:24:7;put:0:24:8"},
      {"unit of a record is reused",
       "put:0:24:1;put:0:24:2;epoch;epoch;epoch;|;put:0:24:3;epoch;epoch;epoch;put:0:24:4"},
      {"line memory is reused as a node",
       "put:0:24:1;move:0;retire;retire;retire;|;move:0;retire;retire;retire;move:0"},
      {"line memory is reused as a record",
       "put:0:24:1;put:1:24:2;move:0;retire;retire;retire;|;put:2:64:4;put:3:64:8;put:4:64:12", ",cells=64"},
      {"line memory is reused after two epochs and one retire",
       "put:0:24:1;put:1:24:2;move:0;epoch;epoch;retire;|;put:2:64:4;put:3:64:8", ",cells=64"},
      {"a freed unit of an idle lane is reused",
       "put:6:24:1;lane:1;put:0:24:2:1:24:3;lane:0;put:0:24:4;epoch;epoch;epoch;put:3:24:6;lane:1;|;put:2:24:5"},
      {"a freed unit of an idle lane is reused, no fence between",
       "put:6:24:1;lane:1;put:0:24:2:1:24:3;lane:0;put:0:24:4;epoch;epoch;epoch;del:5;lane:1;|;put:2:24:5"},
      {"a freed unit of an idle lane is reused, epochs by another thread",
       "put:6:24:1;lane:1;put:0:24:2:1:24:3;lane:0;put:0:24:4;@1:epoch;@1:epoch;@1:epoch;del:5;lane:1;|;put:2:24:5"},
      {"line memory is retired by two threads and reused by a third",
       "put:0:24:1;put:1:24:2;move:0;retire;@1:retire;@1:retire;|;@2:put:2:64:4;@2:put:3:64:8", ",cells=64"},
      {"threads take turns on one lane",
       "put:0:24:1;put:0:24:2;|;@1:put:1:24:3;@2:put:0:24:4;put:2:24:5;@1:put:0:24:6;@2:del:1;put:3:24:7"},
      {"record memory is reused as a line", "put:0:64:1;del:0;epoch;epoch;epoch;|;put:7:24:2;put:14:24:3;put:21:24:4"},
      {"idle lane with its last record in the ring",
       "lane:1;put:0:24:1;lane:0;|;put:1:24:2;epoch;put:0:24:3;epoch;epoch;epoch;put:2:24:4"},
      {"two lanes take turns on one line", "put:0:24:1;|;lane:1;put:1:24:2;lane:0;put:2:24:3;lane:1;put:0:24:4"},
      {"commit of both lanes with frees", "put:0:24:1:7:24:2;|;lane:1;put:0:100:3:7:100:4;lane:0;del:0:7"},
      {"retire while both lanes hold records", "put:0:24:1;lane:1;put:7:24:2;|;retire;lane:0;put:0:24:3;retire"},
      {"a reader is pinned while its record is replaced and the epoch moves",
       "put:0:24:1;put:1:24:2;@1:read:0;put:0:24:3;epoch;epoch;epoch;put:2:24:5;put:3:24:6;epoch;put:4:24:7;@1:look"},
      {"a reader pins after the epoch moved, and its record is replaced",
       "put:0:24:1;epoch;epoch;epoch;@1:read:0;put:0:24:3;epoch;put:2:24:5;put:3:24:6;put:4:24:7;@1:look;epoch;put:5:"
       "24:9"},
      {"a reader pins one epoch later than the writer that replaces its record",
       "put:0:24:1;put:1:24:2;@2:read:1;epoch;@1:read:0;put:0:24:3;@2:look;epoch;put:2:24:5;put:3:24:6;epoch;put:4:24:"
       "7;"
       "@1:look"},
      {"a torn record of a lane that is behind the other lane is not completed",
       "put:0:24:9:1:24:8;!reopen;lane:1;put:2:24:1;put:2:24:2;put:2:24:3;lane:0;|;del:0", ",probe=0"},
      {"a torn record of a lane that was retired is not completed",
       "put:0:24:9:1:24:8;!reopen;lane:1;put:2:24:1;put:2:24:2;put:2:24:3;lane:0;retire;|;del:0", ",probe=0"},
      {"each commit leaves a half of its ring",
       "put:0:24:1:8:24:2:16:24:3:24:24:4;|;put:0:24:7:8:24:8:16:24:9:24:24:10;put:0:24:13:8:24:14:16:24:15:24:24:16;"
       "del:0:8:16:24;put:0:24:1:8:24:2:16:24:3:24:24:4"},
      {"drop and remake of a node", "put:0:24:1:1:100:2:2:64:3;|;drop:0;retire;retire;retire;put:0:24:4;drop:0"},
      {"out of space and reclaim",
       "put:0:4000:1;put:1:4000:2;put:2:4000:3;put:3:4000:4;put:4:4000:5;put:5:4000:6;"
       "put:6:4000:7;put:7:4000:8;put:8:4000:9;|;put:9:4000:10;del:0;put:9:4000:11;put:10:4000:12"},
      {"growth into a new zone, and within it", full + "|;put:11:4000:12;put:12:4000:13;put:13:4000:14;put:14:4000:15",
       ",max=131072"},
      {"growth of a pool that was recovered", full + "|;put:11:4000:12;!kill;put:12:4000:13;!crash:5;put:13:4000:14",
       ",max=131072"},
      {"growth by one chunk after another, into a third zone",
       full + "put:11:4000:12;put:12:4000:13;|;put:13:4000:14;put:14:4000:15;put:15:4000:16;put:16:4000:17",
       ",size=45056,max=131072,step=4096"},
      {"growth up to the bound, then out of space",
       full + "|;put:11:4000:12;put:12:4000:13;put:13:4000:14;put:14:4000:15;del:0;put:14:4000:15", ",max=81920"},
      {"shrink of free chunks", "put:0:24:1;|;shrink;put:0:24:2;put:1:4000:3;shrink"},
      {"shrink by a zone, and growth over it",
       full + "put:11:4000:12;put:12:4000:13;del:11;del:12;|;shrink;put:11:4000:14;put:12:4000:15", ",max=131072"},
      {"shrink by a zone whose slabs were emptied: the log named its chunk table a moment ago",
       full + "put:11:700:12;put:12:300:13;del:11;del:12;|;shrink;put:11:700:14;put:12:4000:15;shrink", ",max=131072"},
      {"shrink takes slabs that were emptied, and line memory with them",
       "put:0:24:1;put:7:24:2;put:14:24:3;del:7;del:14;drop:1;drop:2;move:0;retire;retire;retire;|;shrink;put:7:24:4;"
       "put:1:"
       "4000:5",
       ",cells=64"},
      {"shrink, kill, growth",
       full + "put:11:4000:12;del:11;del:10;|;shrink;!kill;put:10:4000:14;put:11:4000:13;shrink;!crash:7;put:12:24:1",
       ",max=131072"},
      {"extents come, change size and go",
       "put:0:24:1;|;put:0:1000:2;put:0:9000:3;put:0:24:4;put:0:5000:5;epoch;epoch;epoch;put:0:2000:6;del:0",
       ",chunk=1024"},
      {"chunks of a freed extent become another extent, in two lanes",
       "put:6:24:1;lane:1;put:0:6000:2;lane:0;put:0:5100:3;epoch;epoch;epoch;|;lane:1;put:1:6000:5;lane:0;put:0:9000:6",
       ",chunk=1024"},
      {"chunks of a freed extent become a slab, of lines and of records",
       "put:0:6000:1;del:0;epoch;epoch;epoch;|;put:1:500:2;put:7:24:3;put:14:200:5;put:2:24:4", ",chunk=1024"},
      {"an empty slab becomes an extent when the pool is full",
       "put:0:1000:1;put:1:700:2;put:2:24000:3;del:1;epoch;epoch;epoch;|;put:3:9000:5;put:4:9000:6;put:5:3000:7;del:2;"
       "put:6:24000:9",
       ",chunk=1024"},
      {"slabs of several chunks",
       "put:0:24:1;|;put:0:1100:2;put:1:1100:3;put:2:1100:5;del:1;put:1:1150:6;!reopen;del:0;put:0:1100:7",
       ",chunk=1024,size=98304"},
      {"a slab of several chunks becomes free when the pool is full",
       "put:0:1100:1;del:0;epoch;epoch;epoch;|;put:1:30000:2;put:2:30000:3;put:3:9000:5;put:4:9000:6",
       ",chunk=1024,size=98304"},
      {"out of space between extents",
       "put:0:9000:1;put:1:9000:2;put:2:9000:3;put:3:4000:5;|;put:4:9000:6;del:1;put:4:12000:7;put:4:9000:9;del:0;"
       "put:5:12000:10",
       ",chunk=1024,size=65536"},
      {"kill with extents, recover, go on, crash",
       "put:0:1000:1;|;put:0:5000:2;!kill;put:0:2000:3;!kill;put:1:6000:5;!crash:3;put:0:7000:6;del:1", ",chunk=1024"},
      // What follows is there for mutants that nothing above notices, or that it notices late.
      {"format, and the first commit by another thread", "put:0:24:1", ",root=another", true},
      {"each half of the ring holds one commit",
       "put:0:24:1:8:24:2:16:24:3:24:24:4;|;put:0:24:7:8:24:8:16:24:9:24:24:10;put:0:24:13:8:24:14:16:24:15:24:24:16;"
       "put:0:24:1:8:24:2:16:24:3:24:24:4;put:0:24:7:8:24:8:16:24:9:24:24:10;put:0:24:13:8:24:14:16:24:15:24:24:16"},
      {"records end with the last cell of each half",
       "note:1;!reopen;note:2;note:3;note:4;note:5;note:6;note:7;note:8;retire;|;note:9"},
      {"a slab whose bitmap has two lines", "put:0:24:1", ",chunk=16384,size=262144"},
      {"growth by sixteen chunks: three lines of a chunk table",
       "put:0:9000:1;put:1:9000:2;put:2:9000:3;put:3:9000:5;|;fits:put:4:9000:6;fits:put:5:9000:7",
       ",chunk=1024,max=131072,step=16384"},
      {"the epoch moves three times and a freed unit of an idle lane is reused, all in one call",
       "put:6:24:1;lane:1;put:0:24:2:1:24:3;lane:0;put:0:24:4;|;epoch+epoch+epoch+try:giveup:24+lane:1+put:2:24:5"},
      {"a writer that pinned an epoch ago replaces a record that a later reader reads",
       "put:0:24:1;put:1:24:2;@2:read:1;epoch;@1:read:0;@2:put:0:24:3;@2:look;epoch;put:2:24:5;put:3:24:6;@1:look"},
      {"a writer that pinned an epoch ago moves a node that a later reader reads",
       "put:0:24:1;@2:read:0;epoch;@1:peek:0;@2:move:0;@2:look;retire;put:2:64:4;put:3:64:8;@1:look", ",cells=64"},
      {"line memory was freed, and no retire advance came by",
       "put:0:24:1;put:1:24:2;move:0;epoch;epoch;epoch;|;put:2:64:4;put:3:64:8", ",cells=64"},
      {"line memory that a record of the other lane names is reused as a record",
       "put:0:24:1;lane:1;put:1:24:2;lane:0;move:0;retire;retire;retire;|;put:2:64:4;put:3:64:8", ",cells=64"},
      {"commits of two lanes at once far apart in seq",
       "put:0:24:1;put:0:24:2;put:0:24:3;put:0:24:4;|;lane:1;put:0:24:5;put:1:24:6;lane:0;put:1:24:7;put:0:24:8"},
      {"a damaged line is refused, or its damage stays visible",
       "put:0:24:1;try:damaged;put:1:24:2;try:late;put:2:24:3;try:hurt;!kill;try:mend;put:0:24:4;!kill;|;put:0:24:5"},
      {"the log has all of a line whose guard is damaged", "put:0:24:1;put:0:24:2;try:guard;!kill;|;put:0:24:3"},
      {"records of one cell and of two up to the end of a half",
       "note:1;put:0:24:1;!reopen;|;put:0:24:2;note:2;note:3;note:4;note:5;note:6"},
      {"damage is refused by an open, or by what reads later",
       "put:0:24:1;put:7:100:2;!reopen;put:0:24:3;put:7:100:4;put:0:24:5;try:refuse:lane;try:refuse:zone;try:refuse:"
       "class;"
       "try:refuse:chunk;try:refuse:bitmap;try:refuse:record;try:refuse:first;|;put:0:24:6"},
      {"a unit that is not allocated is not freed",
       "put:0:24:1;try:twice:24;try:twice:5000;put:0:24:4;try:chunks;|;put:0:24:5", ",chunk=1024"},
      {"a commit that is given up gives back what it reserved",
       "put:0:4000:1;put:1:4000:2;put:2:4000:3;put:3:4000:4;put:4:4000:5;put:5:4000:6;put:6:4000:7;try:giveup:4000;"
       "try:giveup:4000;|;fits:put:7:4000:8;fits:put:8:4000:9"},
      {"the first copy of the superblock is damaged", "put:0:24:1;try:magic;|;!reopen;put:0:24:2;!kill;put:1:24:3"},
      {"one commit changes lines in turns, and units of two slabs in turns",
       "put:0:24:1:8:100:2:1:24:5;|;put:0:24:3:8:100:4:1:24:5;put:9:24:6:2:100:7:10:24:8;del:0:8:1"},
      {"free chunks on both sides of one that comes back",
       full + "del:3;del:5;del:4;epoch;epoch;epoch;try:chunks;|;fits:put:9:12000:12"},
      {"free chunks in front of one that comes back, and behind it",
       full + "del:3;del:4;del:7;del:6;epoch;epoch;epoch;try:chunks;|;fits:put:9:8000:12;fits:put:10:8000:13"},
      {"every chunk can be had",
       "put:0:24:1;try:chunks;fits:put:1:4000:2;try:chunks;fits:put:2:8000:3;try:chunks;"
       "del:1;del:2;try:chunks;shrink;try:chunks;fits:put:1:4000:5;try:chunks;|;put:0:24:4",
       ",max=131072"},
      {"an extent is freed before the cursor comes by",
       "put:0:5000:1;!reopen;del:0;try:chunks;put:0:5000:2;!reopen;@1:read:0;del:0;put:1:5000:3;@1:look;|;put:0:24:4",
       ",chunk=1024"},
      {"a slab becomes an extent, which is freed",
       "put:0:1000:1;put:1:700:2;put:2:24000:3;del:1;epoch;epoch;epoch;put:3:9000:5;put:4:9000:6;put:5:3000:7;|;"
       "del:3;del:4;del:5;put:6:700:9",
       ",chunk=1024"},
      {"a zone goes, comes again and is changed before the half ends",
       "put:0:24000:1;put:11:4000:2;put:12:4000:3;del:12;shrink;put:12:4000:4;|;retire;put:11:24:5;retire",
       ",max=131072,cells=64"},
      {"a pool of which a zone was cut grows again, and every chunk can be had",
       full + "put:11:4000:12;put:12:4000:13;del:11;del:12;shrink;try:chunks;fits:put:11:4000:14;try:chunks;|;put:0:24:"
              "1",
       ",max=131072"},
      {"units that are allocated are not handed out after an open",
       "put:0:24:1;put:1:24:2;!reopen;put:2:24:3;!kill;put:3:24:4;|;put:4:24:5"},
      {"kill, recover, go on, crash", "put:0:24:1;|;put:0:24:2;!kill;put:0:24:3;!kill;put:1:24:4;!crash:3;put:0:24:5"},
  };
  return runs;
}

std::string random_op(Random& random, bool large) {
  const std::string key = std::to_string(random.below(10));
  static const char* const sizes[] = {"24", "40", "64", "100", "400", "24", "700", "1100", "2500", "6000"};
  const std::string size = sizes[random.below(large ? 10 : 5)], seed = std::to_string(random.below(1000));
  const std::string node = std::to_string(random.below(2));
  switch (random.below(16)) {
    case 0:
      return "del:" + key;
    case 1:
      return "move:" + node;
    case 2:
      return "drop:" + node;
    case 3:
      return "epoch";
    case 4:
      return "retire";
    case 5:
      return "lane:" + node;
    case 6:
      return "!reopen";
    case 7:
      return "!kill";
    case 8:
      return "!crash:" + seed;
    case 9:
      return "put:" + key + ":" + size + ":" + seed + ":11:24:" + seed;
    default:
      return "put:" + key + ":" + size + ":" + seed;
  }
}

// Large records come and go, so that the pool grows and shrinks; now and then something else.
std::string random_growing_op(Random& random) {
  const std::string key = std::to_string(random.below(24));
  switch (random.below(10)) {
    case 0:
      return "shrink";
    case 1:
    case 2:
    case 3:
      return "del:" + key;
    case 4:
      return random_op(random, false);
    default:
      return "put:" + key + ":4000:" + std::to_string(random.below(1000));
  }
}

// Chunks of 1 KiB: records are units of slabs, or extents of one chunk or of several.
const std::vector<std::string>& large_alphabet() {
  static const std::vector<std::string> ops = {
      "put:0:24:1", "put:0:1000:2", "put:0:2500:3", "put:0:6000:5", "put:0:2500:6:8:4000:7",
      "del:0",      "del:0:1",      "drop:0",       "epoch",        "retire",
      "lane:1",     "!reopen",      "!kill",        "!crash:11"};
  return ops;
}

}  // namespace

std::vector<Workload> pool_workloads() {
  const std::vector<std::string> alphabet = {
      "put:0:24:1", "put:0:100:2", "put:7:24:3", "put:0:24:4:8:24:5", "del:0", "move:0",   "drop:0",
      "epoch",      "retire",      "lane:1",     "!reopen",           "!kill", "!crash:11"};
  std::vector<Workload> all;
  for (const std::string form : {"form=strict", "form=one"}) {
    for (const auto& [name, ops, config, explore_format] : directed())
      all.push_back({form.substr(5) + ": " + name, "pool", form + config, split(ops, ';'), explore_format});
    for (const std::string& first : alphabet)
      for (const std::string& second : alphabet)
        all.push_back({form.substr(5) + ": " + first + ", " + second,
                       "pool",
                       form,
                       {"put:0:24:9:1:24:8", "retire", "|", first, second},
                       false,
                       true});
    for (const std::string& first : large_alphabet())
      for (const std::string& second : large_alphabet())
        all.push_back({form.substr(5) + ": extents, " + first + ", " + second,
                       "pool",
                       form + ",chunk=1024",
                       {"put:0:5000:9:1:700:8:2:24:7", "retire", "|", first, second},
                       false,
                       true});
    for (uint64_t seed = 1; seed <= 16; ++seed) {
      Random random{seed};
      const bool large = seed > 10;
      Workload workload{
          form.substr(5) + ": random " + std::to_string(seed), "pool", form + (large ? ",chunk=1024" : ""), {}, false};
      for (int i = 0; i < 60; ++i) workload.ops.push_back(random_op(random, large));
      all.push_back(std::move(workload));
    }
    for (uint64_t seed = 1; seed <= 6; ++seed) {
      Random random{seed};
      Workload workload{
          form.substr(5) + ": random growth " + std::to_string(seed), "pool", form + ",max=131072", {}, false};
      for (int i = 0; i < 60; ++i) workload.ops.push_back(random_growing_op(random));
      all.push_back(std::move(workload));
    }
  }
  return all;
}

}  // namespace nacre::crash
