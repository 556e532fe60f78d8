// SPDX-License-Identifier: MIT
// A signal handler at every instruction of the ahead half, one after the other: the processor's trap flag
// stops after each, and at one of them the handler makes calls of its own.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "tests/shim/ahead/application.h"

extern "C" {
#include "libsysvm/shim/base/quick.h"
}

namespace sysvm {
namespace {

constexpr long kTrapFlag = 0x100;

struct Stepper {
  volatile long left;  // instructions until the handler acts
  volatile bool over, acted;
  const std::function<void()>* act;
} stepper;

void trap(int, siginfo_t*, void* context) {
  auto* u = static_cast<ucontext_t*>(context);
  const long left = stepper.left;
  stepper.left = left - 1;
  if (left > 0 && !stepper.over) return;
  u->uc_mcontext.gregs[REG_EFL] &= ~kTrapFlag;
  if (stepper.over) return;
  stepper.acted = true;
  shim_signals = shim_signals + 1;  // as the stub does
  (*stepper.act)();
}

// Runs `calls`, and `act` in a handler after so many of its instructions. False: it has no more.
bool with_handler_at(long instruction, const std::function<void()>& calls, const std::function<void()>& act) {
  stepper.left = instruction;
  stepper.over = false;
  stepper.acted = false;
  stepper.act = &act;
  __asm__ volatile("subq $128, %%rsp; pushf; orq $0x100, (%%rsp); popf; addq $128, %%rsp"
                   :
                   :
                   : "cc", "memory");
  calls();
  stepper.over = true;  // the next trap ends the stepping
  __asm__ volatile("nop; nop" : : : "memory");
  return stepper.acted;
}

class Steps : public testing::Test {
 protected:
  void SetUp() override {
    dir_ = std::filesystem::temp_directory_path() / ("sysvm-steps-" + std::to_string(getpid()));
    std::filesystem::create_directories(dir_);
    for (const char* name : {"a", "b", "handler"}) {
      std::ofstream(path(name)) << name;
      timespec t[2] = {{time(nullptr) + 10, 0}, {time(nullptr) - 100, 0}};
      utimensat(AT_FDCWD, path(name).c_str(), t, 0);
    }
    a_ = path("a");
    b_ = path("b");
    handlers_ = path("handler");
    struct sigaction action = {};
    action.sa_sigaction = trap;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGTRAP, &action, &before_);
    std::ifstream in(std::string(HAZARDS_DIR) + "/read.svp.txt");
    std::stringstream text;
    text << in.rdbuf();
    text_ = text.str();
  }
  void TearDown() override {
    sigaction(SIGTRAP, &before_, nullptr);
    std::filesystem::remove_all(dir_);
  }
  void try_all(int stride, const std::function<long(Application&)>& next);
  std::string path(const std::string& name) { return dir_ / name; }
  static int lowest() {  // free number
    const int fd = ::open("/dev/null", O_RDONLY);
    ::close(fd);
    return fd;
  }
  static bool leads_to(long fd, const std::string& path) {
    struct stat here, there;
    return fstat(static_cast<int>(fd), &here) == 0 && stat(path.c_str(), &there) == 0 &&
           here.st_ino == there.st_ino;
  }

  std::filesystem::path dir_;
  std::string a_, b_, handlers_;  // files; nothing allocates while it steps
  std::string text_;
  struct sigaction before_;
};

// A file is closed late, then `next` is called, and a handler comes in there, at each stride-th instruction
// in turn (all of them take a minute). The handler opens a file and keeps it open: nobody may close it. Its
// number is that of the closed file, unless `next` has got that one or the machine is on its way to the
// close.
void Steps::try_all(int stride, const std::function<long(Application&)>& next) {
  int positions = 0, taken = 0;
  for (long at = 0;; at += stride) {
    Application app(text_);  // a new one: what misses too often switches itself off
    ASSERT_EQ(app.started(), SHIM_ON);
    app.close(app.open(a_));  // the first open on a file system runs nothing ahead
    const long fd = app.open(a_);
    EXPECT_EQ(app.close(fd), 0);
    ASSERT_GE(fcntl(static_cast<int>(fd), F_GETFD), 0) << "the close was not put off";
    long own = -1, result = -1;
    const bool more = with_handler_at(
        at, [&] { result = next(app); }, [&] { own = app.open(handlers_); });
    EXPECT_GE(result, 0);
    if (more) {
      ++positions;
      taken += own != fd && result != fd;
      EXPECT_TRUE(leads_to(own, handlers_))
          << "after " << at << " instructions the handler's file was closed";
      EXPECT_EQ(app.close(own), 0);
    }
    if (result >= fd) {
      EXPECT_EQ(app.close(result), 0);
    }
    app.call(SYS_getppid);
    ASSERT_EQ(lowest(), fd) << "after " << at << " instructions";
    if (!more) break;
  }
  EXPECT_GT(positions, 50);
  EXPECT_LT(taken, positions / 2);  // see docs/semantics.md, what remains
}

TEST_F(Steps, ALateCloseThatRidesIsMadeOnce) {
  const int out = ::open("/dev/null", O_WRONLY);
  try_all(13, [&](Application& app) {
    return app.call(SYS_write, static_cast<uint64_t>(out), reinterpret_cast<uint64_t>("x"), 1);
  });
  ::close(out);
}

TEST_F(Steps, ALateCloseThatAnOpenMakesIsMadeOnce) {
  try_all(41, [&](Application& app) { return app.open(b_); });
}

}  // namespace
}  // namespace sysvm
