// SPDX-License-Identifier: MIT
// Names that a program keeps in a row in memory: what is learned from pointers and lengths, and what comes of
// it.
#include "optimizer/learn/rows.h"

#include <gtest/gtest.h>

#include "optimizer/make/emit.h"
#include "optimizer/optimizer.h"
#include "optimizer/prove/names_in_memory.h"
#include "optimizer/prove/replay.h"
#include "procedures/assembler.h"
#include "procedures/text.h"
#include "tests/optimizer/golden.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

constexpr uint64_t kPool = 0x7f0000001004, kBuffer = 0x550000000100;

// Names of several lengths in folders of six.
std::vector<std::string> names(int n, const std::string& top = "d") {
  std::vector<std::string> out;
  for (int i = 0; i < n; ++i)
    out.push_back(top + std::to_string(i / 6) + (i / 6 % 2 ? "/sub/f" : "/f") +
                  std::string(static_cast<size_t>(i) % 5, 'x') + std::to_string(i));
  return out;
}

uint64_t in_pool(uint64_t p, const std::string& name, const RowRelation& row) {
  return p + ((name.size() + row.gap) & ~row.mask);
}

// A program that asks about each name, and with care about each directory on the way first.
class Program {
 public:
  explicit Program(RowRelation row = {116, 7}) : row_(row) {}
  void look(const std::string& path, uint64_t pointer, bool folder = false) {
    text_ += "newfstatat(AT_FDCWD, \"" + path + "\", {st_mode=" + (folder ? "S_IFDIR" : "S_IFREG") +
             "|0644, st_size=9}, AT_SYMLINK_NOFOLLOW) = 0\n";
    pointers_.push_back(pointer);
  }
  void other(const std::string& call) {
    text_ += call + "\n";
    pointers_.push_back(0);
  }
  void names(const std::vector<std::string>& all, bool care = true) {
    std::string before;
    for (const std::string& name : all) {
      for (size_t i = 0; care && i < name.size(); ++i)
        if (name[i] == '/' && before.compare(0, i + 1, name, 0, i + 1) != 0)
          look(name.substr(0, i), kBuffer, true);
      look(name, next_);
      next_ = in_pool(next_, name, row_);
      before = name;
    }
  }
  void jump(uint64_t to) { next_ = to; }
  Trace trace() const {
    Trace t = recording(text_);
    for (size_t i = 0; i < pointers_.size(); ++i)
      if (pointers_[i]) t.events.at(i).args[1] = pointers_[i];
    return t;
  }

 private:
  RowRelation row_;
  uint64_t next_ = kPool;
  std::string text_;
  std::vector<uint64_t> pointers_;
};

std::optional<Rows> rows_in(const PackedTrace& trace) {
  const std::vector<Stream> streams = split_into_streams({&trace});
  std::vector<const Stream*> all;
  for (const Stream& s : streams) all.push_back(&s);
  return find_rows(all, {}, 4);
}

TEST(Rows, TheGapIsLearnedFromPointersAndLengths) {
  for (const RowRelation& row :
       {RowRelation{116, 7}, RowRelation{8, 7}, RowRelation{40, 15}, RowRelation{1, 0}, RowRelation{33, 0}}) {
    Program p(row);
    p.names(names(60));
    const PackedTrace trace = packed(p.trace());
    const std::optional<Rows> rows = rows_in(trace);
    ASSERT_TRUE(rows) << row.gap;
    EXPECT_EQ(rows->shape.row->gap, row.gap);
    EXPECT_EQ(rows->shape.row->mask, row.mask);
    EXPECT_EQ(rows->shape.calls.at(0).sources.key, "newfstatat(AT_FDCWD, next in memory, buf, 0x100)");
  }
}

TEST(Rows, AnotherBlockOfMemoryEndsARow) {
  Program p;
  p.names(names(60, "a"));
  p.jump(kPool + 0x100000);
  p.names(names(60, "b"));
  const std::optional<Rows> rows = rows_in(packed(p.trace()));
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->rows, 2u);
  // The first name of a row, and the directory on the way to it, show nothing.
  EXPECT_EQ(rows->shape.visits, 2u * (59 + 14));
}

TEST(Rows, WhereItHasHeldItMustHoldAgainForNineInTen) {
  for (const int wrong : {3, 20}) {
    Program p;
    for (int i = 0; i < 60; ++i) {
      p.names({names(60)[static_cast<size_t>(i)]}, false);
      if (i % (60 / wrong) == 0) p.jump(kPool + 0x100000 * static_cast<uint64_t>(i + 1));
    }
    EXPECT_EQ(rows_in(packed(p.trace())).has_value(), wrong == 3) << wrong;
  }
}

// The first four fifths keep to the relation; in the rest it holds for two names, and never for a third.
TEST(Rows, WhatFailsOnTheHeldOutPartIsNotLearned) {
  Program p;
  p.names(names(200));
  for (int i = 0; i < 30; ++i) {
    p.jump(kPool + 0x100000 * static_cast<uint64_t>(i + 1));
    p.names({"e/" + std::to_string(i), "e/" + std::to_string(i + 100)}, false);
  }
  EXPECT_FALSE(rows_in(packed(p.trace())));
}

TEST(Rows, OneBufferIsNoRow) {
  Program p;
  for (const std::string& name : names(60)) p.look(name, kBuffer);
  EXPECT_FALSE(rows_in(packed(p.trace())));
}

TEST(Rows, ARecordingWithoutPointersHasNone) {
  Program p;
  for (const std::string& name : names(60)) p.look(name, 0);
  EXPECT_FALSE(rows_in(packed(p.trace())));
}

TEST(Rows, NamesThatTheRuntimeDoesNotFollow) {
  for (const char* no : {"", "/a", "a/", "./a", "a/../b", "a//b", "a/.", "a\nb"})
    EXPECT_FALSE(is_row_name(no)) << no;
  for (const char* yes : {"a", "a/b", ".a/b", "..a", "a/...", "a b"}) EXPECT_TRUE(is_row_name(yes)) << yes;
  EXPECT_FALSE(is_row_name(std::string(256, 'a')));
}

TEST(Rows, StagesToByteCode) {
  Program p;
  p.names(names(60));
  const PackedTrace trace = packed(p.trace());
  const std::optional<Rows> rows = rows_in(trace);
  ASSERT_TRUE(rows);
  Result<Emitted> emitted = emit_loop(rows->shape, "aabb", rows->shape.visits, true);
  ASSERT_TRUE(emitted) << emitted.message();
  const Result<std::vector<uint8_t>> code = assemble(emitted->text);
  ASSERT_TRUE(code) << code.message();
  emitted->proc.code = *code;
  expect_golden("row", rows->shape.key + "\ncode\n" + emitted->text + to_text(emitted->proc));
}

Result<Compiled> compiled(const Trace& trace) { return compile({&trace}, {}); }

TEST(Rows, AreMadeIntoAProcedureThatAnswersAnotherRecording) {
  Program p, other;
  p.names(names(120));
  other.names(names(90, "other"));
  const Trace trace = p.trace(), second = other.trace();
  const Result<Compiled> c = compiled(trace);
  ASSERT_TRUE(c) << c.message();
  ASSERT_EQ(c->emitted.size(), 1u);
  EXPECT_EQ(c->emitted[0].name, "row(newfstatat)");
  EXPECT_LE(c->predicted_entries, 5u);
  const Result<Replay> r = replay(c->svp, {&second});
  ASSERT_TRUE(r) << r.message();
  EXPECT_EQ(r->wrong, 0u) << r->wrong_why;
  EXPECT_EQ(r->forwarded + r->runs, 3u) << "a directory, a name, and the run that the second begins";
  EXPECT_LE(r->ahead - r->used, 4u) << "the directories on the way to where the run begins";
}

// A program that does not look at directories pays for the looks that make it safe.
TEST(Rows, LooksThatTheProgramDoesNotMakeAreCounted) {
  Program p;
  p.names(names(120), false);
  const Trace trace = p.trace();
  const Result<Compiled> c = compiled(trace);
  ASSERT_TRUE(c) << c.message();
  ASSERT_EQ(c->emitted.size(), 1u);
  EXPECT_GE(c->emitted[0].unused, 30u) << "20 folders, every second has another in it";
  const Result<Replay> r = replay(c->svp, {&trace});
  ASSERT_TRUE(r) << r.message();
  EXPECT_GE(r->ahead - r->used, 30u);
  EXPECT_EQ(r->wrong, 0u) << r->wrong_why;
}

TEST(Rows, NewsBetweenNamesLeavesNothingToGain) {
  Program p;
  for (const std::string& name : names(60)) {
    p.names({name}, false);
    p.other("write(1, buf, 1) = 1");
  }
  const Result<Compiled> c = compiled(p.trace());
  ASSERT_TRUE(c) << c.message();
  EXPECT_TRUE(c->emitted.empty());
}

// What lies in memory is what was passed first at each place, and what is passed now at the present one.
TEST(NamesInMemory, HoldsEachNameWhereItLay) {
  Program p;
  p.names(names(20), false);
  p.look("again", kPool);
  const PackedTrace trace = packed(p.trace());
  std::vector<const PackedEvent*> events;
  for (const PackedEvent& e : trace.events) events.push_back(&e);
  NamesInMemory memory(trace, events);
  uint64_t theirs = kPool, ours = memory.at(kPool, names(20)[0].c_str(), 0);
  EXPECT_EQ(ours % 4096, kPool % 4096);
  for (const std::string& name : names(20)) {
    EXPECT_STREQ(reinterpret_cast<const char*>(ours + theirs - kPool), name.c_str());
    theirs = in_pool(theirs, name, {116, 7});
  }
  EXPECT_STREQ(reinterpret_cast<const char*>(ours + theirs - kPool), "") << "behind the last";
  EXPECT_EQ(memory.at(kPool, "again", 0), ours);
  EXPECT_STREQ(reinterpret_cast<const char*>(ours), "again");
}

TEST(NamesInMemory, OneBufferHasNothingBehindIt) {
  Program p;
  for (const std::string& name : names(20)) p.look(name, kBuffer);
  const PackedTrace trace = packed(p.trace());
  std::vector<const PackedEvent*> events;
  for (const PackedEvent& e : trace.events) events.push_back(&e);
  NamesInMemory memory(trace, events);
  const uint64_t first = memory.at(kBuffer, "a/long/name", 0);
  const uint64_t second = memory.at(kBuffer, "b", 1);
  EXPECT_NE(first, second) << "both strings of one call";
  EXPECT_EQ(memory.at(kBuffer, "c", 0), first);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(first), 12), "c" + std::string(11, '\0'))
      << "nothing of what was there";
}

}  // namespace
}  // namespace sysvm
