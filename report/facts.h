// SPDX-License-Identifier: MIT
// What a page says about a recording, gathered in one pass over its events in order of entry. Each part is a
// file of its own:
//
//   calls       how often, how long, exact percentiles                            (here)
//   spans.h     what each thread did when: what the timeline draws
//   flow.h      which call follows which: the picture of the sequences
//   places.h    which file or directory a call was about, and what each of them cost
//   worth.h     what procedures would have answered and saved
//
// Tested by tests/report/facts_test.cc.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "optimizer/mine/mine.h"
#include "report/categories.h"
#include "report/flow.h"
#include "report/places.h"
#include "report/quantiles.h"
#include "report/spans.h"
#include "report/worth.h"
#include "traces/completeness.h"
#include "traces/event.h"

namespace sysvm::page {

struct CallRow {
  std::string name;
  Category category = Category::kOther;
  uint64_t calls = 0, errors = 0, total_ns = 0, longest_ns = 0;
  Quantiles times;
  std::map<int, uint64_t> errnos;
};

struct ThreadRow {
  int32_t pid = 0;
  uint64_t events = 0, missing = 0, in_calls_ns = 0, waiting_ns = 0, first_ns = ~0ull, last_ns = 0;
};

class CallNames {  // numbers for the calls of a recording, 0 for signals
 public:
  CallNames();
  uint32_t number(const TraceInfo& info, const Event& event);
  std::vector<CallRow>& rows() { return rows_; }
  const std::vector<CallRow>& rows() const { return rows_; }

 private:
  std::vector<CallRow> rows_;
  std::map<int32_t, uint32_t> number_;
};

struct Facts {
  TraceInfo info;  // without strings
  uint64_t first_ns = ~0ull, last_ns = 0;
  uint64_t calls = 0, signals = 0, missing = 0, in_calls_ns = 0, waiting_ns = 0;
  CallNames names;
  std::map<int32_t, ThreadRow> threads;
  Spans spans;
  Flow flow;
  Places places;
  std::vector<Folder> folders;  // of places
  Worth worth;
  std::optional<MineReport> mined;

  uint64_t wall_ns() const { return last_ns > first_ns ? last_ns - first_ns : 0; }
};

// failed with an error that the program saw
bool failed(const Event& event);

struct GatherOptions {
  WorthOptions worth;
  size_t sequences = 10;  // of those that repeat; 0: they are not looked for
  uint64_t most_for_procedures =
      4'000'000;  // events; more are not held in memory, so there are no procedures
  size_t most_spans = 1'500'000;
};
Result<Facts> gather(const std::string& path, const GatherOptions& options);

}  // namespace sysvm::page
