#include "tests/crash/campaign.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include "pmem/base/units.h"

namespace nacre::crash {
namespace {

constexpr char kField = '\x1f';

/// Where the processes take their workloads from.
class Queue {
 public:
  Queue() {
    void* p = mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) std::abort();
    next_ = new (p) std::atomic<uint64_t>(0);
  }
  ~Queue() { munmap(next_, kPageBytes); }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  size_t take() noexcept { return next_->fetch_add(1); }

 private:
  std::atomic<uint64_t>* next_;
};

using Number = uint64_t Report::*;
constexpr Number kNumbers[] = {&Report::workloads,         &Report::points,         &Report::states,
                               &Report::nested_points,     &Report::nested_states,  &Report::seen_states,
                               &Report::twin_states,       &Report::class_points,   &Report::cut_points,
                               &Report::nested_cut_points, &Report::thinned_points, &Report::not_nested,
                               &Report::starved_points,    &Report::violations,     &Report::leaked_bytes};

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == kField; }, ' ');
  return text + " ";  // never empty: split() drops empty fields
}

std::string packed(size_t workload, const Report& report) {
  std::vector<std::string> fields{"done", std::to_string(workload), std::to_string(report.seconds)};
  for (const Number number : kNumbers) fields.push_back(std::to_string(report.*number));
  for (const Failure& failure : report.failures) {
    fields.push_back(one_line(failure.what));
    fields.push_back(one_line(failure.line));
  }
  return join(fields, kField) + "\n";
}

Report unpacked(const std::vector<std::string>& fields) {
  Report report;
  size_t at = 2;
  report.seconds = std::stod(fields[at++]);
  for (const Number number : kNumbers) report.*number = std::stoull(fields[at++]);
  for (; at + 1 < fields.size(); at += 2) {
    Failure failure;
    failure.what = fields[at], failure.line = fields[at + 1];
    report.failures.push_back(std::move(failure));
  }
  return report;
}

void send(int fd, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n <= 0) _exit(5);
    done += static_cast<size_t>(n);
  }
}

std::unique_ptr<Queue> g_queue;

}  // namespace

void CampaignRunner::plan(size_t tests) { std::printf("TAP version 13\n1..%zu\n", tests); }

Report CampaignRunner::run(const Campaign& campaign) {
  const auto begin = std::chrono::steady_clock::now();
  Report total;
  g_queue = std::make_unique<Queue>();
  std::vector<Child> children = start(campaign);
  while (!children.empty()) {
    std::vector<pollfd> ends;
    for (const Child& child : children) ends.push_back({child.reading, POLLIN, 0});
    poll(ends.data(), ends.size(), -1);
    for (size_t i = children.size(); i-- > 0;) {
      if (ends[i].revents == 0) continue;
      char part[4096];
      const ssize_t n = read(children[i].reading, part, sizeof part);
      if (n > 0) {
        children[i].pending.append(part, static_cast<size_t>(n));
        take_lines(campaign, children[i], &total);
        continue;
      }
      end(campaign, children[i], &total);
      children.erase(children.begin() + static_cast<ptrdiff_t>(i));
    }
    show_progress(campaign, total);
  }
  total.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return total;
}

std::vector<CampaignRunner::Child> CampaignRunner::start(const Campaign& campaign) {
  std::fflush(stdout);
  std::vector<Child> children;
  for (uint32_t job = 0; job < jobs_; ++job) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t process = fork();
    if (process < 0) std::abort();
    if (process == 0) work(campaign, job, ends[1]);
    close(ends[1]);
    children.push_back({process, ends[0], {}, campaign.workloads.size()});
  }
  return children;
}

// Each process has its share of the budget, and shares what is left of it over the workloads that it has still to do.
void CampaignRunner::work(const Campaign& campaign, uint32_t job, int writing) {
  const size_t count = campaign.workloads.size();
  const uint64_t budget = ceil_div(campaign.explore.max_states, jobs_);
  SiteTable sites;
  set_up_(sites);
  uint64_t used = 0;
  auto next = [&, own = size_t{job}]() mutable {
    return budget == 0 ? g_queue->take() : std::exchange(own, own + jobs_);
  };
  for (size_t i; (i = next()) < count;) {
    send(writing, join({"begin", std::to_string(i)}, kField) + "\n");
    ExploreConfig config = campaign.explore;
    if (budget != 0) config.max_states = (budget - std::min(budget, used)) / ceil_div(count - i, jobs_) + 1;
    const Workload& workload = campaign.workloads[i];
    const auto client = find_client_kind(workload.client)->make(parse_config(workload.config));
    const Report report = Explorer(*client, config, &sites).explore(workload);
    used += report.checked_states();
    send(writing, packed(i, report));
  }
  std::fflush(stdout);
  _exit(0);
}

void CampaignRunner::take_lines(const Campaign& campaign, Child& child, Report* total) {
  for (size_t end; (end = child.pending.find('\n')) != std::string::npos; child.pending.erase(0, end + 1))
    take_line(campaign, child, child.pending.substr(0, end), total);
}

void CampaignRunner::take_line(const Campaign& campaign, Child& child, const std::string& line, Report* total) {
  const std::vector<std::string> fields = split(line, kField);
  child.workload = std::stoull(fields[1]);
  if (fields[0] == "begin") return;
  const Report report = unpacked(fields);
  print_result(campaign, campaign.workloads[child.workload].name, report);
  total->add(report);
  child.workload = campaign.workloads.size();
}

void CampaignRunner::end(const Campaign& campaign, Child& child, Report* total) {
  close(child.reading);
  int status = 0;
  waitpid(child.process, &status, 0);
  if (status == 0) return;
  Report report;
  report.violations = 1;
  const bool known = child.workload < campaign.workloads.size();
  Failure failure;
  failure.what = "the process that explored it died; see above";
  if (known) failure.line = replay_line(campaign.workloads[child.workload], {});
  report.failures.push_back(failure);
  print_result(campaign, known ? campaign.workloads[child.workload].name : "?", report);
  total->add(report);
}

void CampaignRunner::print_result(const Campaign& campaign, const std::string& name, const Report& report) {
  if (isatty(2)) std::fprintf(stderr, "\r%100s\r", "");
  std::printf("%s %zu - %s%s\n", report.violations == 0 ? "ok" : "not ok", ++printed_, campaign.label.c_str(),
              name.c_str());
  if (campaign.sequence_length != 0 && report.cut_points != 0)  // the others always have some
    std::printf("# %" PRIu64 " of its crash points are cut\n", report.cut_points);
  states_ += report.checked_states();
  if (report.violations != 0) std::printf("# found when this run had checked %" PRIu64 " states\n", states_);
  for (const Failure& failure : report.failures)
    std::printf("# %s\n# nacre_crash_test %s%s\n", failure.what.c_str(), failure.line.c_str(),
                campaign.failure_tail.c_str());
  std::fflush(stdout);
}

void CampaignRunner::show_progress(const Campaign& campaign, const Report& total) const {
  if (!isatty(2)) return;
  std::fprintf(stderr, "\r%-30.30s %5" PRIu64 " of %zu workloads %10" PRIu64 " states %4" PRIu64 " violations ",
               campaign.label.c_str(), total.workloads, campaign.workloads.size(), total.checked_states(),
               total.violations);
}

}  // namespace nacre::crash
