// System calls that fail while a pool grows, and file systems that are full: out of space, the pool unchanged and
// usable, and no signal.
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdlib>
#include <map>

#include "tests/support/db_fixture.h"
#include "tests/support/files.h"

using namespace nacre;
using namespace nacre::engine;
using namespace nacre::test;

namespace {

constexpr uint64_t kMiB = 1 << 20;

Options growing(MediumChoice medium, bool helper) {
  Options o;
  o.create_if_missing = true;
  o.size_bytes = kMinPoolBytes;
  o.medium = medium;
  o.one_fence = true;
  o.grow_helper = helper;
  o.grow_step_bytes = kMiB / 2;
  return o;
}

const std::string kValue(20'000, 'v');

using Keys = std::map<std::string, bool>;

/// Puts until one fails, at most `most`; notes what was acknowledged.
Status fill(Db& db, Keys& kept, int most) {
  for (int i = 0; i < most; ++i) {
    const std::string key = "key" + std::to_string(kept.size());
    if (const Status s = db.default_table()->put(key, kValue); !s.ok()) return s;
    kept[key] = true;
  }
  return Code::ok;
}

std::string trouble(Db& db, const Keys& kept) {
  for (const auto& [key, there] : kept)
    if (value_of(*db.default_table(), key) != kValue) return key + " is not there";
  return unsound(db, static_cast<int64_t>(kept.size()));
}

/// What a user does on a full file system: finds it full, removes some, uses the room again; later there is more.
void live_through_a_full_medium(const std::string& path, MediumChoice medium, bool helper) {
  Keys kept;
  auto db = expect_db(Db::open(path.c_str(), growing(medium, helper)));
  REQUIRE(fill(*db, kept, 100'000) == Code::out_of_space);
  REQUIRE(std::string(last_message()).find("cannot grow") != std::string::npos);
  REQUIRE(trouble(*db, kept) == "");
  for (int i = 0; i < 20; ++i) {
    REQUIRE(db->default_table()->remove(kept.begin()->first).ok());
    kept.erase(kept.begin());
  }
  for (int i = 0; i < 15; ++i) {
    const std::string key = "again" + std::to_string(i);
    const Status s = db->default_table()->put(key, kValue);
    INFO(s.name() << ": " << last_message());
    REQUIRE(s.ok());
    kept[key] = true;
  }
  REQUIRE(trouble(*db, kept) == "");
  REQUIRE(db->close().ok());
  db = expect_db(Db::open(path.c_str(), growing(medium, helper)));
  REQUIRE(trouble(*db, kept) == "");
}

/// A file system of its own, if this process may mount one.
class Mounted {
 public:
  explicit Mounted(const char* prepare) : folder_("/tmp") {
    const std::string command = std::string(prepare) + " >/dev/null 2>&1";
    ::setenv("POOL_MOUNT", (folder_ / "mount").c_str(), 1);
    ::setenv("POOL_IMAGE", (folder_ / "image").c_str(), 1);
    ok_ = ::geteuid() == 0 && std::system(("mkdir \"$POOL_MOUNT\" && " + command).c_str()) == 0;
  }
  ~Mounted() {
    if (ok_ && std::system("umount \"$POOL_MOUNT\"") != 0) std::abort();
  }
  Mounted(const Mounted&) = delete;
  bool ok() const { return ok_; }
  std::string operator/(const char* name) const { return (folder_ / "mount") + "/" + name; }

 private:
  TempFolder folder_;
  bool ok_ = false;
};

void skipped() { WARN("skipped: no file system can be mounted here"); }

}  // namespace

TEST_CASE(
    "the k-th system call of its kind fails while a pool grows, for every k: full, unchanged, and it grows later") {
  const TempFolder folder;
  struct Row {
    os::Call call;
    int error;
  };
  for (const Row& row :
       {Row{os::Call::fallocate, ENOSPC}, Row{os::Call::statvfs, EIO}, Row{os::Call::getrlimit, EINVAL},
        Row{os::Call::fsync, EIO}, Row{os::Call::mmap, ENODEV}, Row{os::Call::madvise, ENOMEM}})
    for (const bool helper : {false, true})
      for (int k = 0; k < 6; ++k) {
        INFO(os::call_name(row.call) << " " << k << (helper ? ", helper" : ""));
        const std::string path = folder / "pool";
        ::unlink(path.c_str());
        Keys kept;
        auto db = expect_db(Db::open(path.c_str(), growing(MediumChoice::dax, helper)));
        bool refused = false;
        {
          const ScopedFault fault(row.call, row.error, k);
          const Status s = fill(*db, kept, 300);
          refused = !s.ok();
          if (refused) REQUIRE(s == Code::out_of_space);
          REQUIRE(trouble(*db, kept) == "");
        }
        REQUIRE(refused == (row.call != os::Call::madvise));  // what madvise says does not matter
        REQUIRE(fill(*db, kept, 200).ok());
        REQUIRE(trouble(*db, kept) == "");
        REQUIRE(db->close().ok());
        db = expect_db(Db::open(path.c_str(), growing(MediumChoice::dax, helper)));
        REQUIRE(trouble(*db, kept) == "");
      }
}

TEST_CASE("a full tmpfs: out of space, unchanged, usable, no signal") {
  for (const bool helper : {false, true}) {
    const Mounted fs("mount -t tmpfs -o size=8m none \"$POOL_MOUNT\"");
    if (!fs.ok()) return skipped();
    live_through_a_full_medium(fs / "pool", MediumChoice::dax, helper);
  }
}

TEST_CASE("a full ext4: out of space, unchanged, usable, no signal") {
  for (const MediumChoice medium : {MediumChoice::dax, MediumChoice::msync}) {
    const Mounted fs("truncate -s 12M \"$POOL_IMAGE\" && mkfs.ext4 -q -F \"$POOL_IMAGE\" && "
                     "mount -o loop \"$POOL_IMAGE\" \"$POOL_MOUNT\"");
    if (!fs.ok()) return skipped();
    live_through_a_full_medium(fs / "pool", medium, true);
  }
}

TEST_CASE("room that comes back on the file system lets the pool grow again") {
  const Mounted fs("mount -t tmpfs -o size=8m none \"$POOL_MOUNT\"");
  if (!fs.ok()) return skipped();
  Keys kept;
  auto db = expect_db(Db::open((fs / "pool").c_str(), growing(MediumChoice::dax, true)));
  REQUIRE(fill(*db, kept, 100'000) == Code::out_of_space);
  const size_t before = kept.size();
  REQUIRE(std::system("mount -o remount,size=16m \"$POOL_MOUNT\"") == 0);
  REQUIRE(fill(*db, kept, 100'000) == Code::out_of_space);
  REQUIRE(kept.size() > before + before / 2);
  REQUIRE(trouble(*db, kept) == "");
}

TEST_CASE("a forked child of a process whose pool has a helper ends without waiting for it") {
  const TempFolder folder("/dev/shm");
  Keys kept;
  auto db = expect_db(Db::open((folder / "pool").c_str(), growing(MediumChoice::dax, true)));
  REQUIRE(fill(*db, kept, 300).ok());
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    db->abandon();
    ::_exit(0);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(fill(*db, kept, 100).ok());
  REQUIRE(trouble(*db, kept) == "");
}
