// SPDX-License-Identifier: MIT
// pthread_cancel in a blocked read, and backtraces: the unwinder passes a patched site and destructors run.
// (unwind.c does so at every instruction.)
#include <execinfo.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace {

struct Guard {
  const char* name;
  ~Guard() { std::printf("destructor of %s\n", name); }
};

int fds[2];

[[gnu::noinline]] void inner() {
  Guard guard{"inner"};
  char c;
  if (read(fds[0], &c, 1) == 1) std::printf("read\n");
}

void* blocked(void*) {
  Guard guard{"outer"};
  inner();
  return nullptr;
}

int frames;
void handler(int) {
  void* addresses[64];
  const int n = backtrace(addresses, 64);
  char** names = backtrace_symbols(addresses, n);
  for (int i = 0; i < n; ++i)
    if (std::strstr(names[i], "raise") || std::strstr(names[i], "main")) ++frames;
}

}  // namespace

int main() {
  setvbuf(stdout, nullptr, _IONBF, 0);
  // Before there are threads: a handler's backtrace goes through kill's patched site to main.
  void* warm[4];
  backtrace(warm, 4);
  signal(SIGUSR1, handler);
  raise(SIGUSR1);
  std::printf("backtrace %s\n", frames >= 1 ? "reaches main" : "is cut");
  pthread_t t;
  if (pipe(fds)) return 1;
  pthread_create(&t, nullptr, blocked, nullptr);
  usleep(20000);
  pthread_cancel(t);
  pthread_join(t, nullptr);
  return 0;
}
