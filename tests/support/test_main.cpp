// Catch2's main, compiled once for all tests, with a TAP reporter of our own: one line for each test case.
// Catch2's has one for each assertion, which counts loops instead of tests and takes longer than they do.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

namespace {

class TapReporter : public Catch::StreamingReporterBase<TapReporter> {
 public:
  using StreamingReporterBase::StreamingReporterBase;

  static std::string getDescription() { return "TAP, one line for each test case"; }
  void assertionStarting(const Catch::AssertionInfo&) override {}
  void noMatchingTestCases(const std::string& spec) override {
    stream << "# no test case matches " << spec << '\n';
  }

  bool assertionEnded(const Catch::AssertionStats& stats) override {
    if (!stats.assertionResult.isOk()) describe(stats);
    return true;
  }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    StreamingReporterBase::testCaseEnded(stats);
    stream << (stats.totals.testCases.failed == 0 ? "ok " : "not ok ") << ++cases_ << " - "
           << one_line(stats.testInfo.name) << std::endl;
  }

  void testRunEnded(const Catch::TestRunStats& stats) override {
    StreamingReporterBase::testRunEnded(stats);
    stream << "1.." << cases_ << std::endl;
  }

 private:
  void describe(const Catch::AssertionStats& stats) {
    const Catch::AssertionResult& result = stats.assertionResult;
    stream << "# " << result.getSourceInfo() << '\n';
    if (result.hasExpression()) {
      comment(result.getExpressionInMacro());
      comment("was " + result.getExpandedExpression());
    }
    if (result.hasMessage()) comment(result.getMessage());
    for (const Catch::MessageInfo& info : stats.infoMessages) comment(info.message);
    stream << std::flush;
  }

  void comment(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) stream << "#   " << line << '\n';
  }

  // A '#' would begin a directive.
  static std::string one_line(std::string name) {
    for (char& c : name)
      if (c == '#' || c == '\n') c = ' ';
    return name;
  }

  int cases_ = 0;
};

CATCH_REGISTER_REPORTER("tap", TapReporter)

}  // namespace
