// SPDX-License-Identifier: MIT
// Which paths ask for the next entry of a directory, call by call; and what mine makes of it.
#include "optimizer/mine/entry_names.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "optimizer/base/calls.h"
#include "optimizer/mine/mine.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

// What the nth getdents64 of the recording gave, as the recorder keeps it: {u8 d_type, name, 0} for each
// entry.
void gives(Trace& trace, size_t nth, const std::vector<std::string>& names) {
  for (Event& e : trace.events) {
    if (call_name(static_cast<uint32_t>(e.nr)) != "getdents64" || nth--) continue;
    std::string bytes;
    for (const std::string& name : names) bytes += '\10' + name + '\0';
    e.data_kind = DataKind::kDirent;
    e.flags |= kHasData;
    e.data = static_cast<uint32_t>(trace.strings.size());
    trace.strings.push_back(bytes);
    return;
  }
  FAIL() << "no such getdents64";
}

std::string asked(const Trace& trace) {
  EntryNames names;
  std::string out;
  for (const Event& e : trace.events) {
    const bool next = names.next(e, trace.strings);
    if (e.path[0] != kNoString) out += next ? 'y' : 'n';
  }
  return out;
}

constexpr const char* kOpen =
    "openat(AT_FDCWD, \"d\", O_RDONLY|O_DIRECTORY) = 3\ngetdents64(3, buf, 100) = 24\n";

TEST(EntryNames, InTheirOrderEachAsOftenAsOneLikes) {
  Trace trace = recording(
      std::string(kOpen) +
      "newfstatat(3, \"a\", buf, 0) = 0\nopenat(3, \"a\", O_RDONLY) = 4\nnewfstatat(3, \"c\", buf, 0) = 0\n"
      "newfstatat(3, \"b\", buf, 0) = 0\nnewfstatat(3, \"x\", buf, 0) = 0\nnewfstatat(3, \".\", buf, 0) = 0\n");
  gives(trace, 0, {".", "..", "a", "b", "c"});
  EXPECT_EQ(asked(trace), "nyyynnn");
}

TEST(EntryNames, BelowThePathThatWasOpened) {
  Trace trace =
      recording(std::string(kOpen) +
                "close(3) = 0\nlstat(\"d/a\", buf) = 0\nlstat(\"a\", buf) = 0\nlstat(\"e/b\", buf) = 0\n"
                "newfstatat(3, \"b\", buf, 0) = 0\nchdir(\"e\") = 0\nlstat(\"d/b\", buf) = 0\n");
  gives(trace, 0, {"a", "b"});
  EXPECT_EQ(asked(trace), "nynnnnn");
}

TEST(EntryNames, FromACopyOfTheDescriptor) {
  Trace trace = recording(
      "openat(AT_FDCWD, \"d\", O_RDONLY|O_DIRECTORY) = 3\nfcntl(3, F_DUPFD_CLOEXEC, 3) = 4\ngetdents64(3, buf, 100) = 24\n"
      "close(3) = 0\nnewfstatat(4, \"a\", buf, 0) = 0\nopenat(4, \"b\", O_RDONLY) = 3\nnewfstatat(3, \"a\", buf, 0) = 0\n"
      "getppid() = 1\nopenat(AT_FDCWD, \"f\", O_RDONLY) = 4\nnewfstatat(4, \"b\", buf, 0) = 0\n");
  gives(trace, 0, {"a", "b"});
  EXPECT_EQ(asked(trace), "nyynnn");
}

// As fts does, which keeps few descriptors and comes back by "..".
TEST(EntryNames, FromAnotherDescriptorOfTheSameDirectory) {
  Trace trace = recording(
      "openat(AT_FDCWD, \"d\", O_RDONLY|O_DIRECTORY) = 3\nnewfstatat(3, \"\", {st_mode=S_IFDIR}, AT_EMPTY_PATH) = 0\n"
      "getdents64(3, buf, 100) = 24\nclose(3) = 0\nopenat(4, \"..\", O_RDONLY|O_DIRECTORY) = 5\n"
      "newfstatat(5, \"a\", buf, 0) = 0\nnewfstatat(5, \"\", {st_mode=S_IFDIR}, AT_EMPTY_PATH) = 0\n"
      "newfstatat(5, \"b\", buf, 0) = 0\n");
  gives(trace, 0, {"a", "b"});
  Trace other = trace;
  EXPECT_EQ(asked(trace), "nnnnny");
  other.events[6].st_ino++;
  EXPECT_EQ(asked(other), "nnnnnn");
}

TEST(EntryNames, ADirectoryThatIsReadAgain) {
  Trace trace = recording(
      std::string(kOpen) +
      "newfstatat(3, \"b\", buf, 0) = 0\ngetdents64(3, buf, 100) = 24\nnewfstatat(3, \"a\", buf, 0) = 0\n");
  gives(trace, 0, {".", "..", "a", "b"});
  Trace more = trace;
  gives(trace, 1, {".", "..", "a", "b"});
  EXPECT_EQ(asked(trace), "nyy");
  gives(more, 1, {"c"});
  EXPECT_EQ(asked(more), "nyn");
}

TEST(EntryNames, ADirectoryThatIsReadInParts) {
  Trace trace = recording(
      std::string(kOpen) +
      "newfstatat(3, \"a\", buf, 0) = 0\ngetdents64(3, buf, 100) = 24\nnewfstatat(3, \"b\", buf, 0) = 0\n"
      "newfstatat(3, \"a\", buf, 0) = 0\n");
  gives(trace, 0, {"a"});
  gives(trace, 1, {"b"});
  EXPECT_EQ(asked(trace), "nyyn");
}

TEST(EntryNames, WhatMayHaveBeenCutOffIsNoCounterExample) {
  const std::string text =
      "openat(AT_FDCWD, \"d\", O_RDONLY|O_DIRECTORY) = 3\ngetdents64(3, buf, 100) = 48\n"
      "newfstatat(3, \"b\", buf, 0) = 0\nnewfstatat(3, \"c\", buf, 0) = 0\nnewfstatat(3, \"a\", buf, 0) = 0\n";
  Trace whole = recording(text), cut = recording(text);
  gives(whole, 0, {"a", "b"});  // two records of 24 bytes
  EXPECT_EQ(asked(whole), "nynn");
  gives(cut, 0, {"a", "b"});
  cut.strings.back().pop_back();
  EXPECT_EQ(asked(cut), "nyyy");
}

TEST(EntryNames, EachThreadHasReadItsOwn) {
  Trace trace = recording(kOpen);
  add_calls(trace, "newfstatat(3, \"a\", buf, 0) = 0\n", 200, 200);
  add_calls(trace, "newfstatat(3, \"a\", buf, 0) = 0\n");
  gives(trace, 0, {"a"});
  EXPECT_EQ(asked(trace), "nny");
}

// Ten directories with three names each, all looked at.
Trace listing(const std::vector<std::string>& order) {
  std::string text;
  for (int i = 0; i < 10; ++i) {
    text += "openat(AT_FDCWD, \"d" + std::to_string(i) +
            "\", O_RDONLY|O_DIRECTORY) = 3\ngetdents64(3, buf, 100) = 24\n" + "getdents64(3, buf, 100) = 0\n";
    for (const std::string& name : order)
      text += "newfstatat(3, \"" + name + std::to_string(i) + "\", buf, 0) = 0\n";
    text += "close(3) = 0\n";
  }
  Trace trace = recording(text);
  for (size_t i = 0; i < 10; ++i) {
    const std::string n = std::to_string(i);
    gives(trace, 2 * i, {"a" + n, "b" + n, "c" + n, "d" + n});
  }
  return trace;
}

TEST(Flow, TheNextEntryOfADirectory) {
  const Trace in_order = listing({"a", "c", "d"}), sorted = listing({"d", "a", "c"});
  const MineReport r = mine({&in_order}), other = mine({&sorted});
  ASSERT_FALSE(r.sequences.empty());
  EXPECT_EQ(r.sequences[0].calls[3].text(), "newfstatat(#0, d_name, buf, 0) = 0");
  EXPECT_EQ(r.known, r.calls - 10);  // the opens are the triggers
  ASSERT_FALSE(other.sequences.empty());
  EXPECT_LT(other.known, r.known);
}

// The first round of the inner loop says where the descriptor is from; the others are asked too before they
// count.
TEST(Flow, TheRoundsOfAnInnerLoopAreLookedAt) {
  std::string same, varying;
  for (int i = 0; i < 12; ++i) {
    const std::string open = "openat(4, \"d" + std::to_string(i) + "\", O_RDONLY) = 3\n";
    same += open, varying += open;
    for (int j = 0; j < 3 + i % 3; ++j) {
      same += "lseek(3, 10, 0) = 10\n";
      varying += "lseek(3, " + std::to_string(j ? i * 7 + j * j : 10) + ", 0) = 10\n";
    }
    same += "close(3) = 0\n", varying += "close(3) = 0\n";
  }
  const Trace as = recording(same), bs = recording(varying);
  const MineReport a = mine({&as}), b = mine({&bs});
  ASSERT_FALSE(a.sequences.empty());
  ASSERT_FALSE(b.sequences.empty());
  EXPECT_EQ(a.sequences[0].calls[1].text(), "lseek(#0, 10, 0) = 10");
  EXPECT_EQ(b.sequences[0].calls[1].text(), "lseek(#0, 10, 0) = 10");
  EXPECT_EQ(a.known, a.calls - 12);
  EXPECT_EQ(b.known, 24u);  // the first of the loop, and close
}

TEST(Flow, TheSameAsInTheRoundBefore) {
  std::string text;
  for (int i = 0; i < 6; ++i) {
    for (int j = 0; j < 4 + i; ++j)
      text += "lseek(" + std::to_string(5 + i) + ", " + std::to_string(i * 100 + j * 8) + ", 0) = 1\n";
    text += "-- a signal\n";
  }
  const Trace trace = recording(text);
  const MineReport r = mine({&trace});
  ASSERT_FALSE(r.sequences.empty());
  EXPECT_EQ(r.sequences[0].calls[0].text(), "lseek(same, +8, 0) = 1");
  EXPECT_EQ(r.known, r.sequences[0].events - 6);
}

TEST(Flow, TheModeThatStatTold) {
  Trace trace = recording(
      repeated(12, "newfstatat(AT_FDCWD, \"%d\", {st_mode=S_IFREG, st_size=3}, 0) = 0\nfchmod(3, 0) = 0\n"));
  for (size_t i = 0; i < trace.events.size(); i += 2) {
    trace.events[i].st_mode = S_IFREG | (i % 4 ? 0644 : 0755);
    trace.events[i + 1].args[1] = i % 4 ? 0644 : 0755;
  }
  const MineReport r = mine({&trace});
  ASSERT_FALSE(r.sequences.empty());
  EXPECT_EQ(r.sequences[0].calls[1].text(), "fchmod(3, #0.st_mode) = 0");
}

}  // namespace
}  // namespace sysvm
