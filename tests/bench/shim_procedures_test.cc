// SPDX-License-Identifier: MIT
// The hand-written procedures of `sysvm bench` are real ones: the shim's own check takes them.
#include "bench/shim_procedures.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "bench/figures.h"
#include "bench/shim_loop.h"
#include "procedures/text.h"
#include "procedures/writer.h"

namespace sysvm::bench {
namespace {

struct Case {
  const char* what;
  int size;
  size_t followers;
};

TEST(ShimProcedures, PassTheCheckAndAnswerWhatTheLoopAsks) {
  for (const Case& c :
       {Case{"forward", 0, 0}, Case{"watched", 0, 0}, Case{"fstat", 0, SHIM_LOOP_CALLS},
        Case{"read", 64, SHIM_LOOP_CALLS}, Case{"read", SHIM_LOOP_SIZE_MAX, SHIM_LOOP_CALLS}}) {
    const auto file = from_text(procedure_text(c.what, c.size), c.what);
    ASSERT_TRUE(file) << file.message();
    ASSERT_EQ((*file).procs.size(), 1u);
    EXPECT_EQ((*file).procs[0].followers.size(), c.followers) << c.what;
    const auto bytes = write_svp(*file);
    EXPECT_TRUE(bytes) << c.what << " " << c.size << ": " << bytes.message();
  }
}

TEST(ShimProcedures, CountTheHitsOfAllProcedures) {
  const std::string path = testing::TempDir() + "hits." + std::to_string(getpid()) + ".json";
  std::ofstream(path) << R"({"schema":1,"procedures":[{"name":"a","hits":3},{"name":"b","hits":4}]})";
  const auto hits = hits_of(path);
  ASSERT_TRUE(hits) << hits.message();
  EXPECT_EQ(*hits, 7u);
  std::ofstream(path) << "no counters";
  EXPECT_FALSE(hits_of(path));
  std::remove(path.c_str());
}

TEST(Figures, ADifferenceOfMinimaCarriesTheNoiseOfBothSides) {
  const Figure d = difference(figure_of({30, 20, 26}), figure_of({12, 10, 15}), 0.5);
  EXPECT_EQ(d.min, 5);
  EXPECT_EQ(d.median, (10 + 6 + 2) * 0.5);
  EXPECT_EQ(d.max, (10 + 10 + 5) * 0.5);
}

}  // namespace
}  // namespace sysvm::bench
