// SPDX-License-Identifier: MIT
// Does mining grow with the events, and no faster?
//
//     mine_scale [--millions 1,3,10,30] [--keep FOLDER] SAMPLE.trace...
//
// Makes recordings of so many million events out of the samples, one after the other again and again, each
// round varied: descriptors and sizes shifted, other names, some calls left out, some put in, the number of
// rounds of a loop changed. Then mines each file in a process of its own, from the file to the report, and
// prints the time of one core and the highest memory. No figure is judged.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "optimizer/mine/mine.h"
#include "traces/reader.h"
#include "traces/writer.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

class Generator {
 public:
  explicit Generator(const std::vector<std::string>& samples) {
    for (const std::string& path : samples) {
      Result<Trace> trace = read_trace(path);
      if (!trace) {
        fmt::print(stderr, "mine_scale: {}\n", trace.message());
        std::exit(2);
      }
      samples_.push_back(std::move(trace).value());
    }
  }

  void write(const std::string& path, uint64_t events) {
    auto writer = TraceWriter::create(path, samples_[0].header).value();
    int32_t pid = 1000;
    for (uint64_t n = 0; n < events; ++pid) {
      const Trace& sample = samples_[static_cast<size_t>(pid) % samples_.size()];
      Process process;
      process.pid = pid;
      process.start_ns = now_;
      process.execed = true;
      (void)writer->add(process);
      n += one_round(*writer, sample, pid, events - n);
    }
    TraceStats stats;
    stats.events = events;
    stats.wall_ns = now_;
    (void)writer->finish(stats);
  }

 private:
  uint64_t one_round(TraceWriter& writer, const Trace& sample, int32_t pid, uint64_t most) {
    uint64_t written = 0;
    uint32_t seq = 0;
    const uint64_t size_shift = dice_() % 512;
    for (size_t i = 0; i < sample.events.size() && written < most; ++i) {
      const Event& from = sample.events[i];
      if (from.has(kSignal) || from.tid != from.pid || from.pid != sample.events[0].pid) continue;
      if (from.nr == SYSVM_NR_execve || from.nr == SYSVM_NR_exit_group || dice_() % 97 == 0) continue;
      if (dice_() % 61 == 0) i -= std::min<size_t>(i, dice_() % 12);  // one more round of what was there
      put(writer, sample, sample.events[i], pid, seq++, size_shift);
      ++written;
      if (dice_() % 89 == 0 && written < most) {
        put(writer, sample, sample.events[dice_() % sample.events.size()], pid, seq++, size_shift);
        ++written;
      }
    }
    return written;
  }

  void put(TraceWriter& writer, const Trace& sample, Event e, int32_t pid, uint32_t seq,
           uint64_t size_shift) {
    e.pid = e.tid = pid;
    e.seq = seq;
    e.ts_ns = now_ += 300 + dice_() % 900;
    e.flags &= static_cast<uint32_t>(kHasStat | kPathCut | kPathFault);
    if (e.nr == SYSVM_NR_read && e.ret > 0)
      e.ret = static_cast<int64_t>((static_cast<uint64_t>(e.ret) + size_shift) % (e.args[2] + 1));
    if (e.has(kHasStat)) e.st_size += size_shift;
    std::string path[2];
    for (int k = 0; k < 2; ++k)
      if (e.path[k] != kNoString) {
        path[k] = sample.strings[e.path[k]];
        // Other names below the folders of the sample, as many as a program would meet.
        if (path[k].size() > 3 && path[k][0] != '/') path[k] += fmt::format("{}", dice_() % 4096);
      }
    e.data_kind = DataKind::kNone;
    (void)writer.add(e, e.path[0] != kNoString ? std::string_view(path[0]) : std::string_view(),
                     e.path[1] != kNoString ? std::string_view(path[1]) : std::string_view());
  }

  std::vector<Trace> samples_;
  std::mt19937 dice_{11};
  uint64_t now_ = 1000000;
};

// In a process of its own, so that the memory is this one's.
void measure(const std::string& path, double millions) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const auto start = std::chrono::steady_clock::now();
    const Result<MinePart> part = mine_part(path);
    if (!part) {
      fmt::print(stderr, "mine_scale: {}\n", part.message());
      _exit(1);
    }
    const MineReport r = report(*part);
    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const double cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                       static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    fmt::print("{:>8.1f} {:>9.2f} {:>9.2f} {:>9.1f} {:>9.2f}   {} sequences, {:.1f} % of the calls\n",
               millions, wall, cpu, cpu * 1000 / millions, static_cast<double>(used.ru_maxrss) / (1 << 20),
               r.sequences.size(),
               100.0 * static_cast<double>(r.covered) / static_cast<double>(std::max<uint64_t>(r.calls, 1)));
    std::fflush(stdout);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
}

int run(int argc, char** argv) {
  std::vector<double> millions{1, 3, 10, 30};
  std::string folder = std::filesystem::temp_directory_path();
  bool keep = false;
  std::vector<std::string> samples;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--millions") && i + 1 < argc) {
      millions.clear();
      for (char* word = std::strtok(argv[++i], ","); word; word = std::strtok(nullptr, ","))
        millions.push_back(std::strtod(word, nullptr));
    } else if (!std::strcmp(argv[i], "--keep") && i + 1 < argc) {
      folder = argv[++i];
      keep = true;
    } else {
      samples.emplace_back(argv[i]);
    }
  }
  if (samples.empty()) {
    fmt::print(stderr, "usage: mine_scale [--millions 1,3,10,30] [--keep FOLDER] SAMPLE.trace...\n");
    return 2;
  }
  fmt::print("{:>8} {:>9} {:>9} {:>9} {:>9}\n", "events", "wall", "cpu", "cpu", "highest");
  fmt::print("{:>8} {:>9} {:>9} {:>9} {:>9}\n", "millions", "s", "s", "ns/event", "GiB");
  for (const double m : millions) {
    const std::string path = fmt::format("{}/mine_scale-{}-{}.trace", folder, getpid(), m);
    const pid_t maker = fork();  // what it needs is not to be counted either
    if (maker == 0) {
      Generator(samples).write(path, static_cast<uint64_t>(m * 1e6));
      _exit(0);
    }
    int status = 0;
    waitpid(maker, &status, 0);
    if (status) return 1;
    measure(path, m);
    if (!keep) unlink(path.c_str());
  }
  return 0;
}

}  // namespace
}  // namespace sysvm

int main(int argc, char** argv) { return sysvm::run(argc, argv); }
