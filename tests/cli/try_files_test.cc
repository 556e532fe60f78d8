// SPDX-License-Identifier: MIT
// Captured input (try_streams.h) and fresh copies (try_copy.h), on real files and pipes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "cli/try/copy.h"
#include "cli/try/streams.h"

namespace sysvm {
namespace {

namespace fs = std::filesystem;

class TryFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "sysvm_try.XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
  }
  void TearDown() override { remove_tree(dir_); }
  std::string put(const std::string& name, const std::string& bytes) {
    std::ofstream(dir_ + "/" + name, std::ios::binary) << bytes;
    return dir_ + "/" + name;
  }
  static std::string drain(int fd) {
    std::string all;
    char buffer[4096];
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<size_t>(n));
    return all;
  }
  static bool is_fifo(int fd) {
    struct stat st;
    return !fstat(fd, &st) && S_ISFIFO(st.st_mode);
  }
  std::string dir_;
};

TEST_F(TryFiles, APipeIsReplayedThroughAPipeEachTime) {
  const std::string text(300'000, 'x');  // more than a pipe holds
  UniqueFd from(open(put("in", text).c_str(), O_RDONLY));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  UniqueFd reader(ends[0]);
  if (fork() == 0) {
    const std::string all = drain(from.get());
    for (size_t at = 0; at < all.size();)
      at += static_cast<size_t>(write(ends[1], all.data() + at, all.size() - at));
    _exit(0);
  }
  close(ends[1]);
  auto input = CapturedInput::capture(reader.get(), dir_);
  ASSERT_TRUE(input) << input.message();
  EXPECT_EQ(input->size(), text.size());
  for (int round = 0; round < 2; ++round) {
    auto fd = input->replay();
    ASSERT_TRUE(fd) << fd.message();
    EXPECT_TRUE(is_fifo(fd->get()));
    EXPECT_EQ(drain(fd->get()), text);
  }
}

TEST_F(TryFiles, AReplayThatIsNotReadToItsEndDoesNotHang) {
  UniqueFd from(open(put("in", std::string(1'000'000, 'x')).c_str(), O_RDONLY));
  auto input = CapturedInput::capture(from.get(), dir_);
  ASSERT_TRUE(input);
  for (int round = 0; round < 3; ++round) ASSERT_TRUE(input->replay());
}

TEST_F(TryFiles, AFileIsReplayedAsAFileFromWhereItStood) {
  UniqueFd from(open(put("in", "skipped,kept").c_str(), O_RDONLY));
  lseek(from.get(), 8, SEEK_SET);
  auto input = CapturedInput::capture(from.get(), dir_);
  ASSERT_TRUE(input);
  auto fd = input->replay();
  EXPECT_FALSE(is_fifo(fd->get()));
  EXPECT_EQ(drain(fd->get()), "kept");
}

TEST_F(TryFiles, ComparisonNamesTheFirstDifferentByte) {
  const std::string big(300'000, 'a');
  EXPECT_EQ(*compare_files(put("a", big), put("b", big)), "");
  EXPECT_EQ(*compare_files(put("a", big), put("b", big + "b")),
            "300000 and 300001 bytes, first difference at byte 300000");
  EXPECT_EQ(*compare_files(put("a", big), put("b", std::string(big).replace(299'999, 1, "b"))),
            "300000 and 300000 bytes, first difference at byte 299999");
}

TEST_F(TryFiles, EachCopyIsFreshAndAtTheSamePath) {
  fs::create_directories(dir_ + "/source/sub");
  put("source/sub/file", "content");
  fs::create_symlink("file", dir_ + "/source/sub/link");
  fs::create_directory(dir_ + "/copies");
  auto copy = FreshCopy::of(dir_ + "/source", dir_ + "/copies");
  ASSERT_TRUE(copy) << copy.message();
  ASSERT_TRUE(copy->renew());
  const TreeFacts before = *copy->facts();
  EXPECT_EQ(before, *tree_facts(dir_ + "/source"));
  std::ofstream(copy->path() + "/sub/file") << "changed";
  std::ofstream(copy->path() + "/new") << "";
  const TreeFacts after = *copy->facts();
  EXPECT_EQ(first_difference(before, after, "A", "B"), "new: only after B");
  ASSERT_TRUE(copy->renew());
  EXPECT_EQ(*copy->facts(), before);
}

TEST_F(TryFiles, ContentModeAndLinkTargetAreFacts) {
  put("file", "one");
  fs::create_symlink("file", dir_ + "/link");
  const TreeFacts before = *tree_facts(dir_);
  put("file", "two");
  EXPECT_NE(*tree_facts(dir_), before);
  put("file", "one");
  EXPECT_EQ(*tree_facts(dir_), before);
  chmod((dir_ + "/file").c_str(), 0600);
  EXPECT_NE(*tree_facts(dir_), before);
  fs::permissions(dir_ + "/file", fs::perms(0644));
  fs::remove(dir_ + "/link");
  fs::create_symlink("other", dir_ + "/link");
  EXPECT_NE(*tree_facts(dir_), before);
}

TEST_F(TryFiles, WhatIsNoDirectoryIsRefusedByName) {
  auto copy = FreshCopy::of(put("file", ""), dir_);
  ASSERT_FALSE(copy);
  EXPECT_NE(copy.message().find("file: not a directory"), std::string::npos) << copy.message();
}

}  // namespace
}  // namespace sysvm
