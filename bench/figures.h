// SPDX-License-Identifier: MIT
// What `sysvm bench` measures, as numbers that can be quoted.
//
// A figure is the minimum of its repetitions, because on a shared machine everything else only adds; the
// median and the largest stand beside it, so that a reader sees what the minimum is worth. Figures of one run
// belong together: repetitions of all of them are interleaved in random order, so a slow minute slows all
// alike, and a difference is only ever taken between figures of the same run. Nothing here judges: no target
// is tested by time.
// Tested by tests/cli/bench_test.py.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sysvm::bench {

struct Figure {
  double min = 0, median = 0, max = 0;  // ns, for one operation
  int repetitions = 0;
};

struct Options {
  bool quick = false;  // a tenth of the time: a smoke test rather than a measurement
  std::string loop;    // path of shim_loop
  std::string sysvm;   // path of the program itself, for `sysvm run`
  std::function<void(const std::string&)> stage = [](const std::string&) {};  // what is measured now
};

struct Report {
  std::map<std::string, Figure> figures;      // by name
  std::map<std::string, std::string> absent;  // name -> why it could not be measured here
};

Figure figure_of(std::vector<double> samples);
// (a - b) * scale, by their minima. Its median and largest say how far the noise of both could have moved it:
// they are the minimum plus the sum of the two distances.
Figure difference(const Figure& a, const Figure& b, double scale = 1);

// The figures that one process can measure by itself: plain calls and the machine. plain.cc and machine.cc
// register them with Google Benchmark, runner.cc runs them.
void register_plain();
void register_machine(Report& report);
void run_registered(const Options& options, Report& report);
// Differences between what was measured: the machine's cost for one instruction, one inner call.
void derive_machine(Report& report);

// The shim, by running shim_loop plainly and under `sysvm run`.
void measure_shim(const Options& options, Report& report);

}  // namespace sysvm::bench
