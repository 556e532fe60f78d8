// SPDX-License-Identifier: MIT
// A real occurrence beside its procedure: what the compiler keeps of the recording, and what is made of notes
// that somebody wrote on purpose.
#include "optimizer/prove/example.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "optimizer/explain/explain.h"
#include "optimizer/optimizer.h"
#include "procedures/writer.h"
#include "tests/optimizer/golden.h"
#include "tests/optimizer/programs.h"
#include "tests/optimizer/recording.h"
#include "traces/calls.h"

namespace sysvm {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::Not;

Compiled compiled(const std::string& calls, bool examples = true) {
  Trace trace = recording(calls);
  trace.header.calls = known_calls();
  CompileOptions options;
  options.examples = examples;
  Result<Compiled> c = compile({&trace}, options);
  EXPECT_TRUE(c) << c.message();
  return c ? std::move(*c) : Compiled{};
}

auto call(const std::string& text, int by) {
  return AllOf(Field("call", &ExampleCall::call, text), Field("by", &ExampleCall::by, by));
}

TEST(Example, IsARealOccurrenceInStracesNotation) {
  const Compiled c = compiled(repeated(20, kGrepFile));
  ASSERT_EQ(c.emitted.size(), 2u);
  EXPECT_THAT(
      c.emitted[0].example.calls,
      ElementsAre(
          call("openat(4, \"f0.h\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW) = 3", ExampleCall::kTrigger),
          call("newfstatat(3, \"\", {st_mode=S_IFREG|0644, st_size=2292, ...}, AT_EMPTY_PATH) = 0", 0),
          call("read(3, 0x5000, 98304) = 2292", 1), call("read(3, 0x5000, 94208) = 0", 2)));
  EXPECT_THAT(c.emitted[1].example.calls, ElementsAre(call("close(3) = 0", ExampleCall::kLate)));
}

// The first of the recording is cut short; the one that shows all followers is taken.
TEST(Example, IsTheOccurrenceThatShowsMost) {
  const Compiled c = compiled(
      "openat(4, \"odd.h\", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW) = 3\n"
      "newfstatat(3, \"\", {st_mode=S_IFREG|0644, st_size=2}, AT_EMPTY_PATH) = 0\n"
      "close(3) = 0\n" +
      repeated(20, kGrepFile));
  ASSERT_FALSE(c.emitted.empty());
  ASSERT_EQ(c.emitted[0].example.calls.size(), 4u);
  EXPECT_THAT(c.emitted[0].example.calls[0].call, HasSubstr("f0.h"));
}

TEST(Example, OfALoopIsAFewOfItsEntries) {
  std::string files;
  for (int i = 0; i < 50; ++i)
    files += "newfstatat(3, \"e" + std::to_string(i) +
             "\", {st_mode=S_IFREG|0644, st_size=9}, AT_SYMLINK_NOFOLLOW) = 0\n";
  const Compiled c =
      compiled(repeated(8,
                        "openat(AT_FDCWD, \"d%d\", O_RDONLY|O_DIRECTORY) = 3\n"
                        "newfstatat(3, \"\", {st_mode=S_IFDIR|0755, st_size=4096}, AT_EMPTY_PATH) = 0\n"
                        "getdents64(3, buf, 32768) = 1600\n" +
                            files + "getdents64(3, buf, 32768) = 0\nclose(3) = 0\n"));
  ASSERT_FALSE(c.emitted.empty());
  EXPECT_EQ(c.emitted[0].example.calls.size(), 3 + kExampleAlike + 1);
  EXPECT_EQ(c.emitted[0].example.more, 50 - kExampleAlike);
}

TEST(Example, ALongNameLosesItsMiddleAndKeepsTheResult) {
  const std::string name(3000, 'x');
  const Compiled c =
      compiled(repeated(20, "openat(AT_FDCWD, \"" + name +
                                "%d\", O_RDONLY) = 3\n"
                                "newfstatat(3, \"\", {st_mode=S_IFREG|0644, st_size=2}, AT_EMPTY_PATH) = 0\n"
                                "read(3, buf, 4096) = 2\nread(3, buf, 4096) = 0\nclose(3) = 0\n"));
  ASSERT_FALSE(c.emitted.empty());
  const std::string& text = c.emitted[0].example.calls[0].call;
  EXPECT_EQ(text.size(), kExampleBytes);
  EXPECT_TRUE(text.ends_with("O_RDONLY) = 3")) << text;
}

TEST(Example, CanBeLeftOut) {
  const Compiled c = compiled(repeated(20, kGrepFile), /*examples=*/false);
  EXPECT_THAT(std::string(c.svp.begin(), c.svp.end()), Not(HasSubstr("f0.h")));
  EXPECT_THAT(explain_text(c.file), Not(HasSubstr("example")));
}

// A name may be any bytes: neither the notes nor what is printed of them may fail on it, or hand it to a
// terminal.
TEST(Example, NamesThatAreNotText) {
  const std::string calls =
      "openat(AT_FDCWD, \"/\xff\x1b[31m%d\", O_RDONLY) = 3\n"
      "newfstatat(3, \"\", {st_mode=S_IFREG|0644, st_size=2}, AT_EMPTY_PATH) = 0\n"
      "read(3, buf, 4096) = 2\nread(3, buf, 4096) = 0\nclose(3) = 0\n";
  const std::string always =
      "openat(AT_FDCWD, \"/\xff\x1b[32m\", O_RDONLY) = 3\nread(3, buf, 4096) = -5\nclose(3) = 0\n";
  const Compiled c = compiled(repeated(20, calls) + repeated(20, always));
  const std::string text = explain_text(c.file), json = explain_json(c.file);
  EXPECT_THAT(text, HasSubstr("\\377\\033[31m0"));
  for (const std::string& shown : {text, json})
    for (const char byte : shown)
      EXPECT_TRUE(byte == '\n' || (byte >= 32 && byte < 127)) << static_cast<int>(byte);
}

struct Hostile {
  const char* what;
  std::string notes;
};

class HostileNotes : public testing::TestWithParam<Hostile> {};

TEST_P(HostileNotes, AreBoundedEscapedAndNeverBelieved) {
  ProcedureFile file = compiled(repeated(20, kGrepFile)).file;
  file.notes = GetParam().notes;
  const Result<std::vector<uint8_t>> bytes = write_svp(file);
  ASSERT_TRUE(bytes) << bytes.message();  // the checks of a file do not look into its notes
  for (const std::string& shown : {explain_text(file), explain_json(file)}) {
    EXPECT_LT(shown.size(), 40'000u);
    for (const char byte : shown)
      ASSERT_TRUE(byte == '\n' || (byte >= 32 && byte < 127)) << static_cast<int>(byte);
  }
}

std::string notes_with(const nlohmann::json& example) {
  const std::string name = "openat: newfstatat read+end";
  return nlohmann::json{
      {"procedures", {{{"name", name}, {"hits", "many"}, {"saved_ns", 1e300}, {"example", example}}}}}
      .dump();
}

std::string call_notes(const std::string& text, const nlohmann::json& by = 0) {
  return notes_with({{"calls", {{{"call", text}, {"by", by}}}}, {"more", 3}});
}

INSTANTIATE_TEST_SUITE_P(
    All, HostileNotes,
    testing::Values(
        Hostile{"not_json", "{\"procedures\": ["}, Hostile{"not_an_object", "[1, 2]"},
        Hostile{"of_wrong_types",
                "{\"procedures\": [{\"name\": 7, \"hits\": {}}], \"dropped\": [3, {\"seen\": []}]}"},
        Hostile{"deep", "{\"dropped\": " + std::string(200'000, '[') + std::string(200'000, ']') + "}"},
        Hostile{"deep_inside", "{\"dropped\": [{\"reason\": " + std::string(200'000, '[') +
                                   std::string(200'000, ']') + "}]}"},
        Hostile{"escapes", call_notes("\x1b]0;owned\x07\x1b[2J\r\n\x7f")},
        Hostile{"long_text", call_notes(std::string(1'000'000, 'x'))},
        Hostile{"a_follower_that_is_not_there", call_notes("read()", 63)},
        Hostile{"a_huge_follower", call_notes("read()", 1'000'000'000'000)},
        Hostile{"a_follower_of_another_type", call_notes("read()", "first")},
        Hostile{"many_calls",
                notes_with({{"calls", std::vector<nlohmann::json>(100'000, {{"call", "read()"}})}})},
        Hostile{"calls_of_wrong_types", notes_with({{"calls", {1, nullptr, {{"call", 5}}}}, {"more", -1}})}),
    [](const auto& info) { return std::string(info.param.what); });

TEST(Explain, ShowsAProcedureBesideItsCalls) {
  expect_golden("explain_grep", explain_text(compiled(repeated(20, kGrepFile)).file));
}
TEST(Explain, ShowsALoopBesideItsCalls) {
  expect_golden("explain_find_ls", explain_text(compiled(repeated(20, kFindLs)).file));
}
TEST(Explain, ShowsWhatIsDoneBehindALock) {
  expect_golden(
      "explain_select",
      explain_text(compiled("openat(AT_FDCWD, \"/var/t.db\", O_RDWR) = 3\n" + repeated(20, kSelect)).file));
}

}  // namespace
}  // namespace sysvm
