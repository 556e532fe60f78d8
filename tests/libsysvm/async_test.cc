// SPDX-License-Identifier: MIT
// Runs on helper threads. Nothing here is timed: what must overlap would wait for ever if it did not, and
// what must have ended is checked when it says so.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "sysvm.hpp"
#include "sysvm_async.h"

namespace {

int threads_of_this_process() {
  int n = 0;
  DIR* dir = opendir("/proc/self/task");
  while (const dirent* entry = readdir(dir)) n += entry->d_name[0] != '.';
  closedir(dir);
  return n;
}

sysvm_async_options options(uint32_t threads, uint32_t idle_ms = 0, int signal = 0) {
  sysvm_async_options o = {};
  o.threads = threads;
  o.idle_ms = idle_ms;
  o.signal = signal;
  return o;
}

struct Pipe {
  Pipe() {
    if (pipe2(fd, O_CLOEXEC)) abort();
  }
  ~Pipe() {
    close(fd[0]);
    close(fd[1]);
  }
  int fd[2];
};

class Async : public ::testing::Test {
 protected:
  void open(sysvm_async_options options = {}) { ASSERT_EQ(sysvm_async_open(&pool, &options), 0); }
  void TearDown() override {
    if (pool) sysvm_async_close(pool);
  }

  uint32_t define(const sysvm::Program& p) {
    const auto code = p.code();
    char message[160];
    uint32_t proc = ~0u;
    EXPECT_EQ(sysvm_async_define(pool, code.data(), code.size(), 0, &proc, message, sizeof message), 0)
        << message;
    return proc;
  }
  // r0: descriptor to read from, r1: buffer, r2: descriptor to write to.
  uint32_t define_pass_on() {
    sysvm::Program p;
    const auto in = p.input(0), buffer = p.input(1), out = p.input(2);
    p.call.read(in, buffer, 1);
    p.call.write(out, buffer, 1);
    return define(p);
  }
  uint32_t define_endless() {
    sysvm::Program p;
    p.loop([&] { p.set(p.input(0), p.input(0) + 1); });
    return define(p);
  }

  struct sysvm_async* pool = nullptr;
};

struct Request : sysvm_request {
  Request() : sysvm_request() {}
  Request(uint32_t p, std::initializer_list<uint64_t> in, uint64_t f = 1000000) : sysvm_request() {
    std::copy(in.begin(), in.end(), registers);
    proc = p;
    nregs = 16;
    regs = registers;
    fuel = f;
  }
  Request(const Request&) = delete;
  uint64_t registers[16] = {};
};

TEST_F(Async, ResultsAreThoseOfTheSameSynchronousRun) {
  open();
  sysvm::Program p;  // digits of a number, and an error at the end of some
  const auto n = p.input(0), sum = p.result(1, 0);
  p.loop_while([&] { return n != 0; },
               [&] {
                 p.set(sum, sum + n % 10);
                 p.set(n, n / 10);
               });
  p.if_(sum % 3 == 0, [&] { p.call.close(-1); });
  p.if_(sum % 3 == 1, [&] { p.load<uint8_t>(p.value(0)); });
  const uint32_t proc = define(p);
  sysvm::Machine machine(SYSVM_ENGINE_USER);
  const uint32_t same = machine.define(p);
  for (uint64_t i = 0; i < 500; i++) {
    Request r(proc, {i * 7919});
    r.fuel = 10 + i % 200;
    ASSERT_EQ(sysvm_async_submit(pool, &r), 0);
    ASSERT_EQ(sysvm_async_wait(pool, &r, -1), 0);
    std::memset(machine.page().reg, 0, sizeof machine.page().reg);
    machine.run(same, {i * 7919}, r.fuel);
    ASSERT_EQ(r.result, 0);
    ASSERT_EQ(r.status, machine.page().status);
    ASSERT_EQ(r.pc, machine.page().pc);
    ASSERT_EQ(r.error, machine.page().error);
    ASSERT_EQ(0, std::memcmp(r.regs, machine.page().reg, sizeof r.registers));
  }
}

TEST_F(Async, ManyAreInFlightAndEachIsFetchedOnce) {
  open(options(8));
  const int event = sysvm_async_event_fd(pool);
  ASSERT_GE(event, 0);
  sysvm::Program p;
  const auto a = p.input(0);
  p.set(p.input(1), a * a);
  const uint32_t proc = define(p);
  constexpr int kRequests = 3000;
  std::vector<std::unique_ptr<Request>> requests;
  for (uint64_t i = 0; i < kRequests; i++) {
    requests.push_back(std::make_unique<Request>(proc, std::initializer_list<uint64_t>{i}));
    requests.back()->user = requests.back().get();
  }
  std::thread half([&] {  // two threads submit
    for (int i = 0; i < kRequests; i += 2) ASSERT_EQ(sysvm_async_submit(pool, requests[i].get()), 0);
  });
  for (int i = 1; i < kRequests; i += 2) ASSERT_EQ(sysvm_async_submit(pool, requests[i].get()), 0);
  half.join();
  int fetched = 0;
  while (fetched < kRequests) {
    pollfd wait = {event, POLLIN, 0};
    ASSERT_EQ(poll(&wait, 1, -1), 1);
    uint64_t count;
    ASSERT_EQ(read(event, &count, 8), 8);
    while (sysvm_request* r = sysvm_async_next(pool)) {
      ASSERT_EQ(r->result, 0);
      ASSERT_EQ(r->regs[1], r->regs[0] * r->regs[0]);
      fetched++;
    }
  }
  EXPECT_EQ(fetched, kRequests);
  EXPECT_EQ(sysvm_async_next(pool), nullptr);
}

TEST_F(Async, CallsThatBlockOverlap) {
  // Each waits for the one after it: only when all are under way can the first ever end.
  constexpr int kRequests = 12;
  open(options(kRequests));
  const uint32_t proc = define_pass_on();
  Pipe pipes[kRequests + 1];
  char bytes[kRequests];
  std::vector<std::unique_ptr<Request>> requests;
  for (int i = 0; i < kRequests; i++) {
    requests.push_back(std::make_unique<Request>(
        proc, std::initializer_list<uint64_t>{uint64_t(pipes[i + 1].fd[0]), uint64_t(&bytes[i]),
                                              uint64_t(pipes[i].fd[1])}));
    ASSERT_EQ(sysvm_async_submit(pool, requests[i].get()), 0);
  }
  ASSERT_EQ(sysvm_async_wait(pool, requests[0].get(), 0), -ETIMEDOUT);
  ASSERT_EQ(write(pipes[kRequests].fd[1], "x", 1), 1);
  for (auto& r : requests) {
    ASSERT_EQ(sysvm_async_wait(pool, r.get(), -1), 0);
    EXPECT_EQ(r->status, uint32_t{SYSVM_DONE});
  }
  char c;
  EXPECT_EQ(read(pipes[0].fd[0], &c, 1), 1);
  EXPECT_EQ(c, 'x');
}

// Whether the pool's eventfd is readable; it is not afterwards.
bool announced(int event) {
  uint64_t count;
  return read(event, &count, sizeof count) == sizeof count;
}

TEST_F(Async, WhatCompletesIsAnnouncedOnceUntilAllIsFetched) {
  open(options(1));
  const int event = sysvm_async_event_fd(pool);
  const uint32_t proc = define_pass_on();
  Pipe in[3], out;
  char byte;
  std::vector<std::unique_ptr<Request>> requests;
  for (auto& pipe : in) {
    requests.push_back(std::make_unique<Request>(
        proc, std::initializer_list<uint64_t>{uint64_t(pipe.fd[0]), uint64_t(&byte), uint64_t(out.fd[1])}));
    ASSERT_EQ(sysvm_async_submit(pool, requests.back().get()), 0);
  }
  for (int i = 0; i < 3; i++) {
    pollfd wait = {event, POLLIN, 0};
    ASSERT_EQ(write(in[i].fd[1], "x", 1), 1);
    if (i == 1) {  // the first one has not been fetched
      ASSERT_EQ(sysvm_async_wait(pool, requests[1].get(), -1), 0);
      EXPECT_FALSE(announced(event));
      EXPECT_EQ(sysvm_async_next(pool), requests[0].get());
      EXPECT_EQ(sysvm_async_next(pool), nullptr);
    } else {
      ASSERT_EQ(poll(&wait, 1, -1), 1) << i;
      EXPECT_TRUE(announced(event));
    }
  }
  EXPECT_EQ(sysvm_async_next(pool), requests[2].get());
}

TEST_F(Async, WhoWaitsForAllThatIsCompleteHearsOfTheNext) {
  open(options(1));
  const int event = sysvm_async_event_fd(pool);
  const uint32_t proc = define(sysvm::Program());
  for (int i = 0; i < 3; i++) {
    Request r(proc, {});
    pollfd wait = {event, POLLIN, 0};
    ASSERT_EQ(sysvm_async_submit(pool, &r), 0);
    ASSERT_EQ(poll(&wait, 1, 10000), 1) << i;
    EXPECT_TRUE(announced(event));
    ASSERT_EQ(sysvm_async_wait(pool, &r, -1), 0);
  }
}

TEST_F(Async, NoMoreRunAtOnceThanTheLimit) {
  open(options(4));
  ASSERT_EQ(sysvm_async_limit(pool, 0), -EINVAL);
  ASSERT_EQ(sysvm_async_limit(pool, 5), -EINVAL);
  ASSERT_EQ(sysvm_async_limit(pool, 1), 0);
  const uint32_t proc = define_pass_on();
  Pipe in[2], out[2];
  char bytes[2];
  Request first(proc, {uint64_t(in[0].fd[0]), uint64_t(&bytes[0]), uint64_t(out[0].fd[1])});
  Request second(proc, {uint64_t(in[1].fd[0]), uint64_t(&bytes[1]), uint64_t(out[1].fd[1])});
  ASSERT_EQ(sysvm_async_submit(pool, &first), 0);
  ASSERT_EQ(sysvm_async_submit(pool, &second), 0);
  ASSERT_EQ(write(in[1].fd[1], "x", 1), 1);
  EXPECT_EQ(sysvm_async_wait(pool, &second, 100), -ETIMEDOUT);  // the first holds the only place
  ASSERT_EQ(sysvm_async_limit(pool, 2), 0);
  EXPECT_EQ(sysvm_async_wait(pool, &second, -1), 0);
  ASSERT_EQ(sysvm_async_limit(pool, 1), 0);
  ASSERT_EQ(sysvm_async_submit(pool, &second), 0);
  ASSERT_EQ(write(in[1].fd[1], "y", 1), 1);
  ASSERT_EQ(write(in[0].fd[1], "x", 1), 1);  // the thread that ends it takes what waited
  EXPECT_EQ(sysvm_async_wait(pool, &first, -1), 0);
  EXPECT_EQ(sysvm_async_wait(pool, &second, -1), 0);
}

void nothing(int) {}

TEST_F(Async, CancellationEndsWhatWaitsWhatRunsAndWithASignalWhatBlocks) {
  struct sigaction action = {};
  action.sa_handler = nothing;  // without SA_RESTART
  ASSERT_EQ(sigaction(SIGUSR2, &action, nullptr), 0);
  open(options(1, 0, SIGUSR2));
  const uint32_t pass_on = define_pass_on(), endless = define_endless();
  Pipe p;
  char byte;
  Request blocks(pass_on, {uint64_t(p.fd[0]), uint64_t(&byte), uint64_t(p.fd[1])});
  Request waits(endless, {0});
  ASSERT_EQ(sysvm_async_submit(pool, &blocks), 0);
  ASSERT_EQ(sysvm_async_submit(pool, &waits), 0);
  EXPECT_EQ(sysvm_async_submit(pool, &waits), -EBUSY);

  ASSERT_EQ(sysvm_async_cancel(pool, &waits), 0);  // after the other, in the only thread
  EXPECT_EQ(sysvm_async_cancel(pool, &waits), -EALREADY);
  ASSERT_EQ(sysvm_async_wait(pool, &waits, -1), 0);
  EXPECT_EQ(waits.result, -ECANCELED);
  EXPECT_EQ(waits.registers[0], 0u);
  EXPECT_EQ(sysvm_async_cancel(pool, &waits), -EINVAL);

  ASSERT_EQ(sysvm_async_cancel(pool, &blocks), 0);
  ASSERT_EQ(sysvm_async_wait(pool, &blocks, -1), 0);
  EXPECT_EQ(blocks.result, -ECANCELED);

  Request runs(endless, {0}, ~uint64_t{0});
  ASSERT_EQ(sysvm_async_submit(pool, &runs), 0);
  EXPECT_EQ(sysvm_async_wait(pool, &runs, 5), -ETIMEDOUT);
  ASSERT_EQ(sysvm_async_cancel(pool, &runs), 0);
  ASSERT_EQ(sysvm_async_wait(pool, &runs, -1), 0);
  EXPECT_EQ(runs.result, -ECANCELED);

  // The thread is as good as before.
  ASSERT_EQ(write(p.fd[1], "y", 1), 1);
  ASSERT_EQ(sysvm_async_submit(pool, &blocks), 0);
  ASSERT_EQ(sysvm_async_wait(pool, &blocks, -1), 0);
  EXPECT_EQ(blocks.result, 0);
  EXPECT_EQ(blocks.status, uint32_t{SYSVM_DONE});
}

TEST_F(Async, ThreadsWithoutWorkEndAndComeBack) {
  open(options(4, 1));
  sysvm::Program p;
  p.set(p.input(0), p.call.gettid());
  const uint32_t proc = define(p);
  const int before = threads_of_this_process();
  for (int i = 0; i < 5; i++) {
    Request r(proc, {});
    ASSERT_EQ(sysvm_async_submit(pool, &r), 0);
    ASSERT_EQ(sysvm_async_wait(pool, &r, -1), 0);
    EXPECT_NE(r.registers[0], uint64_t(gettid()));
    while (threads_of_this_process() > before) usleep(1000);
  }
  Request r(proc, {});
  ASSERT_EQ(sysvm_async_submit(pool, &r), 0);
  ASSERT_EQ(sysvm_async_quiesce(pool), 0);
  EXPECT_EQ(threads_of_this_process(), before);
  ASSERT_EQ(sysvm_async_wait(pool, &r, 0), 0);
}

TEST_F(Async, RefusesWhatIsWrong) {
  struct sysvm_async* none = nullptr;
  sysvm_async_options engine = options(1), reserved = options(1);
  engine.engine = 9;
  reserved.reserved[1] = 1;
  for (const sysvm_async_options& bad :
       {options(257), options(1, 0, -1), options(1, 0, 500), engine, reserved})
    EXPECT_EQ(sysvm_async_open(&none, &bad), -EINVAL);
  open();
  Request r(7, {});
  EXPECT_EQ(sysvm_async_submit(pool, &r), -ENOENT);
  r.proc = 100000;
  EXPECT_EQ(sysvm_async_submit(pool, &r), -ENOENT);
  r.nregs = 257;
  EXPECT_EQ(sysvm_async_submit(pool, &r), -EINVAL);
  r.nregs = 1;
  r.regs = nullptr;
  EXPECT_EQ(sysvm_async_submit(pool, &r), -EINVAL);
  EXPECT_EQ(sysvm_async_wait(pool, &r, 0), -EINVAL);
  const uint8_t code[] = {0xff};
  char message[64];
  uint32_t proc;
  EXPECT_EQ(sysvm_async_define(pool, code, 1, 0, &proc, message, sizeof message), -EINVAL);
  EXPECT_STREQ(message, "byte 0: unknown opcode 0xff");
}

// What follows ends or changes a process: each runs in one of its own, and says by its exit status what was
// wrong.
int in_a_process_of_its_own(int (*test)()) {
  const pid_t pid = fork();
  if (!pid) exit(test());
  int status = -1;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

struct Pool {
  explicit Pool(sysvm_async_options options = {}) { sysvm_async_open(&pool, &options); }
  uint32_t define(const sysvm::Program& p) {
    const auto code = p.code();
    uint32_t proc = ~0u;
    sysvm_async_define(pool, code.data(), code.size(), 0, &proc, nullptr, 0);
    return proc;
  }
  struct sysvm_async* pool = nullptr;
};

int output;  // a pipe's end

uint32_t define_write(Pool& pool) {
  sysvm::Program p;
  p.call.write(p.input(0), p.input(1), 1);
  return pool.define(p);
}

int submit_and_exit() {
  static Pool pool(options(3));
  static Request requests[200];
  const uint32_t proc = define_write(pool);
  for (Request& r : requests) {
    r.proc = proc;
    r.nregs = 2;
    r.regs = r.registers;
    r.fuel = 100;
    r.registers[0] = output;
    r.registers[1] = reinterpret_cast<uintptr_t>("z");
    if (sysvm_async_submit(pool.pool, &r)) return 1;
  }
  return 0;  // exit()
}

// In a fresh program: pthread_exit unwinds the stack, which the test framework would not let it do.
int submit_and_end_the_first_thread() {
  execl("/proc/self/exe", "async_test", "--end-the-first-thread", std::to_string(output).c_str(), nullptr);
  return 1;
}

TEST(AsyncProcess, WhatWasSubmittedIsDoneWhenTheProcessEnds) {
  for (auto test : {submit_and_exit, submit_and_end_the_first_thread}) {
    Pipe p;
    output = p.fd[1];
    fcntl(output, F_SETFD, 0);
    EXPECT_EQ(in_a_process_of_its_own(test), 0);
    char bytes[300];
    EXPECT_EQ(read(p.fd[0], bytes, sizeof bytes), 200);
  }
}

int fork_with_runs_under_way() {
  static Pool pool(options(4));
  static Request requests[300];
  sysvm::Program p;
  p.set(p.input(1), p.call.getpid());
  const uint32_t proc = pool.define(p);
  for (Request& r : requests) {
    r.proc = proc;
    r.nregs = 2;
    r.regs = r.registers;
    r.fuel = 100;
    if (sysvm_async_submit(pool.pool, &r)) return 1;
  }
  const pid_t child = fork();
  if (!child) {
    Request r;
    if (threads_of_this_process() != 1) _exit(10);
    if (sysvm_async_submit(pool.pool, &requests[0]) != -ECHILD) _exit(11);
    if (sysvm_async_wait(pool.pool, &requests[0], -1) != -ECHILD) _exit(12);
    if (sysvm_async_quiesce(pool.pool) != -ECHILD) _exit(13);
    sysvm_async_close(pool.pool);
    Pool another;  // a new one is as good as any
    const uint32_t again = define_write(another);
    Request w;
    w.proc = again;
    w.nregs = 2;
    w.regs = w.registers;
    w.fuel = 100;
    w.registers[0] = output;
    w.registers[1] = reinterpret_cast<uintptr_t>("c");
    if (sysvm_async_submit(another.pool, &w) || sysvm_async_wait(another.pool, &w, -1) ||
        w.status != SYSVM_DONE)
      _exit(14);
    sysvm_async_close(another.pool);
    _exit(0);
  }
  // Before the fork all were done: in this process.
  for (Request& r : requests)
    if (sysvm_async_wait(pool.pool, &r, 0) || r.registers[1] != uint64_t(getpid())) return 2;
  int status;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status)) return WEXITSTATUS(status);
  if (sysvm_async_submit(pool.pool, &requests[0]) || sysvm_async_wait(pool.pool, &requests[0], -1)) return 3;
  sysvm_async_close(pool.pool);
  return 0;
}

TEST(AsyncProcess, AForkFindsNothingUnderWayAndItsChildADeadPool) {
  Pipe p;
  output = p.fd[1];
  EXPECT_EQ(in_a_process_of_its_own(fork_with_runs_under_way), 0);
  char c;
  EXPECT_EQ(read(p.fd[0], &c, 1), 1);
}

int change_credentials() {
  static Pool pool(options(4));
  static Request requests[200];
  sysvm::Program p;
  p.set(p.input(1), p.call.geteuid());
  const uint32_t proc = pool.define(p);
  for (int round = 0; round < 2; round++) {
    for (Request& r : requests) {
      r.proc = proc;
      r.nregs = 2;
      r.regs = r.registers;
      r.fuel = 100;
      if (sysvm_async_submit(pool.pool, &r)) return 1;
    }
    if (round == 0 && setresuid(12345, 12345, 12345)) return 2;
    if (round == 0 && threads_of_this_process() != 1) return 3;
    for (Request& r : requests)
      if (sysvm_async_wait(pool.pool, &r, -1) || r.registers[1] != (round ? 12345u : 0u)) return 4;
  }
  sysvm_async_close(pool.pool);
  return 0;
}

TEST(AsyncProcess, RunsSubmittedBeforeAChangeOfCredentialsHaveTheOldOnes) {
  if (geteuid()) GTEST_SKIP() << "needs root: it changes its user";
  EXPECT_EQ(in_a_process_of_its_own(change_credentials), 0);
}

int enter_a_namespace() {
  static Pool pool(options(4));
  static Request r;
  const uint32_t proc = define_write(pool);
  r.proc = proc;
  r.nregs = 2;
  r.regs = r.registers;
  r.fuel = 100;
  r.registers[0] = output;
  r.registers[1] = reinterpret_cast<uintptr_t>("n");
  if (sysvm_async_submit(pool.pool, &r)) return 1;
  // Only a process with one thread may do this.
  if (unshare(CLONE_NEWUSER)) return errno == EPERM || errno == ENOSPC || errno == ENOSYS ? 77 : 2;
  if (sysvm_async_wait(pool.pool, &r, 0) || r.status != SYSVM_DONE) return 3;
  sysvm_async_close(pool.pool);
  return 0;
}

TEST(AsyncProcess, AUserNamespaceCanBeEnteredWithAPoolOpen) {
  Pipe p;
  output = p.fd[1];
  const int result = in_a_process_of_its_own(enter_a_namespace);
  if (result == 77) GTEST_SKIP() << "no user namespaces here";
  EXPECT_EQ(result, 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && !std::strcmp(argv[1], "--end-the-first-thread")) {
    output = std::atoi(argv[2]);
    if (submit_and_exit()) return 1;
    pthread_exit(nullptr);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
