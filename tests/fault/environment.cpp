#include "tests/fault/environment.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>

#include "tests/fault/life.h"
#include "tests/support/files.h"
#include "tests/support/soundness.h"

namespace {

std::atomic<bool> g_random_is_short{false}, g_no_threads{false};
std::atomic<uint64_t> g_random_calls{0}, g_threads_refused{0};

}  // namespace

// In place of the C library's, for this program.
extern "C" [[gnu::visibility("default")]] ssize_t getrandom(void* buffer, size_t bytes, unsigned flags) {
  if (!g_random_is_short) return ::syscall(SYS_getrandom, buffer, bytes, flags);
  if (g_random_calls.fetch_add(1) % 2 == 0) {
    errno = EINTR;
    return -1;
  }
  return ::syscall(SYS_getrandom, buffer, bytes == 0 ? 0 : 1, flags);
}

extern "C" [[gnu::visibility("default")]] int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                                             void* (*start)(void*), void* arg) noexcept {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  if (g_no_threads) {
    ++g_threads_refused;
    return EAGAIN;
  }
  static const auto real = reinterpret_cast<Create>(::dlsym(RTLD_NEXT, "pthread_create"));
  return real(thread, attributes, start, arg);
}

namespace nacre::fault_test {
namespace {

using engine::Db;
using engine::MediumChoice;

constexpr uid_t kNobody = 65534;

engine::Options plain_options() {
  engine::Options o;
  o.create_if_missing = true;
  o.size_bytes = engine::kMinPoolBytes;
  o.grow_helper = false;
  o.medium = MediumChoice::dax;
  return o;
}

/// A pool with one key.
std::string make_pool(const std::string& path) {
  auto db = Db::open(path.c_str(), plain_options());
  if (!db) return std::string("making the pool: ") + last_message();
  if (!(*db)->default_table()->put("k", "v").ok() || !(*db)->close().ok()) return "filling the pool";
  return {};
}

std::string sound_with_its_key(const std::string& path, bool read_only) {
  engine::Options o = plain_options();
  o.create_if_missing = false;
  o.read_only = read_only;
  auto db = Db::open(path.c_str(), o);
  if (!db) return std::string("open: ") + last_message();
  if (test::value_of(*(*db)->default_table(), "k") != "v") return "the key is lost";
  if (read_only && (*db)->default_table()->put("k", "w") != Code::read_only) return "a put is not refused";
  return test::unsound(**db, 1);
}

/// A soft limit, for the life of the object.
class Limited {
 public:
  Limited(__rlimit_resource resource, rlim_t soft) : resource_(resource) {
    ::getrlimit(resource_, &old_);
    const rlimit now{soft, old_.rlim_max};
    ::setrlimit(resource_, &now);
  }
  ~Limited() { ::setrlimit(resource_, &old_); }
  Limited(const Limited&) = delete;

 private:
  __rlimit_resource resource_;
  rlimit old_{};
};

class Environments {
 public:
  Environments(bool thorough, const std::function<void(const std::string&, const std::string&)>& complain)
      : thorough_(thorough), complain_(complain) {}

  EnvironmentResult all() {
    for (rlim_t spare = 0; spare < 6; ++spare) {
      run("descriptors left: " + std::to_string(spare), [&] { return few_descriptors(spare); });
      run("descriptors left to make a pool: " + std::to_string(spare), [&] { return few_to_make(spare); });
    }
    for (const rlim_t mib : {8, 32, 128, 512, 2048})
      run("address space left: " + std::to_string(mib) + " MiB", [&] { return few_addresses(mib << 20); });
    for (const rlim_t kib : {1024, 1100, 1536, 4096})
      run("files of at most " + std::to_string(kib) + " KiB", [&] { return short_files(kib << 10); });
    run("a file that may not be written", [&] { return unwritable_file(); });
    run("a read-only file system", [&] { return read_only_file_system(); });
    for (const MediumChoice medium : {MediumChoice::dax, MediumChoice::msync})
      for (const test::Script& script : test::scripts())
        if (thorough_ || script.name == "growth")
          run("signals every 20 microseconds: " + script.name, [&] { return signal_storm(script, medium); });
    run("random numbers byte by byte, interrupted", [&] { return short_random(); });
    run("a thread that cannot start", [&] { return no_threads(); });
    return result_;
  }

 private:
  static constexpr const char* kSkipped = "skipped";

  void run(const std::string& name, const std::function<std::string()>& body) {
    const std::string wrong = body();
    if (wrong == kSkipped) {
      ++result_.skipped;
      return;
    }
    ++result_.cases;
    if (!wrong.empty()) complain_("environment: " + name, wrong);
  }

  std::string few_descriptors(rlim_t spare) {
    const test::TempFolder folder("/dev/shm");
    const std::string path = folder / "pool";
    if (std::string wrong = make_pool(path); !wrong.empty()) return wrong;
    const std::string before = test::read_file(path);
    const Status s = open_with_spare(path, spare);
    if (!s.ok() && s != Code::io_error) return std::string("the status is ") + s.name();
    if (spare == 0 && s.ok()) return "it opened without a descriptor";
    if (spare >= 2 && !s.ok()) return std::string("two descriptors are not enough: ") + last_message();
    if (!s.ok() && test::read_file(path) != before) return "the file has changed";
    return sound_with_its_key(path, false);
  }

  std::string few_to_make(rlim_t spare) {
    const test::TempFolder folder("/dev/shm");
    const std::string path = folder / "pool";
    const Status s = open_with_spare(path, spare);
    if (!s.ok() && s != Code::io_error) return std::string("the status is ") + s.name();
    if (s.ok() != test::file_exists(path)) return s.ok() ? "no file" : "a file is left";
    return s.ok() ? "" : make_pool(path);
  }

  static Status open_with_spare(const std::string& path, rlim_t spare) {
    const int lowest = ::dup(0);
    ::close(lowest);
    const Limited limited(RLIMIT_NOFILE, static_cast<rlim_t>(lowest) + spare);
    return Db::open(path.c_str(), plain_options()).status();
  }

  std::string few_addresses(rlim_t spare_bytes) {
    const test::TempFolder folder("/dev/shm");
    const std::string path = folder / "pool";
    if (std::string wrong = make_pool(path); !wrong.empty()) return wrong;
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    {
      const Limited limited(RLIMIT_AS, pages * 4096 + spare_bytes);
      const Status s = Db::open(path.c_str(), plain_options()).status();
      if (!s.ok()) return std::string("it does not open with fewer addresses: ") + last_message();
    }
    return sound_with_its_key(path, false);
  }

  // Beyond the limit the system would send SIGXFSZ.
  std::string short_files(rlim_t bytes) {
    const test::TempFolder folder("/dev/shm");
    const std::string path = folder / "pool";
    if (std::string wrong = make_pool(path); !wrong.empty()) return wrong;
    engine::Options o = plain_options();
    o.grow_step_bytes = 256 << 10;
    auto db = Db::open(path.c_str(), o);
    if (!db) return std::string("open: ") + last_message();
    const std::string value(20'000, 'v');
    uint64_t kept = 1;
    {
      const Limited limited(RLIMIT_FSIZE, bytes);
      Status s;
      while (kept < 1000 && (s = (*db)->default_table()->put("n" + std::to_string(kept), value)).ok()) ++kept;
      if (s != Code::out_of_space) return std::string("the status is ") + s.name();
      if (test::file_bytes(path) > bytes) return "the file is longer than allowed";
    }
    if (!(*db)->default_table()->put("later", value).ok()) return std::string("without the limit: ") + last_message();
    return test::unsound(**db, static_cast<int64_t>(kept + 1));
  }

  static std::string refused_and_readable(const std::string& path) {
    const std::string before = test::read_file(path);
    const Status s = Db::open(path.c_str(), plain_options()).status();
    if (s != Code::io_error) return std::string("a writer's open says ") + s.name();
    if (std::string wrong = sound_with_its_key(path, true); !wrong.empty()) return "reader: " + wrong;
    return test::read_file(path) == before ? "" : "the file has changed";
  }

  // As somebody without rights, in a child.
  std::string unwritable_file() {
    if (::geteuid() != 0) return kSkipped;
    const test::TempFolder folder("/dev/shm");
    const std::string path = folder / "pool";
    if (std::string wrong = make_pool(path); !wrong.empty()) return wrong;
    const std::string parent = path.substr(0, path.rfind('/'));
    if (::chmod(parent.c_str(), 0755) != 0 || ::chmod(path.c_str(), 0444) != 0) return kSkipped;
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(2);
      ::_exit(refused_and_readable(path).empty() ? 0 : 1);
    }
    int status = -1;
    if (::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return "the child died";
    return WEXITSTATUS(status) == 0 ? "" : "not refused, not readable, or changed";
  }

  std::string read_only_file_system() {
    const test::TempFolder folder("/tmp");
    const std::string mount = folder / "mount";
    if (::mkdir(mount.c_str(), 0755) != 0 || ::mount("none", mount.c_str(), "tmpfs", 0, "size=4m") != 0)
      return kSkipped;
    std::string wrong = make_pool(mount + "/pool");
    if (wrong.empty() && ::mount("none", mount.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, "size=4m") == 0)
      wrong = refused_and_readable(mount + "/pool");
    if (wrong.empty() && Db::open((mount + "/new").c_str(), plain_options()).status() != Code::io_error)
      wrong = "making a pool is not refused";
    if (::umount(mount.c_str()) != 0) wrong = "something is still open";
    return wrong;
  }

  // Without SA_RESTART, so that each call that can be interrupted is.
  std::string signal_storm(const test::Script& script, MediumChoice medium) {
    static std::atomic<uint64_t> signals{0};
    signals = 0;
    struct sigaction action = {}, old = {};
    action.sa_handler = [](int) { signals.fetch_add(1, std::memory_order_relaxed); };
    ::sigaction(SIGUSR1, &action, &old);
    sigevent event = {};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    timer_t timer;
    if (::timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return kSkipped;
    const itimerspec often{.it_interval = {0, 20'000}, .it_value = {0, 20'000}};
    ::timer_settime(timer, 0, &often, nullptr);
    const bool fine = Life({&script, Start::dirty, medium, true}).rehearse();
    ::timer_delete(timer);
    ::sigaction(SIGUSR1, &old, nullptr);
    return !fine ? "a life failed under signals" : signals < 10 ? "there were no signals" : "";
  }

  std::string short_random() {
    const test::TempFolder folder("/dev/shm");
    g_random_is_short = true;
    const std::string wrong = make_pool(folder / "pool");
    g_random_is_short = false;
    return !wrong.empty() ? wrong : g_random_calls < 32 ? "it did not ask for its identity byte by byte" : "";
  }

  std::string no_threads() {
    const test::TempFolder folder("/dev/shm");
    engine::Options o = plain_options();
    o.grow_helper = true;
    auto db = Db::open((folder / "pool").c_str(), o);
    if (!db) return std::string("open: ") + last_message();
    g_no_threads = true;
    Status s;
    const std::string value(20'000, 'v');
    for (int i = 0; i < 200 && s.ok(); ++i) s = (*db)->default_table()->put("k" + std::to_string(i), value);
    g_no_threads = false;
    if (!s.ok()) return std::string("a put: ") + last_message();
    return g_threads_refused == 0 ? "no thread was asked for" : test::unsound(**db, 200);
  }

  const bool thorough_;
  const std::function<void(const std::string&, const std::string&)>& complain_;
  EnvironmentResult result_;
};

}  // namespace

EnvironmentResult run_environments(bool thorough,
                                   const std::function<void(const std::string&, const std::string&)>& complain) {
  return Environments(thorough, complain).all();
}

}  // namespace nacre::fault_test
