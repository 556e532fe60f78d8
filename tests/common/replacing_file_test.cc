// SPDX-License-Identifier: MIT
// A file is there whole, or as it was before.
#include "common/replacing_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sysvm {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() : path(std::string(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp") + "/replacing.XXXXXX") {
    mkdtemp(path.data());
  }
  ~Folder() { fs::remove_all(path); }
  std::string operator/(const char* name) const { return path + "/" + name; }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(path), fs::directory_iterator()));
  }
  std::string path;
};

std::string contents(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(ReplacingFile, IsThereOnlyWhenItIsWhole) {
  Folder folder;
  auto file = ReplacingFile::create(folder / "x", 0600);
  ASSERT_TRUE(file) << file.message();
  ASSERT_EQ(write(file->fd(), "new", 3), 3);
  EXPECT_FALSE(fs::exists(folder / "x"));
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(contents(folder / "x"), "new");
  EXPECT_EQ(folder.files(), 1u);
  struct stat st;
  ASSERT_EQ(stat((folder / "x").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
}

TEST(ReplacingFile, LeavesTheOldOneWhereItIsGivenUp) {
  Folder folder;
  std::ofstream(folder / "x") << "old";
  ASSERT_EQ(chmod((folder / "x").c_str(), 0640), 0);
  {
    auto file = ReplacingFile::create(folder / "x", 0600);
    ASSERT_TRUE(file);
    ASSERT_EQ(write(file->fd(), "new", 3), 3);
  }
  EXPECT_EQ(contents(folder / "x"), "old");
  EXPECT_EQ(folder.files(), 1u);
  auto file = ReplacingFile::create(folder / "x", 0600);
  ASSERT_TRUE(file && file->commit());
  struct stat st;
  ASSERT_EQ(stat((folder / "x").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0640u) << "a file that is replaced keeps its mode";
}

TEST(ReplacingFile, WritesToWhatIsNoRegularFile) {
  Folder folder;
  std::ofstream(folder / "target") << "old";
  fs::create_symlink(folder / "target", folder / "link");
  auto file = ReplacingFile::create(folder / "link", 0600);
  ASSERT_TRUE(file);
  ASSERT_EQ(write(file->fd(), "new", 3), 3);
  ASSERT_TRUE(file->commit());
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(contents(folder / "target"), "new");
  auto full = ReplacingFile::create("/dev/full", 0600);
  ASSERT_TRUE(full);
  EXPECT_EQ(full->place(), "/dev/full");
  EXPECT_TRUE(fs::exists("/dev/full"));
}

}  // namespace
}  // namespace sysvm
