// SPDX-License-Identifier: MIT
// Loops over a directory's entries, call by call. What a program as a whole sees is hazards/entries.
#include <dirent.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/shim/ahead/application.h"

extern "C" {
#include "libsysvm/shim/base/quick.h"
#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/known/mounts.h"
#include "libsysvm/shim/known/overlay.h"
#include "libsysvm/shim/names/dirent.h"
#include "libsysvm/shim/names/listing.h"
}

namespace sysvm {
namespace {

class Directory : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() / ("sysvm-directory-" + std::to_string(getpid()));
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_ / "warm");
    std::filesystem::create_directories(dir_ / "d");
    for (int i = 0; i < 8; ++i)
      put("d/file-" + std::to_string(i), std::string(static_cast<size_t>(i) + 1, 'x'));
    for (const char* name : {"warm", "d"}) {  // relatime leaves it alone
      timespec t[2] = {{time(nullptr) + 10, 0}, {time(nullptr) - 100, 0}};
      utimensat(AT_FDCWD, path(name).c_str(), t, 0);
    }
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }
  std::string path(const std::string& name) { return dir_ / name; }
  void put(const std::string& name, const std::string& text) { std::ofstream(path(name)) << text; }

  static std::string procedures() {
    std::ifstream in(std::string(HAZARDS_DIR) + "/entries.svp.txt");
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }

  // Opens and reads it; the names in the order in which they came.
  long list(Application& app, const std::string& name) {
    const long fd = app.open(path(name), O_RDONLY | O_NONBLOCK | O_DIRECTORY | O_CLOEXEC);
    struct stat st;
    app.fstat(fd, &st);
    names_.clear();
    for (long n; (n = app.call(SYS_getdents64, static_cast<uint64_t>(fd), reinterpret_cast<uint64_t>(buffer_),
                               sizeof(buffer_))) > 0;)
      for (long at = 0; at < n; at += dirent_length(reinterpret_cast<unsigned char*>(buffer_ + at))) {
        const std::string entry = buffer_ + at + 19;
        if (entry != "." && entry != "..") names_.push_back(entry);
      }
    return fd;
  }
  long look(Application& app, long fd, const std::string& name, struct stat* st) {
    return app.call(SYS_newfstatat, static_cast<uint64_t>(fd), reinterpret_cast<uint64_t>(name.c_str()),
                    reinterpret_cast<uint64_t>(st), AT_SYMLINK_NOFOLLOW);
  }
  long start(Application& app) {
    app.close(list(app, "warm"));
    return list(app, "d");
  }

  std::filesystem::path dir_;
  std::vector<std::string> names_;
  char buffer_[32768];
  struct stat st_;
};

TEST_F(Directory, EveryEntryIsAnsweredOnceInAtMostOneMoreEntry) {
  Application app(procedures());
  ASSERT_EQ(app.started(), SHIM_ON);
  const long fd = start(app);
  const uint64_t entries = app.forwarded() + app.stats().runs;
  for (const std::string& name : names_) {
    EXPECT_EQ(look(app, fd, name, &st_), 0);
    EXPECT_EQ(st_.st_size, name.back() - '0' + 1);
  }
  EXPECT_LE(app.forwarded() + app.stats().runs, entries + 1);
  const uint64_t forwarded = app.forwarded();
  EXPECT_EQ(look(app, fd, names_.back(), &st_), 0);
  EXPECT_GE(app.forwarded() + app.stats().runs, forwarded + 1) << "a result was used twice";
  app.close(fd);
}

TEST_F(Directory, WhatIsAskedForOutOfOrderIsAskedOfTheKernel) {
  Application app(procedures());
  const long fd = start(app);
  look(app, fd, names_[0], &st_);
  look(app, fd, names_[3], &st_);
  std::filesystem::resize_file(path("d/" + names_[1]), 500);
  EXPECT_EQ(look(app, fd, names_[1], &st_), 0);
  EXPECT_EQ(st_.st_size, 500) << "older than the answer before it";
  app.close(fd);
}

TEST_F(Directory, ACallWithNewsDropsTheRecords) {
  Application app(procedures());
  const long fd = start(app);
  look(app, fd, names_[0], &st_);
  std::filesystem::resize_file(path("d/" + names_[1]), 500);
  app.call(SYS_getppid);
  EXPECT_EQ(look(app, fd, names_[1], &st_), 0);
  EXPECT_EQ(st_.st_size, 500);
  app.close(fd);
}

TEST_F(Directory, ACallWithoutNewsDoesNot) {
  Application app(procedures());
  const long fd = start(app);
  look(app, fd, names_[0], &st_);
  app.call(SYS_getpid);
  const uint64_t hits = app.hits();
  EXPECT_EQ(look(app, fd, names_[1], &st_), 0);
  EXPECT_EQ(app.hits(), hits + 1);
  app.close(fd);
}

// fts and find copy descriptors in the middle of a directory.
TEST_F(Directory, ACopyOfADescriptorDoesNotEither) {
  Application app(procedures());
  const long other = list(app, "warm"), fd = list(app, "d");
  look(app, fd, names_[0], &st_);
  app.close(other);  // late
  const uint64_t hits = app.hits();
  EXPECT_EQ(app.call(SYS_fcntl, static_cast<uint64_t>(fd), F_DUPFD_CLOEXEC, 0), other)
      << "the lowest number that is free";
  EXPECT_EQ(look(app, fd, names_[1], &st_), 0);
  EXPECT_EQ(app.hits(), hits + 1);
  app.close(other);
  app.close(fd);
}

TEST_F(Directory, ACopyThatFailsDropsThem) {
  Application app(procedures());
  const long fd = start(app);
  look(app, fd, names_[0], &st_);
  std::filesystem::resize_file(path("d/" + names_[1]), 500);
  EXPECT_EQ(app.call(SYS_fcntl, static_cast<uint64_t>(fd), F_DUPFD, 1u << 30), -EINVAL);
  EXPECT_EQ(look(app, fd, names_[1], &st_), 0);
  EXPECT_EQ(st_.st_size, 500);
  app.close(fd);
}

// What lies on another file system is not looked at further: here none of it lies on the directory's own.
TEST_F(Directory, AnEntryOnAnotherDeviceEndsTheLoop) {
  Application app(procedures());
  const long fd = start(app);
  app.call(SYS_getppid);
  ASSERT_NE(listing_by_fd(static_cast<uint64_t>(fd)), nullptr);
  listing_by_fd(static_cast<uint64_t>(fd))->device += 1000;
  const uint64_t hits = app.hits();
  for (const std::string& name : names_) {
    EXPECT_EQ(look(app, fd, name, &st_), 0);
    EXPECT_EQ(st_.st_size, name.back() - '0' + 1);
  }
  EXPECT_EQ(app.hits(), hits);
  app.close(fd);
}

TEST_F(Directory, RelaxedAgeKeepsTheRecordsOverOtherLooks) {
  for (bool relaxed : {false, true}) {
    Application app(procedures(), false, 1000, relaxed);
    const long fd = start(app);
    look(app, fd, names_[0], &st_);
    const std::string elsewhere = path("warm");
    app.call(SYS_access, reinterpret_cast<uint64_t>(elsewhere.c_str()), R_OK);
    const uint64_t runs = app.stats().runs;
    EXPECT_EQ(look(app, fd, names_[1], &st_), 0);
    EXPECT_EQ(app.stats().runs, relaxed ? runs : runs + 1);
    std::filesystem::resize_file(path("d/" + names_[2]), 500);
    app.call(SYS_getppid);  // news is news
    EXPECT_EQ(look(app, fd, names_[2], &st_), 0);
    EXPECT_EQ(st_.st_size, 500);
    app.close(fd);
    std::filesystem::resize_file(path("d/" + names_[2]), 1);
  }
}

TEST_F(Directory, RelaxedAgeMakesLateClosesFirst) {
  Application app(procedures(), false, 1000, true);
  const long other = list(app, "warm"), fd = list(app, "d");
  look(app, fd, names_[0], &st_);
  app.close(other);  // late
  EXPECT_EQ(app.fstat(other, &st_), -EBADF);
  EXPECT_EQ(look(app, fd, names_[1], &st_), 0);
  app.close(fd);
}

// Layers on different file systems: a directory shows the overlay's device, a file that of its layer.
TEST_F(Directory, FilesOfAnOverlayAreLookedAt) {
  const std::string low = path("low"), high = path("high"), top = path("top");
  for (const std::string& d : {low, high, top}) std::filesystem::create_directories(d);
  if (unshare(CLONE_NEWNS) || mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) ||
      mount("t", low.c_str(), "tmpfs", 0, "") || mount("t", high.c_str(), "tmpfs", 0, ""))
    GTEST_SKIP() << "cannot mount here";
  for (const char* d : {"low/warm", "low/d", "high/upper", "high/work"})
    std::filesystem::create_directories(path(d));
  for (int i = 0; i < 8; ++i)
    put("low/d/file-" + std::to_string(i), std::string(static_cast<size_t>(i) + 1, 'x'));
  const std::string options =
      "lowerdir=" + low + ",upperdir=" + high + "/upper,workdir=" + high + "/work,xino=off";
  if (mount("o", top.c_str(), "overlay", 0, options.c_str())) GTEST_SKIP() << "no overlay here";
  struct stat file {
  }, directory{};
  ASSERT_EQ(stat(path("top/d").c_str(), &directory) | stat(path("top/d/file-1").c_str(), &file), 0);
  if (file.st_dev == directory.st_dev) GTEST_SKIP() << "files show the overlay's device here";
  {
    Application app(procedures());
    app.close(list(app, "top/warm"));
    app.close(list(app, "top/d"));  // learns
    const long fd = list(app, "top/d");
    const uint64_t hits = app.hits();
    for (const std::string& name : names_) {
      EXPECT_EQ(look(app, fd, name, &st_), 0);
      EXPECT_EQ(st_.st_size, name.back() - '0' + 1);
      EXPECT_EQ(st_.st_dev, file.st_dev);
    }
    EXPECT_GE(app.hits() - hits, names_.size() - 2)
        << "the first look may still learn, the next is the run's own";
    app.close(fd);
  }
  for (const std::string& d : {top, low, high}) umount2(d.c_str(), MNT_DETACH);
}

// A file that was mounted over an entry since the table was read shows another device, too. It is no
// overlay's.
TEST_F(Directory, AFileThatIsMountedThereIsNoOverlays) {
  std::filesystem::create_directories(path("elsewhere"));
  if (unshare(CLONE_NEWNS) || mount("", "/", "", MS_REC | MS_PRIVATE, nullptr) ||
      mount("t", path("elsewhere").c_str(), "tmpfs", 0, ""))
    GTEST_SKIP() << "cannot mount here";
  put("elsewhere/file", "elsewhere");
  struct stat directory {
  }, file{};
  ASSERT_EQ(stat(path("d").c_str(), &directory) | stat(path("elsewhere/file").c_str(), &file), 0);
  ASSERT_NE(directory.st_dev, file.st_dev);
  {
    Application app(procedures());
    start(app);  // mounts are known from now on, for a second
    ASSERT_EQ(mount(path("elsewhere/file").c_str(), path("d/file-3").c_str(), nullptr, MS_BIND, nullptr), 0);
    const long fd = list(app, "d");
    for (const std::string& name : names_) {
      EXPECT_EQ(look(app, fd, name, &st_), 0);
      EXPECT_EQ(st_.st_dev, name == "file-3" ? file.st_dev : directory.st_dev);
    }
    EXPECT_EQ(overlay_files(directory.st_dev), directory.st_dev);
    app.close(fd);
  }
  umount2(path("d/file-3").c_str(), MNT_DETACH);
  umount2(path("elsewhere").c_str(), MNT_DETACH);
}

TEST_F(Directory, ASignalHandlerDropsTheRecords) {
  Application app(procedures());
  const long fd = start(app);
  look(app, fd, names_[0], &st_);
  std::filesystem::resize_file(path("d/" + names_[1]), 500);
  shim_signals = shim_signals + 1;
  EXPECT_EQ(look(app, fd, names_[1], &st_), 0);
  EXPECT_EQ(st_.st_size, 500);
  app.close(fd);
}

TEST_F(Directory, OldRecordsAreNotUsed) {
  Application app(procedures(), false, 10);
  const long fd = start(app);
  look(app, fd, names_[0], &st_);
  std::filesystem::resize_file(path("d/" + names_[1]), 500);
  usleep(60000);
  EXPECT_EQ(look(app, fd, names_[1], &st_), 0);
  EXPECT_EQ(st_.st_size, 500);
  app.close(fd);
}

// A handler of a signal that came while a call was looked at.
TEST_F(Directory, ACallInTheMiddleOfAnotherDropsTheRecords) {
  Application app(procedures());
  const long fd = start(app);
  look(app, fd, names_[0], &st_);
  std::filesystem::resize_file(path("d/" + names_[1]), 500);
  quick.busy_sp = quick.stack_high - 8;  // the call that was interrupted is further up
  EXPECT_EQ(look(app, fd, names_[1], &st_), 0);
  quick.busy_sp = 0;
  EXPECT_EQ(st_.st_size, 500);
  app.close(fd);
}

TEST_F(Directory, ACallFromAnotherStackDropsTheRecords) {
  Application app(procedures());
  const long fd = start(app);
  look(app, fd, names_[0], &st_);
  std::filesystem::resize_file(path("d/" + names_[1]), 500);
  const uint64_t high = quick.stack_high;
  quick.stack_high = 0;
  EXPECT_EQ(look(app, fd, names_[1], &st_), 0);
  quick.stack_high = high;
  EXPECT_EQ(st_.st_size, 500);
  app.close(fd);
}

// The open has run ahead up to the names, but the program has not read the directory yet.
TEST_F(Directory, WhatComesBeforeTheLoopIsAskedForFirst) {
  Application app(procedures());
  app.close(start(app));
  const long fd = app.open(path("d"), O_RDONLY | O_NONBLOCK | O_DIRECTORY | O_CLOEXEC);
  std::filesystem::resize_file(path("d/" + names_[0]), 500);
  EXPECT_EQ(look(app, fd, names_[0], &st_), 0);
  EXPECT_EQ(st_.st_size, 500);
  app.close(fd);
}

// A loop of three calls by path: the last of them is made for links alone, and an attribute may be secret.
TEST_F(Directory, EachCallAboutAnEntryHasItsOwnAnswer) {
  const auto secret = [](const std::string& name) { return "for nobody but " + name + "."; };
  for (int i = 10; i < 50; ++i) put("d/file-" + std::to_string(i), "x");
  std::filesystem::create_symlink("nowhere", path("d/link"));
  bool attributes = true;
  for (int i = 0; i < 50; ++i) {
    const std::string name = "file-" + std::to_string(i), text = secret(name);
    if (std::filesystem::exists(path("d/" + name)))
      attributes &= setxattr(path("d/" + name).c_str(), "user.label", text.data(), text.size(), 0) == 0;
  }
  Application app(procedures());
  app.close(start(app));
  for (size_t i = 0; i < names_.size(); ++i) {
    const std::string file = path("d/" + names_[i]), text = secret(names_[i]);
    const auto name = reinterpret_cast<uint64_t>(file.c_str()), to = reinterpret_cast<uint64_t>(buffer_);
    const bool link = names_[i] == "link";
    EXPECT_EQ(app.call(SYS_newfstatat, static_cast<uint64_t>(AT_FDCWD), name,
                       reinterpret_cast<uint64_t>(&st_), AT_SYMLINK_NOFOLLOW),
              0);
    EXPECT_EQ(S_ISLNK(st_.st_mode), link) << file;
    const long n = app.call(SYS_lgetxattr, name, reinterpret_cast<uint64_t>("user.label"), to, 300);
    if (!link && attributes) {
      EXPECT_EQ(std::string(buffer_, static_cast<size_t>(n)), text);
      EXPECT_EQ(memmem(areas.staging, STAGING_BYTES, text.data(), text.size()), nullptr)
          << "it was not wiped";
    } else {
      EXPECT_LT(n, 0) << file;
    }
    if (link || i % 2) {
      const long length = app.call(SYS_readlink, name, to, 300);
      EXPECT_EQ(length, link ? 7 : -EINVAL) << file;
    }
  }
  EXPECT_GT(app.hits(), names_.size()) << "most of them came from records";
}

// Its buffer is full after every 20 entries: what lies behind that is not looked at before.
TEST_F(Directory, ARunEndsWhereTheProgramWillWrite) {
  for (int i = 0; i < 200; ++i) put("d/more-" + std::to_string(i), "x");
  Application app(procedures(), false, 10000);
  const int out = ::open("/dev/null", O_WRONLY);
  const auto print = [&] {
    app.call(SYS_write, static_cast<uint64_t>(out), reinterpret_cast<uint64_t>("line"), 4);
  };
  const long fd = start(app);
  uint64_t before = 0;
  for (size_t i = 0; i < names_.size(); ++i) {
    if (i == 60) before = app.stats().inner;
    EXPECT_EQ(look(app, fd, names_[i], &st_), 0);
    if (i % 20 == 19) print();
  }
  EXPECT_LE(app.stats().inner - before, names_.size() - 60 + 30)
      << "each entry once, and what a run asks for besides";
  app.close(fd);
  ::close(out);
}

// The call is overdue: nothing is held back.
TEST_F(Directory, AProgramThatWritesNoMoreIsNotHeldBack) {
  for (int i = 0; i < 200; ++i) put("d/more-" + std::to_string(i), "x");
  Application app(procedures(), false, 10000);
  const long fd = start(app);
  uint64_t entries = 0;
  for (size_t i = 0; i < names_.size(); ++i) {
    if (i == 80) entries = app.forwarded() + app.stats().runs;
    EXPECT_EQ(look(app, fd, names_[i], &st_), 0);
    if (i % 20 == 19 && i < 60) app.call(SYS_getppid);
  }
  EXPECT_LE(app.forwarded() + app.stats().runs, entries + 4);
  app.close(fd);
}

TEST_F(Directory, AnEntryThatIsGoneIsGone) {
  Application app(procedures());
  const long fd = start(app);
  std::filesystem::remove(path("d/" + names_[2]));
  app.call(SYS_getppid);
  look(app, fd, names_[0], &st_);
  const uint64_t hits = app.hits();
  EXPECT_EQ(look(app, fd, names_[1], &st_), 0);
  EXPECT_EQ(look(app, fd, names_[2], &st_), -ENOENT);
  EXPECT_EQ(look(app, fd, names_[3], &st_), 0);
  EXPECT_EQ(app.hits(), hits + 3);
  app.close(fd);
}

TEST_F(Directory, FlagsAndBufferAreCompared) {
  Application app(procedures());
  const long fd = start(app);
  look(app, fd, names_[0], &st_);
  const uint64_t hits = app.hits();
  EXPECT_EQ(app.call(SYS_newfstatat, static_cast<uint64_t>(fd), reinterpret_cast<uint64_t>(names_[1].c_str()),
                     reinterpret_cast<uint64_t>(&st_), 0),
            0);
  EXPECT_EQ(app.hits(), hits);
  look(app, fd, names_[2], &st_);
  EXPECT_EQ(app.call(SYS_newfstatat, static_cast<uint64_t>(fd), reinterpret_cast<uint64_t>(names_[3].c_str()),
                     16, AT_SYMLINK_NOFOLLOW),
            -EFAULT);
  app.close(fd);
}

TEST_F(Directory, ADescriptorWithTheSameNumberIsAnotherDirectory) {
  Application app(procedures());
  std::filesystem::create_directories(path("e"));
  put("e/file-1", std::string(700, 'y'));
  const long fd = start(app);
  look(app, fd, "file-0", &st_);
  app.close(fd);
  const long other = app.open(path("e"), O_RDONLY | O_DIRECTORY);
  EXPECT_EQ(other, fd);
  EXPECT_EQ(look(app, other, "file-1", &st_), 0);
  EXPECT_EQ(st_.st_size, 700);
  app.close(other);
}

// --- A file made on purpose: the verifier takes the code of a loop, so what it writes into its records may
// be anything.

class Hostile : public Directory {
 protected:
  // The procedures with each `line` of their code replaced.
  static std::string with(const std::string& line, const std::string& instead) {
    std::string text = procedures();
    size_t found = 0;
    for (size_t at = 0; (at = text.find(line + "\n", at)) != std::string::npos; at += instead.size(), ++found)
      text.replace(at, line.size(), instead);
    EXPECT_GT(found, 0u) << line;
    return text;
  }
  // Whatever the records say, the application gets what the kernel says.
  void expect_the_kernels_answers(Application& app, long fd) {
    for (const std::string& name : names_) {
      struct stat now {};
      ASSERT_EQ(stat(path("d/" + name).c_str(), &now), 0);
      EXPECT_EQ(look(app, fd, name, &st_), 0) << name;
      EXPECT_EQ(st_.st_size, now.st_size) << name;
    }
  }
};

TEST_F(Hostile, ARecordThatPointsOutsideIsVoid) {
  for (const char* where : {"16", "-8", "0x7ffffffff000"}) {
    Application app(with("st64 [r25], r248", std::string("movi64 r60, ") + where + "\nst64 [r25], r60"));
    ASSERT_EQ(app.started(), SHIM_ON);
    const long fd = start(app);
    expect_the_kernels_answers(app, fd);
    EXPECT_EQ(app.stats().proc[0].misses, 0u) << "records of that loop became outstanding";
    app.close(fd);
  }
}

// At the end of the staging area stands "xxxxx", and what lies behind it is not the loop's.
TEST_F(Hostile, ANameThatDoesNotEndInsideIsVoid) {
  put("d/xxxxx", "a sixth of a line");
  Application app(
      with("st64 [r25], r248",
           "movi32 r60, 262120\nadd r60, r255, r60\nmovi64 r61, 0x7878787878787878\nst64 [r60], r61\n"
           "st64 [r60+8], r61\nst64 [r60+16], r61\nst64 [r25], r60"));
  ASSERT_EQ(app.started(), SHIM_ON);
  const long fd = start(app);
  std::stable_partition(names_.begin(), names_.end(), [](const std::string& n) { return n == "xxxxx"; });
  expect_the_kernels_answers(app, fd);
  app.close(fd);
}

// A result says how many bytes are wiped when the record is used or dropped; what lies behind the staging
// area is not the loop's.
TEST_F(Hostile, AResultLargerThanItsPlaceIsVoid) {
  Application app(with("st64 [r8+16], r15", "movi32 r60, 264000\nst64 [r8+16], r60"));
  ASSERT_EQ(app.started(), SHIM_ON);
  char* behind = areas.path;  // right behind the staging area
  strcpy(behind, "not the loop's");
  const long fd = start(app);
  app.close(fd);
  struct stat now {};
  for (const std::string& name : names_) {
    const std::string file = path("d/" + name);
    ASSERT_EQ(stat(file.c_str(), &now), 0);
    EXPECT_EQ(
        app.call(SYS_newfstatat, static_cast<uint64_t>(AT_FDCWD), reinterpret_cast<uint64_t>(file.c_str()),
                 reinterpret_cast<uint64_t>(&st_), AT_SYMLINK_NOFOLLOW),
        0);
    EXPECT_EQ(st_.st_size, now.st_size) << name;
    EXPECT_EQ(app.call(SYS_lgetxattr, reinterpret_cast<uint64_t>(file.c_str()),
                       reinterpret_cast<uint64_t>("user.label"), reinterpret_cast<uint64_t>(buffer_), 300),
              -ENODATA)
        << name;
  }
  EXPECT_GT(app.stats().proc[1].runs, 0u);
  EXPECT_STREQ(behind, "not the loop's");
}

// --- mounts.c

class Mounts : public testing::Test {
 protected:
  bool take(const std::string& text) {
    text_ = text;
    return mounts_take(text_.data(), points_, 64);
  }
  static uint64_t inode(const char* path) {
    struct stat st {};
    lstat(path, &st);
    return st.st_ino;
  }
  std::string text_;
  mount_point points_[64];
};

TEST_F(Mounts, ADirectoryWithAMountPointOfAnotherKindIsAvoided) {
  ASSERT_TRUE(
      take("22 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
           "23 22 0:21 / /proc rw shared:5 - proc proc rw\n"
           "24 22 0:30 / /usr/lib rw,nosuid master:7 - fuse.sshfs host: rw\n"
           "25 22 0:31 / /usr/share/doc rw - autofs systemd-1 rw\n"
           "26 22 0:32 / /tmp rw - tmpfs tmpfs rw\n"));
  EXPECT_TRUE(mounts_avoid(inode("/")));
  EXPECT_TRUE(mounts_avoid(inode("/usr")));
  EXPECT_TRUE(mounts_avoid(inode("/usr/share")));
  EXPECT_FALSE(mounts_avoid(inode("/usr/share/doc")));
  EXPECT_FALSE(mounts_avoid(inode("/etc")));
}

TEST_F(Mounts, NothingIsLookedAtUnderAMountThatMayWait) {
  // Below the FUSE mount nothing may be looked up, so its directory is not among those avoided: nobody lists
  // it.
  ASSERT_TRUE(
      take("22 1 254:0 / / rw - ext4 /dev/vda rw\n"
           "24 22 0:30 / /usr rw - fuse.sshfs host: rw\n"
           "25 24 0:31 / /usr/share/doc rw - nfs4 host:/x rw\n"));
  EXPECT_TRUE(mounts_avoid(inode("/")));
  EXPECT_FALSE(mounts_avoid(inode("/usr/share")));
}

TEST_F(Mounts, AGoodFileSystemUnderOneThatMayWaitSwitchesLoopsOff) {
  EXPECT_FALSE(
      take("22 1 254:0 / / rw - ext4 /dev/vda rw\n"
           "24 22 0:30 / /usr rw - fuse.sshfs host: rw\n"
           "25 24 0:31 / /usr/share rw - tmpfs tmpfs rw\n"));
}

TEST_F(Mounts, ALineThatIsNotUnderstoodSwitchesLoopsOff) {
  EXPECT_FALSE(take("22 1 254:0 / / rw\n"));
  EXPECT_FALSE(take("nonsense\n"));
}

TEST_F(Mounts, SpacesInPathsAreWritten040) {
  const std::string dir = std::filesystem::temp_directory_path() / ("a b" + std::to_string(getpid()));
  std::filesystem::create_directories(dir + "/mnt");
  std::string written = dir;
  written.replace(written.find(' '), 1, "\\040");
  ASSERT_TRUE(
      take("22 1 254:0 / / rw - ext4 /dev/vda rw\n25 22 0:31 / " + written + "/mnt rw - nfs4 host:/x rw\n"));
  EXPECT_TRUE(mounts_avoid(inode(dir.c_str())));
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace sysvm
