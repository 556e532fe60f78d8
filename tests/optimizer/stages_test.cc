// SPDX-License-Identifier: MIT
// Golden text of every stage between a recording and byte code: what follows a trigger, what is asked about
// each entry of a directory, the plan, the code before it is assembled, the procedure. One file of golden/
// for each program.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>

#include "optimizer/make/emit.h"
#include "optimizer/make/planner.h"
#include "procedures/assembler.h"
#include "procedures/text.h"
#include "tests/optimizer/golden.h"
#include "tests/optimizer/programs.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

std::string shape_text(const LoopShape& shape) {
  std::string out =
      fmt::format("shape, {} visits{}{}{}\n", shape.visits, shape.under ? ", by path" : "",
                  shape.leaves ? ", leaves behind a directory" : "", shape.hidden ? ", hidden names" : "");
  for (const EachCall& c : shape.calls) out += fmt::format("  {} for kinds {:#x}\n", c.sources.key, c.kinds);
  return out;
}

// of: the number of the calls that trigger. streak: as compile.cc counts it.
std::string stages(const std::string& calls, uint32_t of, uint8_t streak = 0) {
  const PackedTrace trace = packed(recording(calls));
  const std::vector<Stream> streams = split_into_streams({&trace});
  const Stream& s = streams.at(0);
  std::string out;
  FollowOptions options;
  std::map<std::string, std::string> kept;
  options.kept = &kept;
  options.late_close = true;
  for (const LoopShape& shape : find_shapes({&s}, 4)) {
    options.shapes.push_back(std::make_shared<LoopShape>(shape));
    out += shape_text(shape);
  }
  Sources table;
  std::deque<Occurrence> occurrences;
  uint8_t row = 0;
  for (size_t i = 0; i < s.calls.size(); ++i) {
    row = static_cast<uint32_t>(s.calls[i]->nr()) == of ? static_cast<uint8_t>(row + 1) : uint8_t{0};
    if (static_cast<uint32_t>(s.calls[i]->nr()) != of || (streak && row != streak)) continue;
    occurrences.push_back(follow(s, i, table, options));
    occurrences.back().streak = streak;
  }
  const Occurrence& one = occurrences.at(2);  // the first may know less
  out += fmt::format("occurrence 2 of {}\n", call_name(of));
  for (const OccurrenceStep& step : one.steps)
    out += fmt::format("  {} x {}\n", step.calls.size(), step.sources->key);
  out += "  ends: " + std::string(one.stop) + "\n";

  std::vector<const Occurrence*> members;
  for (const Occurrence& o : occurrences) members.push_back(&o);
  std::string why;
  const std::optional<Plan> p = plan(members, {}, &why);
  if (!p) return out + "no plan: " + why + "\n";
  out += fmt::format("plan for {} {}, streak {}, saves {} entries\n", p->seen,
                     p->kind == FileKind::kDirectory ? "directories" : "files", p->streak, p->saved_entries);
  for (const PlannedStep& step : p->steps)
    out += fmt::format("  {}: size {}, {} times{}{}, {} of {}\n", step.sources->traits.name, step.size,
                       step.repeats, step.end_call ? " and the end" : "", step.go_on ? ", may fail" : "",
                       step.taken, step.reached);
  out += "  ends: " + p->stop + "\n";

  Result<Emitted> emitted = emit_run_ahead(*p, true);
  if (!emitted) return out + emitted.message();
  out += "code\n" + emitted->text;
  const Result<std::vector<uint8_t>> code = assemble(emitted->text);
  if (!code) return out + code.message();
  emitted->proc.code = *code;
  return out + to_text(emitted->proc);
}

TEST(Stages, AFileReadToItsEnd) {
  expect_golden("grep_file", stages(repeated(20, kGrepFile), SYSVM_NR_openat));
}
TEST(Stages, ADirectory) {
  expect_golden("grep_directory", stages(repeated(20, kGrepDirectory), SYSVM_NR_openat));
}
TEST(Stages, ALoopWithAKeptPath) { expect_golden("find_ls", stages(repeated(20, kFindLs), SYSVM_NR_openat)); }
TEST(Stages, ALoopBehindAnOpen) {  // tar
  expect_golden("tar_directory", stages(repeated(20, R"(
openat(AT_FDCWD, "d%d", O_RDONLY|O_DIRECTORY) = 3
newfstatat(3, "", {st_mode=S_IFDIR|0755, st_size=4096}, AT_EMPTY_PATH) = 0
getdents64(3, buf, 32768) = 240
newfstatat(3, "one", {st_mode=S_IFREG|0644, st_size=9}, AT_SYMLINK_NOFOLLOW) = 0
newfstatat(3, "two", {st_mode=S_IFREG|0644, st_size=9}, AT_SYMLINK_NOFOLLOW) = 0
getdents64(3, buf, 32768) = 0
close(3) = 0
)"),
                                        SYSVM_NR_openat));
}
TEST(Stages, BehindALock) {
  expect_golden("select", stages("openat(AT_FDCWD, \"/var/t.db\", O_RDWR) = 3\n" + repeated(20, kSelect),
                                 SYSVM_NR_fcntl, 3));
}

}  // namespace
}  // namespace sysvm
