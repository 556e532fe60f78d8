// SPDX-License-Identifier: MIT
// Google Benchmark as a library: its own interleaving and calibration, our numbers.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>

#include "bench/figures.h"

namespace sysvm::bench {

Figure figure_of(std::vector<double> samples) {
  Figure out;
  if (samples.empty()) return out;
  std::sort(samples.begin(), samples.end());
  out.min = samples.front();
  out.median = samples[samples.size() / 2];
  out.max = samples.back();
  out.repetitions = static_cast<int>(samples.size());
  return out;
}

Figure difference(const Figure& a, const Figure& b, double scale) {
  const double min = a.min - b.min;
  return {min * scale, (min + (a.median - a.min) + (b.median - b.min)) * scale,
          (min + (a.max - a.min) + (b.max - b.min)) * scale, std::max(a.repetitions, b.repetitions)};
}

namespace {

// Collects, prints nothing.
class Collector : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      const std::string& name = run.run_name.function_name;
      if (run.error_occurred)
        errors[name] = run.error_message;
      else if (run.run_type == Run::RT_Iteration)
        samples[name].push_back(run.GetAdjustedRealTime());
    }
  }
  std::map<std::string, std::vector<double>> samples;
  std::map<std::string, std::string> errors;
};

}  // namespace

void run_registered(const Options& options, Report& report) {
  std::vector<std::string> words = {
      "sysvm-bench",
      "--benchmark_enable_random_interleaving=true",
      // Shorter than a time slice, so that on a busy machine some repetitions are nobody else's.
      options.quick ? "--benchmark_min_time=0.001" : "--benchmark_min_time=0.002",
      options.quick ? "--benchmark_repetitions=5" : "--benchmark_repetitions=100",
  };
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  int argc = static_cast<int>(argv.size());
  benchmark::Initialize(&argc, argv.data());
  Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  for (auto& [name, samples] : collector.samples) report.figures[name] = figure_of(std::move(samples));
  for (auto& [name, why] : collector.errors) report.absent[name] = why;
}

}  // namespace sysvm::bench
