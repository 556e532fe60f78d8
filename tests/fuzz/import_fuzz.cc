// SPDX-License-Identifier: MIT
// Fuzzes what makes traces of text. The first byte of the input says of whom the rest is: even: strace, odd:
// perf script. Bad text is reported, line by line, and is no error. If it is 0 or 1, the trace is written as
// well, and read again: it must be whole and have all events. The others end before that, which makes them
// many times faster.
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>

#include "traces/import.h"
#include "traces/reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sysvm;
  if (size < 1) return 0;
  static const std::string file = "/proc/self/fd/" + std::to_string(memfd_create("fuzz", MFD_CLOEXEC));
  const bool write = data[0] < 2;
  const std::string output = write ? file : "";
  std::istringstream text(std::string(reinterpret_cast<const char*>(data) + 1, size - 1));
  const auto report = data[0] % 2 ? import_perf(text, "fuzz", output) : import_strace(text, "fuzz", output);
  if (!report) abort();
  if (!write || !report->events) return 0;
  const auto trace = read_trace(file, 1);
  if (!trace || !trace->damage.empty() || trace->events.size() != report->events) abort();
  return 0;
}
