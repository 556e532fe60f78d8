// SPDX-License-Identifier: MIT
#include "traces/in_order.h"

#include <algorithm>

#include "traces/reader.h"

namespace sysvm {

namespace {

struct Straggler {
  Event event;
  std::string text[3];
};

// The highest entry in the chunks before the present one.
class Watermark {
 public:
  bool passed(uint64_t ts_ns) const { return ts_ns < before_; }
  void end_of_chunk(const Columns& columns) {
    if (columns.size()) before_ = std::max(before_, columns.ts_ns.back());
  }

 private:
  uint64_t before_ = 0;
};

}  // namespace

Result<TraceInfo> for_each_in_order(const std::string& path,
                                    const std::function<void(const TraceInfo&)>& begin,
                                    const EventVisitor& visit) {
  std::vector<Straggler> late;
  Watermark first_pass;
  TraceInfo whole = TRY(for_each_chunk(path, [&](Columns& columns, const TraceInfo& info) {
    for (size_t i = 0; i < columns.size() && first_pass.passed(columns.ts_ns[i]); ++i) {
      const Event e = columns.event(i);
      late.push_back({e, {info.strings[e.path[0]], info.strings[e.path[1]], info.strings[e.data]}});
    }
    first_pass.end_of_chunk(columns);
    return true;
  }));
  std::stable_sort(late.begin(), late.end(),
                   [](const Straggler& a, const Straggler& b) { return a.event.ts_ns < b.event.ts_ns; });
  begin(whole);

  TraceInfo aside;  // what a straggler's strings are looked up in
  aside.header = whole.header;
  aside.strings.resize(4);
  size_t next = 0;
  bool more = true;
  auto visit_late = [&](uint64_t until) {
    for (; more && next < late.size() && late[next].event.ts_ns <= until; ++next) {
      Event e = late[next].event;
      for (uint32_t k = 0; k < 3; ++k) aside.strings[k + 1] = late[next].text[k];
      if (e.path[0]) e.path[0] = 1;
      if (e.path[1]) e.path[1] = 2;
      if (e.data) e.data = 3;
      more = visit(e, aside);
    }
  };
  Watermark second_pass;
  const auto again = for_each_chunk(path, [&](Columns& columns, const TraceInfo& info) {
    for (size_t i = 0; i < columns.size() && more; ++i) {
      if (second_pass.passed(columns.ts_ns[i])) continue;
      visit_late(columns.ts_ns[i]);
      if (more) more = visit(columns.event(i), info);
    }
    second_pass.end_of_chunk(columns);
    return more;
  });
  if (!again) return again.error();
  visit_late(~0ull);
  return whole;
}

}  // namespace sysvm
