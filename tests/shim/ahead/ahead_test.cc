// SPDX-License-Identifier: MIT
// The ahead half, call by call. What programs as a whole see is in tests/shim/hazards/.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/xattr.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/shim/ahead/application.h"

extern "C" {
#include "libsysvm/shim/base/quick.h"
#include "libsysvm/shim/known/areas.h"
}

namespace sysvm {
namespace {

std::string procedures(const std::string& name) {
  std::ifstream in(std::string(HAZARDS_DIR) + "/" + name);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string without_lines(const std::string& text, const std::string& word) {
  std::istringstream in(text);
  std::string out, line;
  while (std::getline(in, line))
    if (line.find(word) == std::string::npos) out += line + "\n";
  return out;
}

class Ahead : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() / ("sysvm-ahead-" + std::to_string(getpid()));
    std::filesystem::create_directories(dir_);
    put("warm", "warm\n");
    put("data", "hello, world\n");
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  std::string path(const std::string& name) { return dir_ / name; }
  void put(const std::string& name, const std::string& text) {
    std::ofstream(path(name)) << text;
    timespec t[2] = {{time(nullptr) + 10, 0}, {time(nullptr) - 100, 0}};
    utimensat(AT_FDCWD, path(name).c_str(), t, 0);
  }
  // The first open on a file system runs nothing ahead: it finds out whether that file system is good.
  void warm_up(Application& app) { app.close(app.open(path("warm"))); }

  std::filesystem::path dir_;
  char buffer_[70000];
};

TEST_F(Ahead, ReadsAFileInOneEntry) {
  Application app(procedures("stat_read.svp.txt"));
  ASSERT_EQ(app.started(), SHIM_ON);
  warm_up(app);
  const uint64_t forwarded = app.forwarded(), runs = app.stats().runs;
  struct stat st;
  const long fd = app.open(path("data"));
  ASSERT_GE(fd, 0);
  EXPECT_EQ(app.fstat(fd, &st), 0);
  EXPECT_EQ(st.st_size, 13);
  EXPECT_EQ(app.read(fd, buffer_, sizeof(buffer_)), 13);
  EXPECT_EQ(std::string(buffer_, 13), "hello, world\n");
  EXPECT_EQ(app.read(fd, buffer_, 4096), 0);
  EXPECT_EQ(app.lseek(fd, 0, SEEK_CUR), 13);
  EXPECT_EQ(app.close(fd), 0);
  EXPECT_EQ(app.forwarded(), forwarded);
  EXPECT_EQ(app.stats().runs, runs + 1);
}

TEST_F(Ahead, KnowsNoSequenceByItself) {
  Application app(
      "procedure \"close\" late_close {\n staging 0\n result r7\n trigger close(_)\n code {\n end\n }\n}\n");
  struct stat st;
  for (int i = 0; i < 3; ++i) {
    const long fd = app.open(path("data"));
    app.fstat(fd, &st);
    app.read(fd, buffer_, 100);
    app.close(fd);
  }
  EXPECT_EQ(app.hits(), 0u);
  EXPECT_EQ(app.forwarded(), 12u);
}

TEST_F(Ahead, TakingAFollowerOutOfTheTextLowersTheHits) {
  auto hits_with = [&](const std::string& text) {
    Application app(text);
    warm_up(app);
    const uint64_t before = app.hits();
    struct stat st;
    const long fd = app.open(path("data"));
    app.fstat(fd, &st);
    app.close(fd);
    return app.hits() - before;
  };
  const std::string all = procedures("stat_read.svp.txt");
  EXPECT_EQ(hits_with(all), 2u);
  EXPECT_EQ(hits_with(without_lines(all, "follower r8 = newfstatat")), 1u);
}

TEST_F(Ahead, AnUnusedReadIsTakenBack) {
  Application app(procedures("read.svp.txt"));
  warm_up(app);
  const long fd = app.open(path("data"));
  EXPECT_EQ(::lseek(static_cast<int>(fd), 0, SEEK_CUR), 13) << "the read has not been made ahead";
  EXPECT_EQ(app.lseek(fd, 7, SEEK_SET), 7);
  EXPECT_EQ(app.read(fd, buffer_, 100), 6);
  EXPECT_EQ(std::string(buffer_, 6), "world\n");
  EXPECT_GE(app.stats().proc[1].undone, 1u);
  app.close(fd);
}

TEST_F(Ahead, AnOldResultIsNotUsed) {
  Application app(procedures("read.svp.txt"), false, 10);
  warm_up(app);
  const long fd = app.open(path("data"));
  usleep(60000);
  std::ofstream(path("data"), std::ios::in) << "HELLO";
  EXPECT_EQ(app.read(fd, buffer_, 100), 13);
  EXPECT_EQ(std::string(buffer_, 5), "HELLO");
  app.close(fd);
}

TEST_F(Ahead, AResultFromBeforeASignalHandlerIsNotUsed) {
  Application app(procedures("read.svp.txt"));
  warm_up(app);
  const long fd = app.open(path("data"));
  shim_signals = shim_signals + 1;
  std::ofstream(path("data"), std::ios::in) << "HELLO";
  EXPECT_EQ(app.read(fd, buffer_, 100), 13);
  EXPECT_EQ(std::string(buffer_, 5), "HELLO");
  app.close(fd);
}

TEST_F(Ahead, ACallWithNewsDropsTheLogAndOneWithoutDoesNot) {
  Application app(procedures("stat_read.svp.txt"));
  warm_up(app);
  struct stat st;
  long fd = app.open(path("data"));
  app.call(SYS_getpid);
  uint64_t hits = app.hits();
  app.fstat(fd, &st);
  EXPECT_EQ(app.hits(), hits + 1);
  app.close(fd);

  fd = app.open(path("data"));
  app.call(SYS_stat, reinterpret_cast<uint64_t>(path("warm").c_str()), reinterpret_cast<uint64_t>(&st));
  hits = app.hits();
  app.fstat(fd, &st);
  EXPECT_EQ(app.hits(), hits);
  app.close(fd);
}

TEST_F(Ahead, AShortReadAnswersAnySizeThatHoldsItAndNoOther) {
  Application app(procedures("read.svp.txt"));
  warm_up(app);
  for (size_t size : {13u, 14u, 4096u, 70000u}) {
    const long fd = app.open(path("data"));
    const uint64_t hits = app.hits();
    EXPECT_EQ(app.read(fd, buffer_, size), 13);
    EXPECT_EQ(app.hits(), hits + 1) << size;
    app.close(fd);
  }
  for (size_t size : {0u, 1u, 12u}) {
    const long fd = app.open(path("data"));
    const uint64_t hits = app.hits();
    EXPECT_EQ(app.read(fd, buffer_, size), static_cast<long>(size));
    EXPECT_EQ(app.hits(), hits) << size;
    EXPECT_EQ(app.read(fd, buffer_, 100), static_cast<long>(13 - size));
    app.close(fd);
  }
}

// A program asks how long the list of attributes is before it makes room for it.
TEST_F(Ahead, AQuestionForTheSizeAloneIsAnswered) {
  const std::string text = R"(procedure "open, and how long is the list" run_ahead {
  seen 1
  staging 192
  result r7
  trigger openat(_, _, _, _) path 1
  follower r18 = flistxattr(r7, out@192:0, 0)
  code {
    openat r7, r0, r1, r2, r3
    fstat r8, r7, r255
    ld64 r9, [r255+0]
    jne r9, r253, done
    ld32 r9, [r255+24]
    movi32 r10, 61440
    and r9, r9, r10
    movi32 r11, 32768
    jne r9, r11, done
    addi r16, r255, 192
    movi8 r17, 0
    flistxattr r18, r7, r16, r17
    done:
    end
  }
})";
  Application app(text);
  ASSERT_EQ(app.started(), SHIM_ON);
  warm_up(app);
  if (setxattr(path("data").c_str(), "user.colour", "blue", 4, 0) != 0) GTEST_SKIP() << "no attributes here";
  const long fd = app.open(path("data"));
  const uint64_t hits = app.hits();
  EXPECT_EQ(app.call(SYS_flistxattr, static_cast<uint64_t>(fd), 0, 0), 12);
  EXPECT_EQ(app.hits(), hits + 1);
  EXPECT_EQ(app.call(SYS_flistxattr, static_cast<uint64_t>(fd), 0, 0), 12);
  EXPECT_EQ(app.hits(), hits + 1) << "used once";
  app.close(fd);
}

TEST_F(Ahead, AWriteCarriesTheLateCloseAndRenewsTheEnd) {
  Application app(procedures("read.svp.txt"));
  warm_up(app);
  const int out = ::open(path("out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  const long fd = app.open(path("data"));
  EXPECT_EQ(app.read(fd, buffer_, 100), 13);
  uint64_t forwarded = app.forwarded(), hits = app.hits();
  EXPECT_EQ(app.call(SYS_write, static_cast<uint64_t>(out), reinterpret_cast<uint64_t>("x"), 1), 1);
  EXPECT_EQ(app.read(fd, buffer_, 100), 0);
  EXPECT_EQ(app.hits(), hits + 1) << "the end was not renewed";
  EXPECT_EQ(app.forwarded(), forwarded);
  EXPECT_EQ(app.close(fd), 0);
  EXPECT_GE(fcntl(static_cast<int>(fd), F_GETFD), 0) << "the close was not put off";
  EXPECT_EQ(app.call(SYS_write, static_cast<uint64_t>(out), reinterpret_cast<uint64_t>("x"), 1), 1);
  EXPECT_LT(fcntl(static_cast<int>(fd), F_GETFD), 0) << "the close did not ride";
  EXPECT_EQ(app.forwarded(), forwarded);
  ::close(out);
}

TEST_F(Ahead, RenewalSeesWhatTheCallChanged) {
  Application app(procedures("read.svp.txt"));
  warm_up(app);
  const int out = ::open(path("data").c_str(), O_WRONLY | O_APPEND);
  const long fd = app.open(path("data"));
  EXPECT_EQ(app.read(fd, buffer_, 100), 13);
  EXPECT_EQ(app.call(SYS_write, static_cast<uint64_t>(out), reinterpret_cast<uint64_t>("more\n"), 5), 5);
  EXPECT_EQ(app.read(fd, buffer_, 3), 3);
  EXPECT_EQ(std::string(buffer_, 3), "mor");
  EXPECT_EQ(app.read(fd, buffer_, 100), 2);
  ::close(out);
  app.close(fd);
}

TEST_F(Ahead, LateCloseIsOffWithStrict) {
  Application app(procedures("read.svp.txt"), true);
  warm_up(app);
  const long fd = app.open(path("data"));
  EXPECT_EQ(app.close(fd), 0);
  EXPECT_LT(fcntl(static_cast<int>(fd), F_GETFD), 0);
}

TEST_F(Ahead, LateCloseIsOffOnceALockWasUsed) {
  Application app(procedures("read.svp.txt"));
  warm_up(app);
  const int other = ::open(path("warm").c_str(), O_RDWR);
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  EXPECT_EQ(app.call(SYS_fcntl, static_cast<uint64_t>(other), F_SETLK, reinterpret_cast<uint64_t>(&lock)), 0);
  const long fd = app.open(path("data"));
  EXPECT_EQ(app.close(fd), 0);
  EXPECT_LT(fcntl(static_cast<int>(fd), F_GETFD), 0);
  ::close(other);
}

TEST_F(Ahead, ADescriptorOpenedForWritingIsNotReadAhead) {
  Application app(procedures("read.svp.txt"));
  warm_up(app);
  const uint64_t runs = app.stats().proc[1].runs;
  const long fd = app.open(path("data"), O_RDWR);
  EXPECT_EQ(app.stats().proc[1].runs, runs);
  app.close(fd);
}

TEST_F(Ahead, ProcAndDevicesAreNotReadAhead) {
  Application app(procedures("read.svp.txt"));
  warm_up(app);
  for (const char* name : {"/proc/self/stat", "/dev/zero", "/sys/kernel/uevent_seqnum"}) {
    const long fd = app.open(name);
    const uint64_t hits = app.hits();
    app.read(fd, buffer_, 10);
    EXPECT_EQ(app.hits(), hits) << name;
    app.close(fd);
  }
}

TEST_F(Ahead, AtimeIsNeverMoved) {
  Application app(procedures("read.svp.txt"));
  warm_up(app);
  timespec t[2] = {{1000000000, 0}, {1600000000, 0}};
  utimensat(AT_FDCWD, path("data").c_str(), t, 0);
  const long fd = app.open(path("data"));
  struct stat st;
  ::stat(path("data").c_str(), &st);
  EXPECT_EQ(st.st_atime, 1000000000);
  app.close(fd);
}

TEST_F(Ahead, ABufferThatIsNotThereGetsEfault) {
  Application app(procedures("read.svp.txt"));
  warm_up(app);
  void* gone = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const long fd = app.open(path("data"));
  EXPECT_EQ(app.read(fd, gone, 100), -EFAULT);
  EXPECT_EQ(app.read(fd, nullptr, 100), -EFAULT);
  EXPECT_EQ(app.read(fd, buffer_, 1ull << 62), -EFAULT);
  EXPECT_EQ(app.read(fd, buffer_, 100), 13);
  app.close(fd);
  munmap(gone, 4096);
}

TEST_F(Ahead, MissingProceduresSwitchThemselvesOff) {
  Application app(procedures("read.svp.txt"));
  warm_up(app);
  for (int i = 0; i < 100; ++i) app.close(app.open(path("data")));
  EXPECT_EQ(app.stats().proc[1].off, 1u);
  EXPECT_LT(app.stats().proc[1].runs, 50u);
}

TEST_F(Ahead, StagedDataIsGoneWhenItWasUsedOrDropped) {
  Application app(procedures("read.svp.txt"));
  warm_up(app);
  auto staged = [&] {
    return std::string(reinterpret_cast<char*>(areas.staging), STAGING_BYTES).find("hello, world") !=
           std::string::npos;
  };
  long fd = app.open(path("data"));
  EXPECT_TRUE(staged()) << "nothing was staged";
  app.read(fd, buffer_, 100);
  app.call(SYS_fsync, static_cast<uint64_t>(fd));  // the next entry
  EXPECT_FALSE(staged());
  app.close(fd);
  fd = app.open(path("data"));
  EXPECT_TRUE(staged());
  app.close(fd);
  EXPECT_FALSE(staged());
}

struct Refused {
  const char* why;
  const char* procedure;
};

TEST(AheadContract, AProcedureThatBreaksARuleIsNotRun) {
  const Refused table[] = {
      {"a follower that changes something",
       "trigger openat(_, _, _, _)\n follower r8 = unlink(path)\n code {\n openat r7, r0, r1, r2, r3\n unlink r8, r1\n end\n }"},
      {"an open as a follower",
       "trigger openat(_, _, _, _)\n follower r8 = openat(r0, path, 0, 0)\n code {\n openat r7, r0, r1, r2, r3\n openat r8, r0, r1, r2, r3\n end\n }"},
      {"a call in the code that no follower names",
       "trigger openat(_, _, _, _)\n code {\n openat r7, r0, r1, r2, r3\n write r8, r0, r1, r2\n end\n }"},
      {"a position that is moved",
       "trigger openat(_, _, _, _)\n follower r8 = lseek(r7, 5, 0)\n code {\n openat r7, r0, r1, r2, r3\n lseek r8, r7, r9, r10\n end\n }"},
      {"somebody else's descriptor",
       "trigger openat(_, _, _, _)\n follower r8 = fstat(0, out@0:144)\n code {\n openat r7, r0, r1, r2, r3\n fstat r8, r9, r255\n end\n }"},
      {"a path from nowhere",
       "trigger openat(_, _, _, _)\n follower r8 = newfstatat(r7, string@0, out@0:144, 0)\n data \"/etc/passwd\\0\"\n code {\n openat r7, r0, r1, r2, r3\n data r9, 0\n newfstatat r8, r7, r9, r255, r10\n end\n }"},
      {"a close of its own",
       "trigger openat(_, _, _, _)\n code {\n openat r7, r0, r1, r2, r3\n close r8, r7\n end\n }"},
      {"a trigger by path that nobody has checked",
       "trigger newfstatat(_, _, _, _)\n code {\n newfstatat r7, r0, r1, r2, r3\n end\n }"},
  };
  for (const Refused& r : table) {
    Application app(std::string("procedure \"p\" run_ahead {\n staging 256\n result r7\n ") + r.procedure +
                    "\n}\n");
    EXPECT_NE(app.started(), SHIM_ON) << r.why;
  }
}

}  // namespace
}  // namespace sysvm
