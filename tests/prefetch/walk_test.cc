// SPDX-License-Identifier: MIT
// The walk over trees with everything in them that must not be opened, crossed or changed. Each test fails
// without the rule that it is named after. Watches (inotify) count opens from outside: an open with O_PATH is
// none.
#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

extern "C" {
#include "libsysvm/prefetch/feed.h"
#include "libsysvm/prefetch/guess.h"
#include "libsysvm/prefetch/leases.h"
#include "libsysvm/prefetch/mounts.h"
}

#include "walk_tree.h"

namespace {

bool operator==(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

// In a mount namespace of its own, as a child: mounts go with it. 77: no right to mount.
int in_own_mounts(const std::function<int()>& what) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::unshare(CLONE_NEWNS) || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr)) ::_exit(77);
    ::_exit(what());
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

walk_directory named(const std::string& in, const char* name) {
  struct stat above {};
  struct stat self {};
  EXPECT_EQ(::stat(in.c_str(), &above), 0);
  EXPECT_EQ(::stat((in + "/" + name).c_str(), &self), 0);
  return {self.st_dev, self.st_ino, above.st_dev, above.st_ino, name};
}

TEST_F(Tree, EveryDirectoryAndEntryIsSeenOnce) {
  for (const char* name : {"a", "a/b", "a/b/c", "d"}) folder(name);
  for (int i = 0; i < 100; ++i) file("a/b/" + std::to_string(i), 1);
  const Done done = walk();
  EXPECT_TRUE(done.ended);
  EXPECT_EQ(done.stats.directories, 5u);
  EXPECT_EQ(done.stats.entries, 4u + 100 + 5 * 2);  // with "." and ".."
  EXPECT_EQ(done.stats.files, 0u);
}

TEST_F(Tree, FilesAreReadAheadUpToThePart) {
  file("small", 100);
  file("large", 1 << 20);
  file("empty", 0);
  const Done done = walk(300000);
  EXPECT_EQ(done.stats.files, 2u);
  EXPECT_EQ(done.stats.bytes, 100u + 300000);
}

// Until the disk has been seen to be fast: else all could be queued before the command's own reads.
TEST_F(Tree, ARequestEndsWhenItsLastFileHasBeenRead) {
  for (int i = 0; i < 40; ++i) file(std::to_string(i));
  const Watch reads(root_, IN_ACCESS);
  const Done done = walk(1 << 20);
  EXPECT_EQ(done.stats.files, 40u);
  EXPECT_GE(reads.events(), 5);
}

// One that is slow, or has one head, has been asked for little by then.
TEST_F(Tree, UntilStorageIsKnownToBeFastOneRequestIsMadeAtATime) {
  for (int i = 0; i < 6; ++i) folder(std::to_string(i));  // too few requests to show it
  const auto begin = [this](struct walk* w) {
    walk_push(w, ::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_BELOW, WALK_ATIME_RELATIVE,
              nullptr);
    EXPECT_EQ(walk_storage(w), PACE_UNKNOWN);
  };
  Done done = walk_only(begin, ~0ull, {}, ~0ull, /*depth_max=*/8);
  EXPECT_EQ(done.stats.depth, 1u);
  EXPECT_EQ(done.stats.directories, 7u);
  const auto go_deep = [&](struct walk* w) {
    begin(w);
    walk_go_deep(w);
  };
  done = walk_only(go_deep, ~0ull, {}, ~0ull, 8);
  EXPECT_GT(done.stats.depth, 1u);
}

TEST_F(Tree, WhileItIsHeldNothingIsBegunAndWhatWaitedIsForgotten) {
  for (const char* name : {"a", "a/b"}) folder(name);
  const Done done = walk_only([this](struct walk* w) {
    walk_push(w, ::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_BELOW, WALK_ATIME_RELATIVE,
              nullptr);
    walk_hold(w, true, false, false);
    EXPECT_FALSE(walk_busy(w));
    walk_push(w, ::open(at("a").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_BELOW, WALK_ATIME_RELATIVE,
              nullptr);
    walk_pump(w);
    const walk_directory a = named(root_, "a");
    EXPECT_EQ(walk_find(w, &a), WALK_WAITS);
    walk_hold(w, false, false, false);
  });
  EXPECT_EQ(done.stats.directories, 2u);  // "a", and what is in it
}

// A disk has them in the order of their inodes, more or less; a directory in that of a hash.
TEST_F(Tree, FilesAreReadInTheOrderOfTheirInodes) {
  constexpr int kFiles = 200;
  for (int i = 0; i < kFiles; ++i) file(std::to_string(i * 7919 % kFiles));
  std::vector<std::pair<ino_t, std::string>> by_inode;
  for (int i = 0; i < kFiles; ++i) {
    struct stat st {};
    ASSERT_EQ(::stat(at(std::to_string(i)).c_str(), &st), 0);
    by_inode.emplace_back(st.st_ino, std::to_string(i));
  }
  std::sort(by_inode.begin(), by_inode.end());
  const Watch opens(root_, IN_OPEN);
  EXPECT_EQ(walk(1 << 20).stats.files, static_cast<uint64_t>(kFiles));
  const std::vector<std::string> names = opens.names();
  ASSERT_EQ(names.size(), static_cast<size_t>(kFiles));
  double away = 0;  // four threads do not open them strictly one after the other
  for (size_t i = 0; i < names.size(); ++i) {
    size_t rank = 0;
    while (by_inode[rank].second != names[i]) ++rank;
    away += std::abs(static_cast<double>(rank) - static_cast<double>(i));
  }
  EXPECT_LT(away / kFiles, kFiles / 10);
}

TEST_F(Tree, FifosSocketsAndDevicesAreNeverOpened) {
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0600), 0);
  const int s = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{AF_UNIX, ""};
  at("socket").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(s, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  std::vector<std::string> names = {"fifo", "socket"};
  if (::mknod(at("device").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0) names.push_back("device");
  std::vector<std::unique_ptr<Watch>> watches;
  for (const std::string& name : names) watches.push_back(std::make_unique<Watch>(at(name)));
  const Done done = walk(1 << 20);
  EXPECT_EQ(done.stats.files, 0u);
  for (size_t i = 0; i < names.size(); ++i) EXPECT_EQ(watches[i]->events(), 0) << names[i];
  ::close(s);
}

TEST_F(Tree, LinksAreNotFollowed) {
  char outside[] = "/var/tmp/sysvm-walk-outside-XXXXXX";
  ASSERT_NE(::mkdtemp(outside), nullptr);
  ASSERT_EQ(::symlink(outside, at("link").c_str()), 0);
  ASSERT_EQ(::symlink("..", at("loop").c_str()), 0);
  const Watch watch(outside);
  set_times(at("link"), 1000, 2000);
  const timespec before = atime_of(at("link"));
  const Done done = walk(1 << 20);
  EXPECT_TRUE(done.ended);
  EXPECT_EQ(done.stats.directories, 1u);
  EXPECT_EQ(watch.events(), 0);
  EXPECT_TRUE(atime_of(at("link")) == before);
  ::rmdir(outside);
}

TEST_F(Tree, NoAtimeMoves) {
  folder("d");
  file("d/f");
  for (const char* name : {"d/f", "d", ""}) set_times(at(name), 1000, 2000);  // relatime would renew each
  const Done done = walk(1 << 20);
  EXPECT_EQ(done.stats.directories, 2u);
  EXPECT_EQ(done.stats.files, 1u);
  for (const char* name : {"d/f", "d", ""}) EXPECT_EQ(atime_of(at(name)).tv_sec, 1000) << name;
}

// O_NOATIME is for the owner: another user's directory is read only if that leaves its atime alone.
TEST_F(Tree, NoAtimeMovesWhereNoAtimeIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become two users";
  folder("old");
  folder("old/below");
  folder("new");
  set_times(at("old"), 1000, 2000);
  const std::time_t now = std::time(nullptr);
  set_times(at("new"), now + 100, now - 100);
  set_times(root_, now + 100, now - 100);
  ASSERT_EQ(::chmod(root_.c_str(), 0755), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setresuid(65534, 65534, 65534)) ::_exit(77);
    const Done done = walk();
    ::_exit(done.stats.directories == 2 && done.stats.refused == 1 ? 0 : 1);  // the root and "new"
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(atime_of(at("old")).tv_sec, 1000);
  EXPECT_EQ(atime_of(at("new")).tv_sec, now + 100);
}

TEST_F(Tree, NoAtimeOfAFileMovesWhereNoAtimeIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become two users";
  constexpr int kFiles = 8;
  ASSERT_EQ(::chmod(root_.c_str(), 0755), 0);
  for (int i = 0; i < kFiles; ++i) {
    file(std::to_string(i));
    set_times(at(std::to_string(i)), 1000, 2000);
  }
  const std::time_t now = std::time(nullptr);
  set_times(root_, now + 100, now - 100);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setresuid(65534, 65534, 65534)) ::_exit(77);
    ::_exit(walk(1 << 20).stats.files == kFiles ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
  for (int i = 0; i < kFiles; ++i) EXPECT_EQ(atime_of(at(std::to_string(i))).tv_sec, 1000);
}

TEST_F(Tree, WhereEachReadMovesAnAtimeOthersDirectoriesAreLeftAlone) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  ASSERT_EQ(::chmod(root_.c_str(), 0755), 0);
  const std::time_t now = std::time(nullptr);
  set_times(root_, now + 100, now - 100);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setresuid(65534, 65534, 65534)) ::_exit(77);
    ::_exit(walk(0, WALK_ATIME_ALWAYS).stats.refused == 1 && walk(0, WALK_ATIME_RELATIVE).stats.refused == 0
                ? 0
                : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(Tree, WhatMayNotBeReadEndsItsSubtreeOnly) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  for (const char* name : {"closed", "closed/below", "open"}) folder(name);
  ASSERT_EQ(::chmod(at("closed").c_str(), 0700), 0);
  ASSERT_EQ(::chmod(root_.c_str(), 0755), 0);
  const std::time_t now = std::time(nullptr);
  for (const char* name : {"open", ""}) set_times(at(name), now + 100, now - 100);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setresuid(65534, 65534, 65534)) ::_exit(77);
    const Done done = walk();
    ::_exit(done.ended && done.stats.directories == 2 && done.stats.refused == 1 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

volatile sig_atomic_t broken;

TEST_F(Tree, NoLeaseIsBroken) {
  file("leased");
  file("free");
  const int fd = ::open(at("leased").c_str(), O_RDWR);
  broken = 0;
  ::signal(SIGIO, [](int) { broken = 1; });
  if (::fcntl(fd, F_SETLEASE, F_WRLCK) != 0) GTEST_SKIP() << "no leases on this file system";
  walk_file files[16];
  size_t count = 0;
  ASSERT_TRUE(leases_read(files, 16, &count));
  EXPECT_GE(count, 1u);
  const Watch watch(at("leased"), IN_OPEN);
  const Done done =
      walk(1 << 20, WALK_ATIME_RELATIVE, [&](struct walk* w) { walk_leases(w, files, count, false); });
  EXPECT_EQ(done.stats.files, 1u);
  EXPECT_EQ(broken, 0);
  EXPECT_EQ(watch.events(), 0);
  EXPECT_EQ(::fcntl(fd, F_GETLEASE), F_WRLCK);
  ::close(fd);
}

TEST_F(Tree, MountsAreNotCrossed) {
  for (const char* name : {"d", "d/other", "d/again"}) folder(name);
  file("d/f");
  const int status = in_own_mounts([&] {
    if (::mount("tmpfs", at("d/other").c_str(), "tmpfs", 0, nullptr)) return 77;
    if (::mkdir(at("d/other/below").c_str(), 0755)) return 2;
    // a loop
    if (::mount(at("d").c_str(), at("d/again").c_str(), nullptr, MS_BIND | MS_REC, nullptr)) return 3;
    const Watch watch(at("d/other"));
    const Done done = walk(1 << 20);
    // The root and "d", nothing of either mount.
    return done.ended && done.stats.directories == 2 && watch.events() == 0 ? 0 : 1;
  });
  if (status == 77) GTEST_SKIP() << "no right to mount";
  EXPECT_EQ(status, 0);
}

// A direct automount: its root is the trap. Nobody serves the pipe: whoever triggers it waits until the test
// ends it.
TEST_F(Tree, NoAutomountIsStarted) {
  for (const char* name : {"d", "d/auto", "e"}) folder(name);
  const int status = in_own_mounts([&] {
    int fds[2];
    if (::pipe(fds)) return 2;
    const std::string options = "fd=" + std::to_string(fds[1]) + ",pgrp=" + std::to_string(::getpgrp()) +
                                ",minproto=5,maxproto=5,direct";
    // Automounts of the daemon's own process group are not triggered: the walk is in another one.
    const pid_t daemon = ::getpid();
    if (::mount("sysvm-test", at("d/auto").c_str(), "autofs", 0, options.c_str())) return 77;
    const pid_t walker = ::fork();
    if (walker == 0) {
      ::setpgid(0, 0);
      ::alarm(20);
      const Done done = walk(1 << 20);
      ::_exit(done.ended && done.stats.directories == 3 ? 0 : 1);  // the root, "d", "e"
    }
    int result = 0;
    ::waitpid(walker, &result, 0);
    (void)daemon;
    pollfd asked{fds[0], POLLIN, 0};
    const bool triggered = ::poll(&asked, 1, 0) > 0;
    ::close(fds[1]);
    ::umount2(at("d/auto").c_str(), MNT_DETACH);
    return triggered ? 4 : result;
  });
  if (status == 77) GTEST_SKIP() << "autofs cannot be mounted here";
  EXPECT_EQ(status, 0);
}

// A wait of 0.1 ms is seldom met by a sample. The child sleeps when it is looked at.
TEST_F(Tree, WhatWasReadFromStorageSinceTheLatestSampleIsWaitingToo) {
  file("f", 1 << 20);
  const int fd = ::open(at("f").c_str(), O_RDONLY);
  int go[2], done[2];
  ASSERT_EQ(::fsync(fd) | ::pipe(go) | ::pipe(done), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    static char buffer[1 << 20];
    while (::read(go[0], buffer, 1) == 1) {
      (void)!::pread(fd, buffer, sizeof buffer, 0);
      (void)!::write(done[1], buffer, 1);
    }
    ::_exit(0);
  }
  static struct feed feed;
  feed_init(&feed, pid);
  feed_sample(&feed);
  const auto seen_after_a_read = [&] {
    char byte = 0;
    (void)!::write(go[1], &byte, 1);
    (void)!::read(done[0], &byte, 1);
    ::usleep(10 * 1000);
    return feed_sample(&feed);
  };
  seen_after_a_read();
  EXPECT_FALSE(seen_after_a_read());  // cached
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  const bool seen = seen_after_a_read();
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  ::close(fd);
  struct statfs fs {};
  ::statfs(root_.c_str(), &fs);
  if (fs.f_type == 0x01021994) GTEST_SKIP() << "/var/tmp is a tmpfs: nothing is read from storage";
  EXPECT_TRUE(seen);
}

TEST(Mounts, PseudoFileSystemsAreNotReadAhead) {
  for (const char* path : {"/proc", "/sys", "/dev"}) {
    struct statx st {};
    walk_atime atime;
    ASSERT_EQ(::statx(AT_FDCWD, path, 0, STATX_BASIC_STATS | STATX_MNT_ID, &st), 0) << path;
    struct statx root {};
    ASSERT_EQ(::statx(AT_FDCWD, "/", 0, STATX_BASIC_STATS | STATX_MNT_ID, &root), 0);
    if (st.stx_mnt_id == root.stx_mnt_id) continue;  // a folder here
    EXPECT_FALSE(mounts_allowed(::getpid(), st.stx_mnt_id, &atime)) << path;
  }
}

TEST_F(Tree, DepthAndLongNamesOfAnyBytes) {
  const std::string name(255, '\xfe');
  int fd = ::open(root_.c_str(), O_PATH | O_DIRECTORY);
  for (int i = 0; i < 300; ++i) {
    ASSERT_EQ(::mkdirat(fd, name.c_str(), 0755), 0) << i;
    const int next = ::openat(fd, name.c_str(), O_PATH | O_DIRECTORY);
    ::close(fd);
    fd = next;
  }
  ::close(fd);
  const Done done = walk();
  EXPECT_TRUE(done.ended);
  EXPECT_EQ(done.stats.directories, 301u);
}

TEST_F(Tree, ATreeThatVanishesUnderTheWalkEndsIt) {
  for (int i = 0; i < 200; ++i) {
    folder(std::to_string(i));
    file(std::to_string(i) + "/f", 10);
  }
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (int i = 0; i < 200; ++i) {
      ::unlink(at(std::to_string(i) + "/f").c_str());
      ::rmdir(at(std::to_string(i)).c_str());
    }
    ::_exit(0);
  }
  EXPECT_TRUE(walk(4096).ended);
  ::waitpid(pid, nullptr, 0);
}

TEST_F(Tree, AGuessThatNobodyFollowsEndsSoonAndOneThatIsFollowedGoesOn) {
  for (int i = 0; i < 400; ++i) folder(std::to_string(i));
  auto begin = [this](struct walk* w) {
    walk_push(w, ::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_BELOW, WALK_ATIME_RELATIVE,
              nullptr);
  };
  const Done alone = walk_only(begin, 16);
  EXPECT_FALSE(alone.ended);
  EXPECT_LE(alone.stats.directories, 16u);
  const Done followed = walk_only(begin, 16, [this](struct walk* w) {
    for (int i = 0; i < 400; ++i) {  // the command comes to each of them
      struct stat st {};
      ASSERT_EQ(::stat(at(std::to_string(i)).c_str(), &st), 0);
      walk_reached(w, st.st_dev, st.st_ino);
    }
  });
  EXPECT_TRUE(followed.ended);
  EXPECT_EQ(followed.stats.directories, 401u);
}

// On a slow disk few directories take long, and the command's own reads wait for them.
TEST_F(Tree, AGuessThatHasTakenLongWithoutProvingUsefulEnds) {
  for (int i = 0; i < 400; ++i) folder(std::to_string(i));
  auto begin = [this](struct walk* w) {
    walk_push(w, ::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_BELOW, WALK_ATIME_RELATIVE,
              nullptr);
    walk_pump(w);
    ::usleep(200 * 1000);  // for so long the first request is in flight
  };
  constexpr uint64_t kUnproved = 100 * 1000000;
  EXPECT_EQ(walk_only(begin, 1000, {}, kUnproved).stats.directories, 1u);
  const Done goes_on = walk_only(
      begin, 1000, [](struct walk* w) { walk_go_on(w); }, kUnproved);
  EXPECT_EQ(goes_on.stats.directories, 401u);
}

TEST_F(Tree, ACommandThatGoesElsewhereIsFollowedLess) {
  for (int i = 0; i < 400; ++i) folder(std::to_string(i));
  const Done done = walk_only(
      [this](struct walk* w) {
        for (int i = 0; i < 10; ++i) walk_astray(w, false);
        walk_push(w, ::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_BELOW, WALK_ATIME_RELATIVE,
                  nullptr);
      },
      64);
  EXPECT_LE(done.stats.directories, 16u);
  EXPECT_EQ(done.stats.astray, 10u);
}

// Its first entries are asked about in the same request.
TEST_F(Tree, WhereTheCommandIsIsKnownInADirectoryOfFilesToo) {
  folder("a");
  for (int i = 0; i < 10; ++i) file("a/" + std::to_string(i));
  const walk_directory a = named(root_, "a");
  int reached = 0;
  walk_only(
      [this](struct walk* w) {
        walk_push(w, ::open(at("a").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_ALONE,
                  WALK_ATIME_RELATIVE, nullptr);
      },
      ~0ull, [&](struct walk* w) { reached += walk_reached(w, a.dev, a.ino); });
  EXPECT_GT(reached, 0);
}

// What a walk with room for 64 directories reads, of a command that was seen so often where it had not come.
uint64_t directories_after(const std::string& root, int times, bool on_the_way) {
  return Tree::walk_only(
             [&](struct walk* w) {
               for (int i = 0; i < times; ++i) walk_astray(w, on_the_way);
               walk_push(w, ::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_BELOW,
                         WALK_ATIME_RELATIVE, nullptr);
             },
             64)
      .stats.directories;
}

TEST_F(Tree, ACommandThatOvertakesTheWalkIsFollowedLessOnlyWhenItDoesSoAgainAndAgain) {
  for (int i = 0; i < 400; ++i) folder(std::to_string(i));
  EXPECT_EQ(directories_after(root_, 63, true), 64u);
  EXPECT_EQ(directories_after(root_, 64, true), 32u);
  EXPECT_EQ(directories_after(root_, 1, false), 32u);
}

TEST_F(Tree, ADirectoryThatWaitsIsFoundAndTakenOut) {
  for (const char* name : {"a", "a/b", "c"}) folder(name);
  const walk_directory a = named(root_, "a"), c = named(root_, "c");
  const Done done = walk_only(
      [&](struct walk* w) {
        walk_push(w, ::open(at("c").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_ALONE,
                  WALK_ATIME_RELATIVE, nullptr);
        EXPECT_EQ(walk_find(w, &c), WALK_WAITS);
        EXPECT_EQ(walk_find(w, &a), WALK_UNKNOWN);
        walk_take_out(w, &c);
        EXPECT_EQ(walk_find(w, &c), WALK_UNKNOWN);
        walk_push(w, ::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_BELOW, WALK_ATIME_RELATIVE,
                  nullptr);
      },
      1, [&](struct walk* w) {  // the root alone has been read: what is in it waits
        EXPECT_EQ(walk_find(w, &a), WALK_WAITS);
        EXPECT_EQ(walk_find(w, &c), WALK_WAITS);
        walk_take_out(w, &a);
        EXPECT_EQ(walk_find(w, &a), WALK_UNKNOWN);
      });
  EXPECT_EQ(done.stats.directories, 1u);
}

TEST_F(Tree, ADirectoryThatWasReadAloneIsReadAgainForWhatIsBelowIt) {
  for (const char* name : {"a", "a/b"}) folder(name);
  const walk_directory a = named(root_, "a");
  auto push = [this](struct walk* w, walk_how how) {
    walk_push(w, ::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), how, WALK_ATIME_RELATIVE, nullptr);
  };
  bool again = false;
  const Done done = walk_only([&](struct walk* w) { push(w, WALK_ALONE); }, ~0ull,
                              [&](struct walk* w) {
                                if (again) return;
                                EXPECT_TRUE(walk_reached(w, a.in_dev, a.in_ino));
                                EXPECT_FALSE(walk_goes_below(w, a.in_dev, a.in_ino));
                                push(w, WALK_BELOW);
                                push(w, WALK_ALONE);  // done by then: not again
                                again = true;
                                walk_pump(w);
                              });
  EXPECT_TRUE(done.ended);
  EXPECT_EQ(done.stats.directories, 1u + 3);
}

// In a directory of many batches of dirents the command may be in a later one: what it has passed comes last.
TEST_F(Tree, WhatLiesAfterTheCommandComesFirstInWhicheverBatchItIs) {
  const std::string filler(200, 'x');
  for (int i = 0; i < 600; ++i) folder(filler + std::to_string(i));
  std::vector<std::string> names;  // in the order of the dirents
  DIR* dir = ::opendir(root_.c_str());
  while (const dirent* entry = ::readdir(dir))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  ::closedir(dir);
  ASSERT_EQ(names.size(), 600u);
  std::vector<size_t> read;
  const Done done = walk_only(
      [&](struct walk* w) {
        walk_push(w, ::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_BELOW, WALK_ATIME_RELATIVE,
                  names[400].c_str());
      },
      100,
      [&](struct walk* w) {
        read.clear();
        for (size_t i = 0; i < names.size(); ++i) {
          const walk_directory d = named(root_, names[i].c_str());
          if (walk_goes_below(w, d.dev, d.ino)) read.push_back(i);
        }
      });
  EXPECT_EQ(done.stats.directories, 100u);  // with the root
  ASSERT_EQ(read.size(), 99u);
  // But for those that were begun while the batch of the command had not been read: 20 in flight, and again.
  EXPECT_GE(std::count_if(read.begin(), read.end(), [](size_t i) { return i > 400; }), 50);
}

// The first 99 in that order, but for those that were begun before all batches of dirents had been read.
TEST_F(Tree, DirectoriesAreTakenInTheOrderOfTheCommandAcrossBatches) {
  const std::string filler(200, 'x');
  std::vector<walk_directory> all;
  std::vector<std::string> names;
  for (int i = 0; i < 600; ++i) names.push_back(filler + std::to_string(1000 + i * 7919 % 600));
  for (const std::string& name : names) {
    folder(name);
    all.push_back(named(root_, name.c_str()));
  }
  for (const walk_order order : {WALK_BY_NAME, WALK_BY_INODE}) {
    std::sort(all.begin(), all.end(), [&](const walk_directory& a, const walk_directory& b) {
      return order == WALK_BY_NAME ? std::strcmp(a.name, b.name) < 0 : a.ino < b.ino;
    });
    ptrdiff_t first = 0;
    walk_only(
        [&](struct walk* w) {
          walk_sort(w, order);
          walk_push(w, ::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), WALK_BELOW,
                    WALK_ATIME_RELATIVE, nullptr);
        },
        100,
        [&](struct walk* w) {
          first = std::count_if(all.begin(), all.begin() + 99,
                                [&](const walk_directory& d) { return walk_goes_below(w, d.dev, d.ino); });
        });
    EXPECT_GE(first, 50) << order;  // of any 99 of 600, 16 would be
  }
}

// Between a look at a descriptor of the command and its opening the number can become another directory's. By
// the path that was read, the walk would go up from there, out of the tree.
TEST_F(Tree, ADescriptorThatHasBecomeAnotherDirectoryIsLeftAlone) {
  for (const char* name : {"tree", "tree/a", "tree/a/b", "beside"}) folder(name);
  auto directories_seen_as = [this](const std::string& link) {
    return walk_only([&](struct walk* w) {
             static prefetch_stats stats;
             struct guess* g = guess_make(w, &stats);
             feed_seen s{};
             for (const char* name : {"tree/a", "tree/a/b"}) {
               struct statx st {};
               ASSERT_EQ(::statx(AT_FDCWD, at(name).c_str(), 0, STATX_BASIC_STATS | STATX_MNT_ID, &st), 0);
               s.pid = ::getpid();
               s.directory = true;
               s.position = 1;
               s.mount = st.stx_mnt_id;
               s.dev = makedev(st.stx_dev_major, st.stx_dev_minor);
               s.ino = st.stx_ino;
               ::strcpy(s.path, at(name).c_str());
               ::strcpy(s.link, name == std::string("tree/a") ? s.path : link.c_str());
               guess_seen(g, &s);
             }
           })
        .stats.directories;
  };
  EXPECT_EQ(directories_seen_as(at("tree/a/b")), 2u);
  EXPECT_EQ(directories_seen_as(root_), 1u);
}

TEST_F(Tree, WithoutDescriptorsTheWalkEndsEarlyAndQuietly) {
  for (int i = 0; i < 50; ++i) {
    folder(std::to_string(i));
    folder(std::to_string(i) + "/below");
  }
  const pid_t pid = ::fork();
  if (pid == 0) {
    const Done done = walk(0, WALK_ATIME_RELATIVE, [](struct walk*) {
      const rlimit few{24, 24};
      ::setrlimit(RLIMIT_NOFILE, &few);
      for (int i = 0; i < 10; ++i) (void)::dup(0);
    });
    ::_exit(done.ended && done.stats.directories < 101 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
