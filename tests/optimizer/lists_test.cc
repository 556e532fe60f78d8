// SPDX-License-Identifier: MIT
// From recorded calls to a list: each path once, in order, with the part that was read, as the files are now.
#include "optimizer/lists/lists.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "optimizer/lists/cold.h"
#include "optimizer/lists/resolver.h"
#include "optimizer/optimizer.h"
#include "procedures/reader.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

class Lists : public testing::Test {
 protected:
  Lists() {
    char name[] = "/tmp/sysvm-lists-XXXXXX";
    root_ = std::filesystem::canonical(::mkdtemp(name));
    for (int i = 0; i < 40; ++i) std::ofstream(root_ + "/f" + std::to_string(i)) << std::string(5000, 'x');
  }
  ~Lists() override { std::filesystem::remove_all(root_); }

  // 40 files, each looked at: enough for a list. Then text, with "/R" for the root.
  std::vector<PrefetchList> lists(std::string text, const std::string& cwd = "/") const {
    std::string all;
    for (int i = 0; i < 40; ++i)
      all += "newfstatat(AT_FDCWD, \"/R/f" + std::to_string(i) + "\", {st_size=5000}, 0) = 0\n";
    all += text;
    for (size_t at; (at = all.find("/R")) != std::string::npos;) all.replace(at, 2, root_);
    Trace trace = recording(all);
    trace.header.cwd = cwd;
    for (Process& p : trace.processes) p.execed = true, p.argv = {"app", "x"}, p.exe = "/bin/app";
    return lists_of({&trace});
  }
  const ListItem* find(const std::vector<PrefetchList>& all, const std::string& path) const {
    for (const PrefetchList& list : all)
      for (const ListItem& item : list.items)
        if (item.path == path) return &item;
    return nullptr;
  }

  std::string root_;
};

TEST_F(Lists, FewFilesMakeNone) {
  Trace trace = recording("newfstatat(AT_FDCWD, \"" + root_ + "/f1\", {st_size=5000}, 0) = 0\n");
  for (Process& p : trace.processes) p.execed = true;
  EXPECT_TRUE(lists_of({&trace}).empty());
}

TEST_F(Lists, EachPathOnceInOrder) {
  const auto all = lists("newfstatat(AT_FDCWD, \"/R/f3\", {st_size=5000}, 0) = 0\n");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].name, "app");
  EXPECT_EQ(all[0].exe, "aabb");
  EXPECT_EQ(all[0].command, command_checksum({"app", "x"}));
  ASSERT_EQ(all[0].items.size(), 40u);
  for (int i = 0; i < 40; ++i) EXPECT_EQ(all[0].items[i].path, root_ + "/f" + std::to_string(i));
}

TEST_F(Lists, TheCommandIsAsProcHasIt) {
  const std::string words("app\0x\0", 6);
  EXPECT_EQ(command_checksum({"app", "x"}), svp_checksum(words.data(), words.size(), SVP_CHECKSUM_START));
}

TEST_F(Lists, ThePartThatWasReadIsKeptWithSizeAndTime) {
  const auto all = lists(
      "openat(AT_FDCWD, \"/R/f1\", O_RDONLY) = 3\n"
      "lseek(3, 1000, SEEK_SET) = 1000\n"
      "read(3, buf, 512) = 512\n"
      "read(3, buf, 512) = 512\n"
      "close(3) = 0\n"
      "openat(AT_FDCWD, \"/R/f2\", O_RDONLY) = 3\n"
      "pread64(3, buf, 100, 4950) = 100\n"
      "close(3) = 0\n"
      "openat(AT_FDCWD, \"/R/f4\", O_RDONLY) = 3\n"
      "mmap(0, 8192, PROT_READ, MAP_PRIVATE, 3, 0) = 4096\n"
      "close(3) = 0\n");
  struct stat st {};
  ASSERT_EQ(::stat((root_ + "/f1").c_str(), &st), 0);
  const ListItem* f1 = find(all, root_ + "/f1");
  ASSERT_TRUE(f1);
  EXPECT_EQ(f1->kind, SVP_ITEM_FILE);
  EXPECT_EQ(f1->from, 1000u);
  EXPECT_EQ(f1->length, 1024u);
  EXPECT_EQ(f1->size, 5000u);
  EXPECT_EQ(f1->mtime, st.st_mtim.tv_sec);
  EXPECT_EQ(f1->mtime_ns, st.st_mtim.tv_nsec);
  EXPECT_EQ(find(all, root_ + "/f2")->from, 4950u);
  EXPECT_EQ(find(all, root_ + "/f2")->length, 50u) << "no further than the file";
  EXPECT_EQ(find(all, root_ + "/f4")->length, 5000u);
  EXPECT_EQ(find(all, root_ + "/f5")->kind, SVP_ITEM_NAME);
}

// fts goes down and up again through "..": the folder's name must not grow with each step.
TEST_F(Lists, AProgramThatComesBackIsWhereItWas) {
  std::filesystem::create_directory(root_ + "/sub");
  std::ofstream(root_ + "/late") << "x";
  std::string text;
  for (int i = 0; i < 1000; ++i)
    text +=
        "openat(AT_FDCWD, \".\", O_RDONLY) = 5\n"
        "openat(AT_FDCWD, \"sub\", O_RDONLY|O_DIRECTORY) = 3\nfchdir(3) = 0\nclose(3) = 0\n"
        "openat(AT_FDCWD, \"..\", O_RDONLY) = 3\nfchdir(3) = 0\nclose(3) = 0\n"
        "openat(AT_FDCWD, \"sub\", O_RDONLY|O_DIRECTORY) = 3\nfchdir(3) = 0\nclose(3) = 0\n"
        "fchdir(5) = 0\nclose(5) = 0\n";
  const auto all = lists(text + "newfstatat(AT_FDCWD, \"late\", {st_size=1}, 0) = 0\n", root_);
  EXPECT_TRUE(find(all, "late")) << "its name had more than PATH_MAX bytes by then";
}

TEST_F(Lists, OfAMappedFileTheListHasWhatLiesInMemory) {
  const std::string path = root_ + "/mapped";
  std::ofstream(path) << std::string(8 << 20, 'x');
  const int fd = ::open(path.c_str(), O_RDWR);
  ASSERT_EQ(::fsync(fd), 0);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
  if (!in_memory(path, {0, 8 << 20}).empty()) GTEST_SKIP() << "its pages stay in memory here";
  char buffer[8192];
  ASSERT_EQ(::pread(fd, buffer, sizeof buffer, 0), ssize_t{sizeof buffer});
  ASSERT_EQ(::pread(fd, buffer, sizeof buffer, 4 << 20), ssize_t{sizeof buffer});
  ::close(fd);
  const auto all = lists(
      "openat(AT_FDCWD, \"/R/mapped\", O_RDONLY) = 3\n"
      "mmap(0, 8388608, PROT_READ, MAP_PRIVATE, 3, 0) = 4096\n");
  std::vector<ListItem> parts;
  for (const ListItem& item : all.at(0).items)
    if (item.path == path) parts.push_back(item);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].from, 0u);
  EXPECT_EQ(parts[1].from, 4u << 20);
  EXPECT_LT(parts[0].length + parts[1].length, 1u << 20);
}

TEST_F(Lists, DirectoriesThatWereReadAndNamesBelowThem) {
  ::mkdir((root_ + "/d").c_str(), 0755);
  std::ofstream(root_ + "/d/in") << "x";
  const auto all = lists(
      "openat(AT_FDCWD, \"/R/d\", O_RDONLY|O_DIRECTORY) = 3\n"
      "getdents64(3, buf, 32768) = 48\n"
      "newfstatat(3, \"in\", {st_size=1}, 0) = 0\n"
      "close(3) = 0\n");
  ASSERT_TRUE(find(all, root_ + "/d"));
  EXPECT_EQ(find(all, root_ + "/d")->kind, SVP_ITEM_DIRECTORY);
  EXPECT_TRUE(find(all, root_ + "/d/in"));
}

TEST_F(Lists, NamesBelowTheWorkingDirectoryCountFromIt) {
  const auto all = lists("newfstatat(AT_FDCWD, \"gone\", {st_size=1}, 0) = -1\n", root_);
  EXPECT_TRUE(find(all, "f7"));
  EXPECT_TRUE(find(all, "gone")) << "that it is not there is asked again";
}

TEST_F(Lists, LinksAreResolved) {
  ::mkdir((root_ + "/real").c_str(), 0755);
  std::ofstream(root_ + "/real/in") << "x";
  ASSERT_EQ(::symlink("real", (root_ + "/way").c_str()), 0);
  ASSERT_EQ(::symlink("real/in", (root_ + "/end").c_str()), 0);
  const auto all = lists(
      "newfstatat(AT_FDCWD, \"/R/way/in\", {st_size=1}, 0) = 0\n"
      "newfstatat(AT_FDCWD, \"/R/end\", {st_size=1}, AT_SYMLINK_NOFOLLOW) = 0\n");
  EXPECT_TRUE(find(all, root_ + "/real/in"));
  EXPECT_FALSE(find(all, root_ + "/way/in"));
  EXPECT_TRUE(find(all, root_ + "/end"));
}

TEST_F(Lists, WhatIsNoFileIsLeftOut) {
  const auto all = lists(
      "newfstatat(AT_FDCWD, \"/proc/self/status\", {st_size=0}, 0) = 0\n"
      "newfstatat(AT_FDCWD, \"/dev/null\", {st_size=0}, 0) = 0\n"
      "newfstatat(AT_FDCWD, \"/no/such/directory\", {st_size=0}, 0) = -1\n");
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].items.size(), 40u);
}

TEST_F(Lists, OtherThreadsAreLeftOut) {
  Trace trace =
      recording(repeated(40, "newfstatat(AT_FDCWD, \"" + root_ + "/f%d\", {st_size=5000}, 0) = 0\n"));
  for (Event& e : trace.events) e.tid = 7;
  for (Process& p : trace.processes) p.execed = true;
  EXPECT_TRUE(lists_of({&trace}).empty());
}

TEST_F(Lists, AWalkHasNone) {
  std::string text =
      "openat(AT_FDCWD, \"" + root_ + "\", O_RDONLY|O_DIRECTORY) = 3\ngetdents64(3, buf, 32768) = 48\n";
  for (int i = 0; i < 3000; ++i)
    text += "newfstatat(3, \"f" + std::to_string(i) + "\", {st_size=5000}, 0) = 0\n";
  Trace trace = recording(text);
  for (Process& p : trace.processes) p.execed = true;
  std::vector<DroppedList> dropped;
  EXPECT_TRUE(lists_of({&trace}, &dropped).empty());
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_NE(dropped[0].reason.find("guessed"), std::string::npos);
}

TEST_F(Lists, OneCommandRecordedTwiceHasOne) {
  Trace a = recording(repeated(40, "newfstatat(AT_FDCWD, \"" + root_ + "/f%d\", {st_size=5000}, 0) = 0\n"));
  for (Process& p : a.processes) p.execed = true;
  const Trace b = a;
  const auto all = lists_of(std::vector<const Trace*>{&a, &b});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].seen, 2u);
}

// The second one ends first, so its list is made first.
TEST_F(Lists, OfTwoThatRanAtOnceTheOneThatBeganFirstHasIt) {
  Trace trace = recording("newfstatat(AT_FDCWD, \"" + root_ + "/f0\", {st_size=5000}, 0) = 0\n");
  for (int i = 39; i >= 0; --i)
    add_calls(trace, "newfstatat(AT_FDCWD, \"" + root_ + "/f" + std::to_string(i) + "\", {}, 0) = 0\n", 200,
              200);
  for (int i = 1; i < 40; ++i)
    add_calls(trace, "newfstatat(AT_FDCWD, \"" + root_ + "/f" + std::to_string(i) + "\", {}, 0) = 0\n");
  trace.processes.push_back(trace.processes[0]);
  trace.processes[1].pid = 200;
  for (Process& p : trace.processes) p.execed = true;
  const auto all = lists_of({&trace});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].seen, 2u);
  ASSERT_EQ(all[0].items.size(), 40u);
  EXPECT_EQ(all[0].items[0].path, root_ + "/f0");
}

TEST_F(Lists, ALongWalkIsOneWhateverComesAfterIt) {
  Trace trace = recording("openat(AT_FDCWD, \"" + root_ +
                          "\", O_RDONLY|O_DIRECTORY) = 3\ngetdents64(3, buf, 32768) = 48\n"
                          "newfstatat(3, \"name\", {st_size=5000}, 0) = 0\n");
  for (Process& p : trace.processes) p.execed = true;
  const Event call = trace.events.back();
  for (uint32_t i = 0; i < 180'000; ++i) {
    Event e = call;
    e.seq = call.seq + i;
    e.path[0] = static_cast<uint32_t>(trace.strings.size());
    trace.strings.push_back((i < 140'000 ? "n" : "/usr/n") + std::to_string(i));
    trace.events.push_back(e);
  }
  std::vector<DroppedList> dropped;
  EXPECT_TRUE(lists_of({&trace}, &dropped).empty());
  EXPECT_EQ(dropped.size(), 1u);
}

TEST_F(Lists, WaitingIsWhatIsBeyondAHotCall) {
  Trace trace =
      recording(repeated(40, "newfstatat(AT_FDCWD, \"" + root_ + "/f%d\", {st_size=5000}, 0) = 0\n"));
  for (Process& p : trace.processes) p.execed = true;
  trace.events[3].dur_ns = kWaitNs + 1000;
  trace.events[4].dur_ns = kWaitNs - 1000;
  EXPECT_EQ(lists_of({&trace})[0].waited_ns, 1000u);
}

// Of 60 calls 40 take 1 us, and 20 take 101: of these 2 ms are waited.
ColdOutlook one_in_three_waits(const std::string& text) {
  Trace trace = recording(text);
  const size_t first = trace.events.size() - 60;  // before it, an open
  for (size_t i = 0; i < trace.events.size(); ++i)
    trace.events[i].dur_ns = i >= first && i % 3 == 2 ? 101'000 : 1'000;
  trace.stats.emplace().wall_ns = 10'000'000;
  const PackedTrace all = packed(trace);
  return cold_outlook({&all});
}

TEST_F(Lists, WhatAColdRunGainsIsAShareOfWhatWasWaitedBeyondHotCalls) {
  const std::string open = "openat(AT_FDCWD, \"" + root_ + "/f1\", O_RDWR) = 3\n";
  const ColdOutlook names = one_in_three_waits(
      repeated(60, "newfstatat(AT_FDCWD, \"" + root_ + "/f%d\", {st_size=5000}, 0) = 0\n"));
  EXPECT_EQ(names.waited_ns, 2'000'000u);
  EXPECT_EQ(names.names_ns, names.waited_ns);
  EXPECT_EQ(names.calls, 20u);
  EXPECT_GT(names.gain(), 1.05);
  const ColdOutlook contents = one_in_three_waits(open + repeated(60, "pread64(3, \"x\", 1, %d) = 1\n"));
  EXPECT_EQ(contents.waited_ns, 2'000'000u);
  EXPECT_EQ(contents.names_ns, 0u);
  EXPECT_GT(contents.gain(), names.gain());
  const ColdOutlook written = one_in_three_waits(open + repeated(60, "pwrite64(3, \"x\", 1, %d) = 1\n"));
  EXPECT_EQ(written.waited_ns, 0u);
  EXPECT_EQ(written.gain(), 1);
}

TEST_F(Lists, CompileWritesThemUnlessNoPathMayBeKept) {
  Trace trace =
      recording(repeated(40, "newfstatat(AT_FDCWD, \"" + root_ + "/f%d\", {st_size=5000}, 0) = 0\n"));
  for (Process& p : trace.processes) p.execed = true;
  CompileOptions options;
  const auto with = compile({&trace}, options);
  ASSERT_TRUE(with) << with.message();
  EXPECT_EQ(read_svp(with->svp)->lists.size(), 1u);
  options.examples = false;
  const auto without = compile({&trace}, options);
  ASSERT_TRUE(without) << without.message();
  EXPECT_TRUE(read_svp(without->svp)->lists.empty());
}

TEST(Absolute, WithoutDotsAndDoubledSlashes) {
  const auto path = [](const char* folder, const char* name) {
    std::string to = "of the call before";
    absolute(folder, name, to);
    return to;
  };
  EXPECT_EQ(path("/a/b", "./c//d/."), "/a/b/c/d");
  EXPECT_EQ(path("/a", "/x/../y"), "/x/../y");
  EXPECT_EQ(path("/", "."), "/");
}

}  // namespace
}  // namespace sysvm
