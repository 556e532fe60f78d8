// SPDX-License-Identifier: MIT
// echo_server CLIENTS ROUNDS: a server loop whose turn is one run: wait for ready sockets, read each, write
// each one its reply. k ready sockets cost 2k + 1 calls and one entry. The clients are threads of this
// program, over socket pairs: each sends ROUNDS messages and checks that they come back. Prints turns, calls
// and replies.
//
//     c++ -std=c++17 echo_server.cc $(pkg-config --cflags --libs sysvm) -pthread
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <sysvm.hpp>
#include <thread>
#include <vector>

namespace {

constexpr int kEvents = 64, kMessage = 256;
constexpr int kEventSize = sizeof(epoll_event), kEventData = 4;  // packed: events, then data

// r0: epoll descriptor, r1: room for kEvents events, r2: room for a message. Results in r3 (replies) and r4
// (clients gone).
void build(sysvm::Program& p) {
  const auto epoll = p.input(0), events = p.input(1), message = p.input(2);
  const auto replies = p.result(3, 0), gone = p.result(4, 0);
  const auto ready = p.call.epoll_wait(epoll, events, kEvents, -1);
  const auto event = p.copy(events);
  const auto end = events + ready * kEventSize;
  p.loop_while([&] { return below(event, end); },
               [&] {
                 const auto socket = p.load<uint32_t>(event, kEventData);
                 p.set(event, event + kEventSize);
                 const auto n = p.attempt.read(socket, message, kMessage);
                 p.if_(
                     n <= 0,
                     [&] {
                       p.attempt.close(socket);
                       p.set(gone, gone + 1);
                     },
                     [&] {
                       p.call.write(socket, message, n);
                       p.set(replies, replies + 1);
                     });
               });
}

std::atomic<int> wrong;

void client(int socket, int number, int rounds) {
  for (int i = 0; i < rounds; i++) {
    char sent[kMessage], back[kMessage] = "";
    const int n = std::snprintf(sent, sizeof sent, "client %d, message %d", number, i) + 1;
    int got = 0;
    if (write(socket, sent, n) != n) wrong++;
    while (got < n) {
      const ssize_t more = read(socket, back + got, sizeof back - got);
      if (more <= 0) break;
      got += more;
    }
    if (got != n || std::memcmp(sent, back, n)) wrong++;
  }
  close(socket);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 3) {
    std::fprintf(stderr, "usage: echo_server CLIENTS ROUNDS\n");
    return 2;
  }
  const int clients = std::atoi(argv[1]), rounds = std::atoi(argv[2]);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; i++) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
      std::perror("echo_server: socketpair");
      return 1;
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = pair[0];
    epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event);
    threads.emplace_back(client, pair[1], i, rounds);
  }

  sysvm::Program p;
  build(p);
  sysvm::Machine machine;
  const uint32_t turn = machine.define(p);
  epoll_event events[kEvents];
  char message[kMessage];
  unsigned long long turns = 0, replies = 0;
  for (int left = clients; left > 0; left -= machine.reg(4)) {
    if (machine.run(turn, {uint64_t(epoll), uint64_t(events), uint64_t(message)}) != SYSVM_DONE) {
      std::fprintf(stderr, "echo_server: %s\n", machine.status_text().c_str());
      std::exit(1);
    }
    turns++;
    replies += machine.reg(3);
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%llu replies, %llu calls in %llu turns, %d wrong\n", replies,
              (unsigned long long)machine.page().calls, turns, wrong.load());
  return wrong || replies != uint64_t(clients) * rounds;
} catch (const std::exception& error) {
  std::fprintf(stderr, "echo_server: %s\n", error.what());
  return 1;
}
