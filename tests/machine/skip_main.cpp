// nacre_machine_test where there is no tracer for this processor or system.
#include <cstdio>

int main() {
  std::printf("skipped: single steps are read on Linux with x86-64 only\n");
  return 77;
}
