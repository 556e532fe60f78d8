// SPDX-License-Identifier: MIT
// What a procedure file promises, and what a machine makes of it.
#include "optimizer/explain/promise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "procedures/reader.h"
#include "uapi/syscalls.h"

namespace sysvm {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr uint64_t kWall = 100'000'000;  // 100 ms

// One process: 100,000 calls, of which runs of ten calls leave a tenth.
Promise promised() {
  Promise p;
  p.counts.processes = p.counts.shimmed = 1;
  p.counts.calls = p.counts.inner = 100000;
  p.counts.runs = p.counts.entries = 10000;
  p.counts.answered = p.counts.ahead = p.counts.used = 90000;
  p.counts.ahead_by_nr[SYSVM_NR_fstat] = 90000;
  p.spread_ns = 5000;
  p.wall_ns = kWall;
  return p;
}

std::string notes_with(const Promise& promise) {
  ProcedureFile empty;
  empty.notes = R"({"schema": 1})";
  const Result<std::vector<uint8_t>> svp = note_promise(empty, promise);
  EXPECT_TRUE(svp);
  const Result<ProcedureFile> read = read_svp(*svp);
  EXPECT_TRUE(read) << "the bytes are those of the new notes";
  return read ? read->notes : "";
}

TEST(Promise, IsReadAsItWasWritten) {
  const std::optional<Promise> read = promise_in(notes_with(promised()));
  ASSERT_TRUE(read);
  const CostModel cost;
  EXPECT_EQ(saved_ns(cost, read->counts), saved_ns(cost, promised().counts));
  EXPECT_EQ(user_saved_ns(cost, read->counts), user_saved_ns(cost, promised().counts));
  EXPECT_EQ(read->counts.ahead_by_nr, promised().counts.ahead_by_nr);
  EXPECT_EQ(read->wall_ns, kWall);
  EXPECT_EQ(read->spread_ns, 5000);
}

TEST(Promise, TheEngineThatIsHereDecides) {
  const std::string notes = notes_with(promised());
  CostModel cost;
  cost.crossing_ns = 200;
  EXPECT_EQ(why_plain(notes, cost, {true, ""}), "") << "the module saves 90,000 crossings";
  EXPECT_THAT(why_plain(notes, cost, {false, "/dev/sysvm: No such file or directory"}),
              AllOf(HasSubstr("the user engine"), HasSubstr("No such file"), HasSubstr("slower: about"),
                    HasSubstr("--engine user")));
}

TEST(Promise, TheCostsThatAreHereDecide) {
  CostModel dear, cheap;
  dear.crossing_ns = 500;
  cheap.crossing_ns = 20;
  EXPECT_EQ(why_plain(notes_with(promised()), dear, {true, ""}), "");
  EXPECT_THAT(why_plain(notes_with(promised()), cheap, {true, ""}), HasSubstr("the kernel engine"));
}

TEST(Promise, LessThanOnePercentIsNotPaid) {
  Promise longer = promised();
  longer.wall_ns = 1000 * kWall;
  EXPECT_THAT(why_plain(notes_with(longer), CostModel(), {true, ""}), HasSubstr("nothing to gain"));
}

TEST(Promise, AFileThatSaysNothingIsUsed) {
  for (const char* notes :
       {"", "{}", "rubbish", R"({"promise": 7})", R"({"promise": {"counts": []}})",
        R"({"promise": {"counts": {"calls": -1}}})", R"({"promise": {"counts": {"calls": 1e300}}})",
        R"({"promise": {"counts": {"calls": "many"}}})",
        R"({"promise": {"counts": {"calls": 1, "ahead_by_nr": {"5": "x"}}}})"}) {
    EXPECT_FALSE(promise_in(notes)) << notes;
    EXPECT_EQ(why_plain(notes, CostModel(), {false, "none"}), "") << notes;
  }
}

}  // namespace
}  // namespace sysvm
