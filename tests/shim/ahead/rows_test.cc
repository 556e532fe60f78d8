// SPDX-License-Identifier: MIT
// Names in a row in memory (rows.c), call by call. What a program as a whole sees is hazards/rows.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/shim/ahead/application.h"

extern "C" {
#include "libsysvm/shim/base/quick.h"
#include "libsysvm/shim/known/mounts.h"
#include "libsysvm/shim/known/paths.h"
#include "libsysvm/shim/names/name_pool.h"
}

namespace sysvm {
namespace {

class Rows : public testing::Test {
 protected:
  void SetUp() override {
    before_ = std::filesystem::current_path();
    dir_ = std::filesystem::temp_directory_path() / ("sysvm-rows-" + std::to_string(getpid()));
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    std::filesystem::current_path(dir_);
  }
  void TearDown() override {
    std::filesystem::current_path(before_);
    std::filesystem::remove_all(dir_);
  }

  static std::string procedure() {
    std::ifstream in(std::string(HAZARDS_DIR) + "/rows.svp.txt");
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }

  // Files of these names, and the names in a row in memory that the shim has seen being mapped.
  void list(Application& app, const std::vector<std::string>& names, bool make = true) {
    const long p =
        app.call(SYS_mmap, 0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ~0ull, 0);
    ASSERT_GT(p, 0);
    pool_ = reinterpret_cast<char*>(p);
    char* at = pool_ + 16;
    name_.clear();
    for (const std::string& n : names) {
      if (make) {
        std::filesystem::create_directories(std::filesystem::path("./" + n).parent_path());
        std::ofstream(n) << std::string(n.size(), 'x');
      }
      strcpy(at, n.c_str());
      name_.push_back(at);
      at += (n.size() + 24) & ~7ull;
    }
  }
  long look(Application& app, const char* path, uint64_t fd = static_cast<uint64_t>(AT_FDCWD)) {
    return app.call(SYS_newfstatat, fd, reinterpret_cast<uint64_t>(path), reinterpret_cast<uint64_t>(&st_),
                    AT_SYMLINK_NOFOLLOW);
  }
  // The first shows nothing, the second is what a run begins with.
  void start(Application& app) {
    EXPECT_EQ(look(app, name_[0]), 0);
    EXPECT_EQ(look(app, name_[1]), 0);
  }
  static const std::vector<std::string>& eight() {
    static const std::vector<std::string> names = {"a/1", "a/22",    "a/b/3",    "a/b/4444",
                                                   "c/5", "d/e/f/6", "d/e/g/77", "h"};
    return names;
  }
  // Without mounts_known()'s memory of another test's table; the second that it takes to be asked again has
  // just begun.
  static void real_mounts() {
    mounts_known();
    std::stringstream table;
    table << std::ifstream("/proc/self/mountinfo").rdbuf();
    take(table.str());
  }
  static void take(const std::string& table) {
    static std::string text;
    static mount_point points[4096];
    text = table;
    ASSERT_TRUE(mounts_take(text.data(), points, 4096));
    paths_reset();
    name_pool_forget();
  }
  static std::string good_mounts() {
    return "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n23 22 0:21 / /proc rw - proc proc rw\n";
  }

  std::filesystem::path before_, dir_;
  char* pool_ = nullptr;
  std::vector<char*> name_;
  struct stat st_ {};
};

TEST_F(Rows, NamesThatFollowAreAskedAboutInOneEntry) {
  Application app(procedure());
  ASSERT_EQ(app.started(), SHIM_ON);
  list(app, eight());
  real_mounts();
  start(app);
  const uint64_t entries = app.forwarded() + app.stats().runs;
  for (size_t i = 2; i < 8; ++i) {
    EXPECT_EQ(look(app, name_[i]), 0);
    EXPECT_EQ(static_cast<size_t>(st_.st_size), strlen(name_[i]));
  }
  EXPECT_EQ(app.forwarded() + app.stats().runs, entries);
  EXPECT_EQ(app.stats().runs, 1u);
  EXPECT_EQ(app.hits(), 6u);
}

TEST_F(Rows, DirectoriesOnTheWayAreAnsweredToo) {
  Application app(procedure());
  list(app, eight());
  real_mounts();
  start(app);
  const uint64_t entries = app.forwarded() + app.stats().runs;
  for (const char* path :
       {"a/b", "a/b/3", "a/b/4444", "c", "c/5", "d", "d/e", "d/e/f", "d/e/f/6", "d/e/g", "d/e/g/77", "h"})
    EXPECT_EQ(look(app, path), 0) << path;
  EXPECT_EQ(app.forwarded() + app.stats().runs, entries);
}

// The first run takes 256 entries: from the second name on, up to the first directory of the 33rd folder.
TEST_F(Rows, ADirectoryOnTheWayToTheNextNameBeginsARun) {
  std::vector<std::string> names;
  for (int i = 0; i < 40 * 6; ++i)
    names.push_back("d" + std::to_string(i / 6) + "/s/" + std::to_string(i % 6));
  Application app(procedure(), false, 10000);
  list(app, names);
  real_mounts();
  for (int i = 0; i < 32 * 6; ++i) EXPECT_EQ(look(app, name_[static_cast<size_t>(i)]), 0);
  EXPECT_EQ(app.stats().runs, 1u);
  EXPECT_EQ(look(app, "d32"), 0);
  EXPECT_EQ(app.stats().runs, 1u);
  EXPECT_EQ(look(app, "d32/s"), 0);
  EXPECT_EQ(app.stats().runs, 2u);
  const uint64_t forwarded = app.forwarded();
  EXPECT_EQ(look(app, name_[32 * 6]), 0);
  EXPECT_EQ(app.forwarded(), forwarded);
}

TEST_F(Rows, ADirectoryBehindOneNameAloneDoesNot) {
  Application app(procedure());
  list(app, eight());
  real_mounts();
  EXPECT_EQ(look(app, name_[4]), 0);
  EXPECT_EQ(look(app, "d"), 0);
  EXPECT_EQ(app.stats().runs, 0u);
}

TEST_F(Rows, OnePointerSaysNothing) {
  Application app(procedure());
  list(app, eight());
  real_mounts();
  EXPECT_EQ(look(app, name_[0]), 0);
  EXPECT_EQ(look(app, name_[2]), 0) << "not where the relation expects it";
  EXPECT_EQ(look(app, name_[1]), 0);
  EXPECT_EQ(app.stats().runs, 0u);
}

TEST_F(Rows, TheLastNameOfARowBeginsNoRun) {
  Application app(procedure());
  list(app, {"a", "b"});
  real_mounts();
  start(app);
  EXPECT_EQ(app.stats().runs, 0u);
}

TEST_F(Rows, ANameThatIsRewrittenIsAskedOfTheKernel) {
  Application app(procedure());
  list(app, eight());
  real_mounts();
  std::ofstream("a/b/new") << "12345";
  start(app);
  strcpy(name_[3], "a/b/new");
  EXPECT_EQ(look(app, name_[2]), 0);
  const uint64_t forwarded = app.forwarded();
  EXPECT_EQ(look(app, name_[3]), 0);
  EXPECT_EQ(st_.st_size, 5);
  EXPECT_EQ(app.forwarded(), forwarded + 1);
}

TEST_F(Rows, TheSameNameBelowADescriptorIsAnotherFile) {
  Application app(procedure());
  list(app, eight());
  real_mounts();
  std::filesystem::create_directories("other/a/b");
  std::ofstream("other/a/b/3") << "other file";
  const long fd = app.open("other", O_RDONLY | O_DIRECTORY);
  start(app);
  EXPECT_EQ(look(app, name_[2], static_cast<uint64_t>(fd)), 0);
  EXPECT_EQ(st_.st_size, 10);
  app.close(fd);
}

TEST_F(Rows, ACallWithNewsDropsThem) {
  Application app(procedure());
  list(app, eight());
  real_mounts();
  start(app);
  std::filesystem::remove("a/b/3");
  app.call(SYS_getppid);
  EXPECT_EQ(look(app, name_[2]), -ENOENT);
}

TEST_F(Rows, WhatIsGoneWhenTheRunIsMadeIsGone) {
  Application app(procedure());
  list(app, eight());
  real_mounts();
  std::filesystem::remove("a/b/3");
  start(app);
  const uint64_t hits = app.hits();
  EXPECT_EQ(look(app, name_[2]), -ENOENT);
  EXPECT_EQ(look(app, name_[3]), 0);
  EXPECT_EQ(app.hits(), hits + 2);
}

TEST_F(Rows, AnotherWorkingDirectoryDropsThem) {
  Application app(procedure());
  list(app, eight());
  real_mounts();
  std::filesystem::create_directories("inner/a/b");
  std::ofstream("inner/a/b/3") << "inner file";
  start(app);
  EXPECT_EQ(app.call(SYS_chdir, reinterpret_cast<uint64_t>("inner")), 0);
  EXPECT_EQ(look(app, name_[2]), 0);
  EXPECT_EQ(st_.st_size, 10);
}

TEST_F(Rows, MemoryThatIsGoneIsNotRead) {
  Application app(procedure());
  list(app, eight());
  real_mounts();
  start(app);
  app.call(SYS_munmap, reinterpret_cast<uint64_t>(pool_), 65536);
  EXPECT_EQ(look(app, name_[2]), -EFAULT);
  EXPECT_EQ(look(app, name_[2]), -EFAULT);
}

TEST_F(Rows, ARowEndsWhereTheMemoryEnds) {
  Application app(procedure());
  const long p = app.call(SYS_mmap, 0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, ~0ull, 0);
  app.call(SYS_mprotect, static_cast<uint64_t>(p) + 4096, 4096, PROT_NONE);
  real_mounts();
  char* names = reinterpret_cast<char*>(p) + 4096 - 3 * 24;  // "1" and two more; the fourth would lie behind
  for (int i = 0; i < 3; ++i) {
    name_.push_back(names + i * 24);
    *name_.back() = static_cast<char>('1' + i);
    std::ofstream(name_.back()) << "x";
  }
  memset(name_[2], 'y', 24);  // and the third has no end
  EXPECT_EQ(look(app, name_[0]), 0);
  EXPECT_EQ(look(app, name_[1]), 0);
  EXPECT_EQ(app.stats().runs, 0u);
  EXPECT_EQ(look(app, name_[2]), -EFAULT);
}

TEST_F(Rows, WhatLooksLikeNoNameEndsARow) {
  for (const char* no : {"", "../x", "a/../x", "/x", "./x", "a//x", "a/", "a/b\n", ".", "a/."}) {
    Application app(procedure());
    list(app, {"a/1", "a/2", "a/3"});
    strcpy(name_[2], no);
    real_mounts();
    start(app);
    EXPECT_EQ(app.stats().runs, 0u) << no;
  }
  Application app(procedure());
  list(app, {"a/1", "a/2", "a/.3", "..b/4", "..."});
  real_mounts();
  start(app);
  EXPECT_EQ(app.stats().runs, 1u);
  EXPECT_EQ(look(app, name_[4]), 0);
  EXPECT_EQ(app.hits(), 1u);
}

TEST_F(Rows, NothingIsLookedAtBehindALink) {
  Application app(procedure());
  list(app, {"a/1", "a/2", "a/link/3", "a/link/4", "b/5"}, false);
  for (const char* d : {"a", "real", "b"}) std::filesystem::create_directories(d);
  for (const char* f : {"a/1", "a/2", "real/3", "real/4", "b/5"}) std::ofstream(f) << "x";
  std::filesystem::create_symlink("../real", "a/link");
  real_mounts();
  start(app);
  EXPECT_EQ(app.stats().runs, 1u);
  EXPECT_EQ(app.stats().inner, 3u) << "a, a/2 and a/link";
  for (int i = 2; i < 5; ++i) EXPECT_EQ(look(app, name_[static_cast<size_t>(i)]), 0);
}

TEST_F(Rows, ARunThatAnsweredNothingIsNotTriedAgainAtOnce) {
  Application app(procedure());
  std::filesystem::create_directories("real");
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) {
    names.push_back("link/" + std::to_string(i));
    std::ofstream("real/" + std::to_string(i)) << "x";
  }
  list(app, names, false);
  std::filesystem::create_symlink("real", "link");
  real_mounts();
  for (const char* name : name_) EXPECT_EQ(look(app, name), 0);
  EXPECT_LE(app.stats().runs, 2u) << "at most one a second";
  EXPECT_GE(app.stats().runs, 1u);
}

TEST_F(Rows, NothingIsLookedAtBehindWhatIsNotThere) {
  Application app(procedure());
  list(app, {"a/1", "a/2", "gone/3", "b/4"}, false);
  for (const char* d : {"a", "b"}) std::filesystem::create_directories(d);
  for (const char* f : {"a/1", "a/2", "b/4"}) std::ofstream(f) << "x";
  real_mounts();
  start(app);
  EXPECT_EQ(app.stats().inner, 3u) << "a, a/2 and gone";
  EXPECT_EQ(look(app, name_[2]), -ENOENT);
}

// Each run looks at all directories anew: a link made since is found out.
TEST_F(Rows, ALinkMadeBetweenTwoRunsIsFound) {
  Application app(procedure());
  list(app, {"a/1", "a/2", "a/3", "a/4", "a/5"});
  real_mounts();
  start(app);
  app.call(SYS_getppid);
  std::filesystem::rename("a", "moved");
  std::filesystem::create_symlink("moved", "a");
  const uint64_t inner = app.stats().inner;
  EXPECT_EQ(look(app, name_[2]), 0);
  EXPECT_EQ(look(app, name_[3]), 0);
  EXPECT_EQ(app.stats().inner, inner + 1) << "a alone";
}

TEST_F(Rows, ADirectoryOnAnotherDeviceEndsTheRun) {
  if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    GTEST_SKIP() << "may not mount: " << strerror(errno);
  Application app(procedure());
  list(app, {"a/1", "a/2", "m/3", "m/4", "b/5"}, false);
  for (const char* d : {"a", "m", "b"}) std::filesystem::create_directories(d);
  for (const char* f : {"a/1", "a/2", "b/5"}) std::ofstream(f) << "x";
  real_mounts();
  ASSERT_EQ(mount("none", "m", "tmpfs", 0, nullptr), 0);
  std::ofstream("m/3") << "on another";
  start(app);
  EXPECT_EQ(app.stats().inner, 3u) << "a, a/2 and m";
  EXPECT_EQ(look(app, "m"), 0);
  EXPECT_EQ(app.hits(), 0u) << "what is on another device is not answered";
  EXPECT_EQ(look(app, name_[2]), 0);
  EXPECT_EQ(st_.st_size, 10);
  umount("m");
}

TEST_F(Rows, NoRunsWhereAMountThatMayWaitLiesBelow) {
  const std::string here = dir_;
  struct {
    std::string line;
    bool runs;
  } cases[] = {{"", true},
               {"24 22 0:30 / " + here + "/x/y rw - fuse.sshfs host: rw\n", false},
               {"24 22 0:30 / " + here + " rw - nfs4 host:/ rw\n", false},
               {"24 22 0:30 / " + dir_.parent_path().string() + " rw - nfs4 host:/ rw\n", false},
               {"24 22 0:30 / " + here + "/x/y rw - autofs systemd-1 rw\n", false},
               {"24 22 0:30 / " + here + "/p rw - proc proc rw\n", false},
               {"24 22 0:30 / " + here + "-not rw - proc proc rw\n", true},
               {"24 22 0:30 / " + here + "/x/y rw - tmpfs none rw\n", true}};
  for (const auto& c : cases) {
    Application app(procedure());
    list(app, eight());
    mounts_known();
    take(good_mounts() + c.line);
    start(app);
    EXPECT_EQ(app.stats().runs, c.runs ? 1u : 0u) << c.line;
    EXPECT_EQ(look(app, name_[2]), 0);
  }
  real_mounts();
}

TEST_F(Rows, NoRunsOnAFileSystemThatIsNotListed) {
  Application app(procedure());
  list(app, eight());
  real_mounts();
  uint64_t device = 0;
  EXPECT_TRUE(paths_here(&device));
  for (const char* at : {"/proc/self", "/sys"}) {
    std::filesystem::current_path(at);
    paths_reset();
    EXPECT_FALSE(paths_here(&device)) << at;
  }
  std::filesystem::current_path("/proc/self");
  mounts_known();
  take("22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n");
  EXPECT_FALSE(paths_here(&device)) << "whatever the table says";
  std::filesystem::current_path(dir_);
  paths_reset();
  EXPECT_TRUE(paths_here(&device));
  real_mounts();
}

TEST_F(Rows, NoRunsInADirectoryThatIsGone) {
  Application app(procedure());
  list(app, eight());
  real_mounts();
  std::filesystem::create_directories("gone");
  std::filesystem::current_path("gone");
  std::filesystem::remove("../gone");
  uint64_t device = 0;
  paths_reset();
  EXPECT_FALSE(paths_here(&device));
}

TEST_F(Rows, NamesAreNotKept) {
  for (const bool dropped : {false, true}) {
    Application app(procedure());
    list(app, {"a/1", "a/2", "a/secret-3", "a/secret-4"});
    real_mounts();
    start(app);
    EXPECT_NE(memmem(name_pool()->names, 4096, "secret", 6), nullptr);
    if (dropped) {
      app.call(SYS_getppid);
    } else {
      EXPECT_EQ(look(app, name_[2]), 0);
      EXPECT_EQ(look(app, name_[3]), 0);
    }
    EXPECT_EQ(memmem(name_pool()->names, 4096, "secret", 6), nullptr) << dropped;
  }
}

TEST_F(Rows, AWindowIsNotOutrun) {
  std::vector<std::string> names;
  for (int i = 0; i < 1200; ++i) names.push_back("many/" + std::to_string(i));
  Application app(procedure(), false, 10000);
  list(app, names);
  real_mounts();
  for (const char* name : name_) EXPECT_EQ(look(app, name), 0);
  EXPECT_LE(app.stats().runs + app.forwarded(), 10u);
  EXPECT_GE(app.hits(), 1190u);
}

// What the code of a row would rely on is refused if it is not so.
TEST_F(Rows, ProceduresThatAreNoRowsAreRefused) {
  const auto started_with = [](const std::string& from, const std::string& to) {
    std::string text = procedure();
    EXPECT_NE(text.find(from), std::string::npos) << from;
    text.replace(text.find(from), from.size(), to);
    Application app(text);
    return app.started();
  };
  EXPECT_EQ(started_with("row(8)+24", "row(8)+24"), SHIM_ON);
  EXPECT_NE(started_with("row(8)+24", "row(8)+7"), SHIM_ON) << "names would overlap";
  EXPECT_NE(started_with("row(8)+24", "row(8)+5000"), SHIM_ON);
  EXPECT_NE(started_with("row(8)+24", "row(4)+24"), SHIM_ON);
  EXPECT_NE(started_with("row(8)+24", "name"), SHIM_ON) << "a trigger at an entry, a loop over a row";
  EXPECT_NE(started_with("0xffffff9c, row, out", "r0, row, out"), SHIM_ON) << "below a descriptor";
  EXPECT_NE(started_with("out@16:144, 0x100)", "out@16:144, 0)"), SHIM_ON) << "a link would be followed";
}

}  // namespace
}  // namespace sysvm
