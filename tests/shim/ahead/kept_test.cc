// SPDX-License-Identifier: MIT
// Paths that are kept (kept.c), behind a lock as a database takes it: the journal is looked for each time,
// the file is open for writing.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/shim/ahead/application.h"

extern "C" {
#include "libsysvm/shim/known/mounts.h"
#include "libsysvm/shim/known/paths.h"
}

namespace sysvm {
namespace {

// Behind the second F_SETLK in a row: fstat as guard, a look at a kept path, 16 bytes at 24, a look at
// another one.
const char kProcedure[] = R"(
procedure "lock" run_ahead {
  seen 1
  staging 1024
  result r7
  trigger fcntl(_, 6, _) streak 2
  follower r9 = newfstatat(0xffffff9c, kept r10, out@192:144, 0)
  follower r12 = pread64(r0, out@384:16, count r13, 24)
  follower r15 = newfstatat(0xffffff9c, kept r16, out@448:144, 0)
  code {
    fcntl r7, r0, r1, r2
    movi8 r13, 16
    movi8 r20, 24
    movi64 r21, 4294967196
    movi8 r22, 0
    fstat r8, r0, r255
    ld64 r11, [r255]
    jne r11, r253, done
    jz r10, done
    addi r17, r255, 192
    goon newfstatat r9, r21, r10, r17, r22
    addi r17, r255, 384
    pread64 r12, r0, r17, r13, r20
    jz r16, done
    addi r17, r255, 448
    goon newfstatat r15, r21, r16, r17, r22
    done:
    end
  }
}
)";

class Kept : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() / ("sysvm-kept-" + std::to_string(getpid()));
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    std::ofstream(path("data")) << std::string(4096, 'd');
    first_ = path("data-journal"), second_ = path("data-wal");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string path(const std::string& name) { return dir_ / name; }

  long look(Application& app, const std::string& at) {
    return app.call(SYS_newfstatat, static_cast<uint64_t>(AT_FDCWD), reinterpret_cast<uint64_t>(at.c_str()),
                    reinterpret_cast<uint64_t>(&st_), 0);
  }
  void lock(Application& app, long fd, short type) {
    struct flock l {};
    l.l_type = type;
    l.l_len = 1;
    EXPECT_EQ(app.call(SYS_fcntl, static_cast<uint64_t>(fd), F_SETLK, reinterpret_cast<uint64_t>(&l)), 0);
  }
  // What the program does for each question; returns how many of its calls made no entry.
  uint64_t question(Application& app, long fd, bool journal = false) {
    const uint64_t hits = app.hits();
    lock(app, fd, F_RDLCK);
    lock(app, fd, F_UNLCK);
    EXPECT_EQ(look(app, first_), journal ? 0 : -ENOENT);
    EXPECT_EQ(app.call(SYS_pread64, static_cast<uint64_t>(fd), reinterpret_cast<uint64_t>(buffer_), 16, 24),
              16);
    EXPECT_EQ(look(app, second_), -ENOENT);
    app.call(SYS_getppid);
    return app.hits() - hits;
  }
  // mounts_known() without its memory: other tests leave made-up tables behind.
  static bool read_mounts() {
    std::stringstream table;
    table << std::ifstream("/proc/self/mountinfo").rdbuf();
    std::string text = table.str();
    static mount_point points[4096];
    return mounts_take(text.data(), points, 4096);
  }
  long database(Application& app) { return app.open(path("data"), O_RDWR | O_CLOEXEC); }

  std::filesystem::path dir_;
  std::string first_, second_;
  struct stat st_ {};
  char buffer_[64] = {};
};

TEST_F(Kept, APathIsAskedAboutAheadOnceItHasBeenPassed) {
  Application app(kProcedure);
  ASSERT_EQ(app.started(), SHIM_ON);
  const long fd = database(app);
  EXPECT_EQ(question(app, fd), 0u) << "nothing was known: neither the device nor a path";
  question(app, fd);
  EXPECT_EQ(question(app, fd), 3u);
  EXPECT_EQ(buffer_[0], 'd');
  app.close(fd);
}

TEST_F(Kept, AnotherPathIsAskedOfTheKernelAndKeptFromThenOn) {
  Application app(kProcedure);
  const long fd = database(app);
  for (int i = 0; i < 3; ++i) question(app, fd);
  std::ofstream(path("other-journal")) << "j";
  first_ = path("other-journal");
  EXPECT_EQ(question(app, fd, true), 0u);
  EXPECT_EQ(question(app, fd, true), 3u);
  EXPECT_EQ(st_.st_size, 1) << "a look that fails leaves the buffer alone";
  app.close(fd);
}

TEST_F(Kept, WhatHappenedSinceTheLastTimeIsSeen) {
  Application app(kProcedure);
  const long fd = database(app);
  for (int i = 0; i < 3; ++i) question(app, fd);
  std::ofstream(first_) << "hot";
  EXPECT_EQ(question(app, fd, true), 3u);
  app.close(fd);
}

TEST_F(Kept, ACallOfAnotherStreakIsNoTrigger) {
  Application app(kProcedure);
  const long fd = database(app);
  for (int i = 0; i < 3; ++i) question(app, fd);
  const uint64_t runs = app.stats().runs;
  lock(app, fd, F_RDLCK);
  app.call(SYS_getppid);
  lock(app, fd, F_RDLCK);
  EXPECT_EQ(app.stats().runs, runs);
  lock(app, fd, F_RDLCK);
  EXPECT_EQ(app.stats().runs, runs + 1);
  lock(app, fd, F_UNLCK);
  EXPECT_EQ(app.stats().runs, runs + 1) << "a run ends the row";
  app.close(fd);
}

TEST_F(Kept, ADescriptorThatWasWrittenToOrSharedIsNotReadAhead) {
  for (const char* how : {"written", "shared", "mapped"}) {
    Application app(kProcedure);
    const long fd = database(app);
    for (int i = 0; i < 3; ++i) question(app, fd);
    if (*how == 'w')
      app.call(SYS_pwrite64, static_cast<uint64_t>(fd), reinterpret_cast<uint64_t>("x"), 1, 100);
    if (*how == 's') app.call(SYS_dup, static_cast<uint64_t>(fd));
    if (*how == 'm') app.call(SYS_mmap, 0, 4096, 1, 2, static_cast<uint64_t>(fd), 0);
    const uint64_t runs = app.stats().runs;
    EXPECT_EQ(question(app, fd), 0u) << how;
    EXPECT_EQ(app.stats().runs, runs) << how;
    app.close(fd);
  }
}

// What a path means depends on the root (and, for the mounts below it, on it too): nothing that was passed
// before counts.
TEST_F(Kept, PathsAreForgottenAtChroot) {
  Application app(kProcedure);
  const long fd = database(app);
  for (int i = 0; i < 2; ++i) question(app, fd);
  ASSERT_EQ(question(app, fd), 3u);
  app.call(SYS_chroot,
           reinterpret_cast<uint64_t>("/"));  // by its own name: nothing changes but what is known
  EXPECT_EQ(question(app, fd), 0u);
  EXPECT_EQ(question(app, fd), 3u) << "what was passed since";
  app.close(fd);
}

// The child has the procedures and what is known of file systems, but asks for itself.
TEST_F(Kept, AChildStartsWithoutPaths) {
  Application app(kProcedure);
  long fd = database(app);
  for (int i = 0; i < 2; ++i) question(app, fd);
  ASSERT_EQ(question(app, fd), 3u);
  ahead_settle();  // as entry.c does before a fork, and the other behind it, in the child
  ahead_forked_child();
  app.close(fd);
  fd = database(app);
  EXPECT_EQ(question(app, fd), 0u);
  EXPECT_EQ(question(app, fd), 3u);
  app.close(fd);
}

TEST_F(Kept, ALinkIsFollowedOnlyWhereThatMovesNoTime) {
  std::ofstream(path("target")) << "t";
  std::filesystem::create_symlink("target", first_);
  struct timespec old[2] = {{time(nullptr) - 1000, 0}, {time(nullptr) - 100, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, first_.c_str(), old, AT_SYMLINK_NOFOLLOW), 0);
  Application app(kProcedure);
  ASSERT_TRUE(read_mounts());
  EXPECT_FALSE(paths_harmless(first_.c_str())) << "relatime would move it";
  struct timespec now[2] = {{time(nullptr) + 10, 0}, {time(nullptr) - 100, 0}};
  ASSERT_EQ(utimensat(AT_FDCWD, first_.c_str(), now, AT_SYMLINK_NOFOLLOW), 0);
  EXPECT_TRUE(paths_harmless(first_.c_str()));
}

TEST_F(Kept, LinksAreFollowedToWhereTheyLead) {
  Application app(kProcedure);
  ASSERT_TRUE(read_mounts());
  struct timespec now[2] = {{time(nullptr) + 10, 0}, {time(nullptr) - 100, 0}};
  const auto link = [&](const char* to, const std::string& name) {
    ASSERT_EQ(symlink(to, path(name).c_str()), 0);
    ASSERT_EQ(utimensat(AT_FDCWD, path(name).c_str(), now, AT_SYMLINK_NOFOLLOW), 0);
  };
  link("/proc/self", "process");
  link("process", "again");
  link("loop", "loop");
  EXPECT_TRUE(paths_harmless(path("data").c_str()));
  EXPECT_TRUE(paths_harmless(path("nothing/here").c_str()));
  EXPECT_FALSE(paths_harmless("/proc/self/status"));
  EXPECT_FALSE(paths_harmless("/sys"));
  EXPECT_FALSE(paths_harmless(path("process/status").c_str()));
  EXPECT_FALSE(paths_harmless(path("again/status").c_str()));
  EXPECT_FALSE(paths_harmless(path("loop").c_str()));
  EXPECT_FALSE(paths_harmless(path("../x").c_str()));
  EXPECT_FALSE(paths_harmless("data"));
}

}  // namespace
}  // namespace sysvm
