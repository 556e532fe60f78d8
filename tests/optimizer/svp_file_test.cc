// SPDX-License-Identifier: MIT
// The procedure file: struct -> bytes -> struct -> text -> struct, and what is wrong with bad text.
#include <gtest/gtest.h>

#include "libsysvm/run/bundle.h"
#include "optimizer/optimizer.h"
#include "procedures/reader.h"
#include "procedures/text.h"
#include "procedures/writer.h"
#include "tests/optimizer/programs.h"
#include "tests/optimizer/recording.h"
#include "traces/calls.h"

namespace sysvm {
namespace {

ProcedureFile sample() {
  Trace trace = recording(repeated(20, kGrepFile) + repeated(20, kGrepDirectory) + repeated(20, kGawk));
  trace.header.calls = known_calls();
  Result<Compiled> out = compile({&trace}, {});
  EXPECT_TRUE(out) << out.message();
  return out ? out->file : ProcedureFile{};
}

TEST(SvpFile, BytesHoldEverything) {
  const ProcedureFile file = sample();
  const Result<std::vector<uint8_t>> bytes = write_svp(file);
  ASSERT_TRUE(bytes) << bytes.message();
  const Result<ProcedureFile> back = read_svp(*bytes);
  ASSERT_TRUE(back) << back.message();
  EXPECT_EQ(to_text(*back), to_text(file));
  EXPECT_EQ(back->notes, file.notes);
}

// What a process under the shim reads (libsysvm/run): the same procedures, nothing of the recording.
TEST(SvpFile, TheNotesAreNotGivenToProcesses) {
  const ProcedureFile file = sample();
  const Result<std::vector<uint8_t>> bytes = write_svp(file);
  ASSERT_TRUE(bytes) << bytes.message();
  const std::string bare = svp_without_notes({bytes->begin(), bytes->end()});
  EXPECT_EQ(bare.find("f0.h"), std::string::npos);
  EXPECT_NE(file.notes.find("f0.h"), std::string::npos);
  const Result<ProcedureFile> back = read_svp(std::vector<uint8_t>(bare.begin(), bare.end()));
  ASSERT_TRUE(back) << back.message();
  EXPECT_EQ(back->notes, "");
  ProcedureFile without = file;
  without.notes.clear();
  without.lists.clear();
  EXPECT_EQ(to_text(*back), to_text(without));
}

TEST(SvpFile, TextHoldsEverything) {
  const ProcedureFile file = sample();
  ASSERT_GT(file.notes.size(), 1000u);
  const Result<ProcedureFile> back = from_text(to_text(file), "sample");
  ASSERT_TRUE(back) << back.message();
  const Result<std::vector<uint8_t>> a = write_svp(file), b = write_svp(*back);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *b);
}

// Notes may be any bytes: a comment sign, quotes, line ends, what is no UTF-8.
TEST(SvpFile, AnyNotesSurviveAsText) {
  ProcedureFile file;
  for (int i = 1; i < 256; ++i) file.notes += static_cast<char>(i);
  file.notes += "; \\\"\n procedure \"x\" answer {";
  const Result<ProcedureFile> back = from_text(to_text(file), "t");
  ASSERT_TRUE(back) << back.message();
  EXPECT_EQ(back->notes, file.notes);
}

TEST(SvpFile, PlacesAndMasksSurvive) {
  ProcedureFile file = sample();
  Trigger& t = file.procs[0].triggers[0];
  t.site = CodePlace{"0123456789abcdef", 0x1234};
  t.caller = CodePlace{"00ff", 7};
  t.arg[2] = svp_arg{};
  t.arg[2].kind = SVP_ARG_MASK;
  t.arg[2].mask = 0x10000;
  t.arg[2].value = 0x10000;
  const Result<ProcedureFile> back = from_text(to_text(file), "sample");
  ASSERT_TRUE(back) << back.message();
  EXPECT_EQ(back->procs[0].triggers[0].site, t.site);
  EXPECT_EQ(back->procs[0].triggers[0].caller, t.caller);
  EXPECT_EQ(back->procs[0].triggers[0].arg[2].kind, SVP_ARG_MASK);
  EXPECT_EQ(back->procs[0].triggers[0].arg[2].mask, 0x10000u);
}

TEST(SvpFile, AFollowerTakenOutOfTheTextIsGone) {
  std::string text = to_text(sample());
  const size_t at = text.find("  follower r8 = newfstatat");
  ASSERT_NE(at, std::string::npos);
  const size_t before = from_text(text, "x")->procs[0].followers.size();
  text.erase(at, text.find('\n', at) + 1 - at);
  const Result<ProcedureFile> back = from_text(text, "x");
  ASSERT_TRUE(back) << back.message();
  EXPECT_EQ(back->procs[0].followers.size(), before - 1);
  EXPECT_TRUE(write_svp(*back));
}

// The samples are what four programs' procedures look like; the shim's tests use them too.
TEST(SvpFile, TheSamplesAssemble) {
  for (const char* name : {"grep", "md5sum", "gawk", "sed"}) {
    const std::string path = std::string(SAMPLES) + "/" + name + ".txt";
    const Result<std::vector<uint8_t>> text = read_whole_file(path, 1 << 20);
    ASSERT_TRUE(text) << text.message();
    const Result<ProcedureFile> file =
        from_text({reinterpret_cast<const char*>(text->data()), text->size()}, path);
    ASSERT_TRUE(file) << file.message();
    EXPECT_GE(file->procs.size(), 2u) << name;
    const Result<std::vector<uint8_t>> bytes = write_svp(*file);
    EXPECT_TRUE(bytes) << name << ": " << bytes.message();
  }
}

TEST(SvpFile, AnEmptyFileIsGood) {
  const Result<std::vector<uint8_t>> bytes = write_svp({});
  ASSERT_TRUE(bytes) << bytes.message();
  const Result<ProcedureFile> back = read_svp(*bytes);
  ASSERT_TRUE(back) << back.message();
  EXPECT_TRUE(back->procs.empty());
}

TEST(SvpFile, AFlippedByteIsRefused) {
  Result<std::vector<uint8_t>> bytes = write_svp(sample());
  ASSERT_TRUE(bytes);
  (*bytes)[bytes->size() / 2] ^= 1;
  EXPECT_FALSE(read_svp(*bytes));
}

std::string problem(const std::string& text) {
  const Result<ProcedureFile> file = from_text(text, "t");
  return file ? "" : file.message();
}

TEST(SvpFile, BadTextIsNamedWithItsLine) {
  EXPECT_EQ(problem("; nothing\n\nhello\n"),
            "t:3: 'hello': expected procedure \"NAME\" MODE {, list \"NAME\" prefetch { or notes \"...\"");
  EXPECT_EQ(problem("notes {}\n"), "t:1: expected '\"' at '{}'");
  EXPECT_EQ(problem("procedure \"x\" fast {\n}\n"),
            "t:1: 'fast' is not a mode; expected run_ahead, answer, late_close or defer");
  EXPECT_EQ(problem("procedure \"x\" answer {\n  trigger nosuch()\n}\n"),
            "t:2: 'nosuch' is not a system call");
  EXPECT_EQ(problem("procedure \"x\" answer {\n  result r300\n}\n"),
            "t:2: 'r300' is not a register; expected r0 to r255");
  EXPECT_EQ(problem("procedure \"x\" answer {\n  seen 1\n"), "t:2: procedure \"x\" has no closing '}'");
  EXPECT_EQ(problem("procedure \"x\" answer {\n  seen 1 2\n}\n"),
            "t:2: '2' was not expected at the end of the line");
}

TEST(SvpFile, BadCodeIsNamedWithItsProcedure) {
  EXPECT_NE(problem("procedure \"x\" answer {\n  code {\n    nonsense\n  }\n}\n")
                .find("t: code from line 3 on: line 1"),
            std::string::npos);
}

}  // namespace
}  // namespace sysvm
