// A target without libFuzzer: runs each file of the folders it is given, in order, once. Prints TAP, a line an input.
// NAME --seeds=FOLDER writes the target's own seeds instead: that is how the corpus was begun.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/seeds.h"

namespace {

std::vector<std::filesystem::path> inputs_of(const std::vector<std::string>& arguments) {
  std::vector<std::filesystem::path> inputs;
  for (const std::string& argument : arguments) {
    if (!std::filesystem::is_directory(argument)) {
      inputs.emplace_back(argument);
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(argument)) inputs.push_back(entry.path());
  }
  std::sort(inputs.begin(), inputs.end());
  return inputs;
}

int write_seeds(const std::string& folder) {
  std::filesystem::create_directories(folder);
  for (const nacre::fuzz::Seed& seed : nacre::fuzz::seeds())
    std::ofstream(std::filesystem::path(folder) / seed.name, std::ios::binary) << seed.bytes;
  return 0;
}

bool write_json(const std::string& path, size_t count, double seconds) {
  std::ofstream out(path);
  out << "[{\"figure\": \"fuzz corpus inputs replayed\", \"count\": " << count
      << ", \"violations\": 0, \"cuts\": 0, \"model\": \"corpus\", \"seconds\": " << seconds << "}]\n";
  return out.good();
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments;
  std::string json;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument.starts_with("--seeds=")) return write_seeds(argument.substr(8));
    if (argument.starts_with("--json="))
      json = argument.substr(7);
    else if (!argument.starts_with("--"))
      arguments.push_back(argument);
  }
  const auto start = std::chrono::steady_clock::now();
  int number = 0;
  for (const std::filesystem::path& path : inputs_of(arguments)) {
    std::printf("# %s\n", path.c_str());  // first: if the input kills us, this is the line that repeats it
    std::fflush(stdout);
    std::ifstream in(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
    std::printf("ok %d - %s\n", ++number, path.filename().c_str());
  }
  std::printf("%s %d - there are inputs\n1..%d\n", number > 0 ? "ok" : "not ok", number + 1, number + 1);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (!json.empty() && !write_json(json, static_cast<size_t>(number), seconds.count())) return 2;
  return number > 0 ? 0 : 1;
}
