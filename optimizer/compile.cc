// SPDX-License-Identifier: MIT
#include <algorithm>
#include <future>
#include <map>

#include "optimizer/learn/classes.h"
#include "optimizer/learn/rows.h"
#include "optimizer/lists/lists.h"
#include "optimizer/notes.h"
#include "optimizer/optimizer.h"
#include "optimizer/prove/answers.h"
#include "optimizer/prove/choose.h"
#include "procedures/writer.h"

namespace sysvm {
namespace {

using StreamsByExe = std::map<std::string, std::vector<const Stream*>>;

Shapes shapes_of(const StreamsByExe& by_exe, uint64_t min_count) {
  Shapes shapes;
  for (const auto& [exe, streams] : by_exe)
    for (LoopShape& shape : find_shapes(streams, min_count))
      shapes[exe].push_back(std::make_shared<LoopShape>(std::move(shape)));
  return shapes;
}

// Each line leaves less for the next: what one procedure answers is not offered to another.
Result<> make_procedures(const std::vector<Stream>& streams, const BuildNames& names,
                         const CompileOptions& options, Kept& kept) {
  StreamsByExe by_exe;
  for (const Stream& s : streams) by_exe[s.exe].push_back(&s);
  const Shapes shapes = shapes_of(by_exe, options.min_count);
  Classes classes(streams, shapes, !options.strict);
  Chooser choose(options, names, kept);
  const std::vector<TriggerClass> of_opens = classes.of_opens();
  uint64_t offered = 0;
  for (const TriggerClass& opens : of_opens) offered += opens.occurrences.size();
  for (const auto& [exe, all] : shapes)
    for (const auto& shape : all) offered += shape->visits;
  if (options.progress) options.progress->begin(offered);
  for (const TriggerClass& opens : of_opens) TRY(choose.add(opens));
  for (const auto& [exe, all] : shapes)
    for (const auto& shape : all) TRY(choose.add_loop(exe, *shape, by_exe.at(exe)));
  for (const TriggerClass& locks : classes.of_locks()) TRY(choose.add(locks));
  for (const TriggerClass& reads : classes.of_reads(kept.answered())) TRY(choose.add(reads));
  for (const auto& [exe, of] : by_exe)
    if (const std::optional<Rows> rows = find_rows(of, kept.answered(), options.min_count))
      TRY(choose.add_loop(exe, rows->shape, of));
  TRY(add_answers(streams, options, kept));
  if (!options.strict) TRY(add_late_closes(streams, options, kept));
  return Unit{};
}

}  // namespace

Result<Compiled> compile(const std::vector<const PackedTrace*>& traces, const CompileOptions& options) {
  StreamCounts counts;
  const std::vector<Stream> streams = split_into_streams(traces, &counts);
  // Lists are path names of the recording, and need nothing of what procedures are made of: the other
  // processor's work.
  std::future<std::vector<PrefetchList>> lists;
  if (!options.empty && options.examples && options.lists)
    lists = std::async(std::launch::async, [&] { return lists_of(traces); });
  Kept kept;
  if (!options.empty) TRY(make_procedures(streams, BuildNames(traces), options, kept));

  Compiled out;
  out.calls = counts.calls;
  out.predicted_entries = kept.crossings(counts.calls);
  out.dropped = kept.take_dropped();
  for (Kept::Candidate& c : kept.take_sorted()) {
    if (out.file.procs.size() == SVP_MAX_PROCS) {
      out.dropped.push_back({c.info.name, c.info.exe, "the file is full", c.info.seen});
      continue;
    }
    out.spread_ns = std::hypot(out.spread_ns, c.info.spread_ns());
    out.file.procs.push_back(std::move(c.proc));
    out.emitted.push_back(std::move(c.info));
  }
  if (lists.valid()) out.file.lists = lists.get();
  out.file.notes = notes_of(out, traces, options);
  out.svp = TRY(write_svp(out.file));
  return out;
}

}  // namespace sysvm
