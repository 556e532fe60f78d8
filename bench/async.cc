// SPDX-License-Identifier: MIT
// bench_async [DIR [FILES [ROUNDS]]]: whole small files read, cold (dropped from the page cache before each
// round) and hot, by
//
//   plain          open, read, close; one file after the other
//   run            the same as one program for each file, synchronous (the engine that sysvm_init chooses)
//   async N        that program as requests on N helper threads
//   io_uring N     open, read, close linked, on direct descriptors, N chains in flight
//
// The ways take turns in each round; printed are the smallest and the median time for each file, in
// microseconds. All must read the same bytes. Where io_uring is not permitted it is left out, with the
// reason. DIR must be on a disk.
#include <fcntl.h>
#include <liburing.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sysvm.hpp"
#include "sysvm_async.h"

namespace {

constexpr size_t kFileSize = 16384;

struct Files {
  std::vector<std::string> names;
  std::vector<std::vector<char>> buffers;
};

[[noreturn]] void fail(const std::string& what, int err) {
  std::fprintf(stderr, "bench_async: %s: %s\n", what.c_str(), std::strerror(err));
  std::exit(1);
}

Files make_files(const std::string& dir, int n) {
  Files files;
  std::vector<char> bytes(kFileSize);
  for (int i = 0; i < n; i++) {
    files.names.push_back(dir + "/" + std::to_string(i));
    std::fill(bytes.begin(), bytes.end(), static_cast<char>(i));
    const int fd = open(files.names.back().c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes.data(), kFileSize) != ssize_t(kFileSize) || fdatasync(fd))
      fail(files.names.back(), errno);
    close(fd);
    files.buffers.emplace_back(kFileSize);
  }
  return files;
}

void drop(const Files& files) {
  for (const std::string& name : files.names) {
    const int fd = open(name.c_str(), O_RDONLY | O_CLOEXEC);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
  }
}

void plain(Files& files) {
  for (size_t i = 0; i < files.names.size(); i++) {
    const int fd = open(files.names[i].c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, files.buffers[i].data(), kFileSize) < 0) fail(files.names[i], errno);
    close(fd);
  }
}

void build(sysvm::Program& p) {
  const auto path = p.input(0), buffer = p.input(1);
  const auto fd = p.call.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  p.call.read(fd, buffer, kFileSize);
  p.call.close(fd);
}

class Runs {
 public:
  Runs() {
    sysvm::Program p;
    build(p);
    proc_ = machine_.define(p);
  }
  void operator()(Files& files) {
    for (size_t i = 0; i < files.names.size(); i++)
      if (machine_.run(proc_, {uint64_t(files.names[i].c_str()), uint64_t(files.buffers[i].data())}) !=
          SYSVM_DONE)
        fail(machine_.status_text(), EIO);
  }

 private:
  sysvm::Machine machine_;
  uint32_t proc_;
};

class Requests {
 public:
  Requests(unsigned threads, size_t n) : requests_(n), registers_(2 * n) {
    sysvm_async_options options = {};
    options.threads = threads;
    options.idle_ms = 60000;
    sysvm::Program p;
    build(p);
    const auto code = p.code();
    if (const int err = sysvm_async_open(&pool_, &options)) fail("sysvm_async_open", -err);
    if (const int err = sysvm_async_define(pool_, code.data(), code.size(), 0, &proc_, nullptr, 0))
      fail("sysvm_async_define", -err);
  }
  ~Requests() { sysvm_async_close(pool_); }
  void operator()(Files& files) {
    for (size_t i = 0; i < requests_.size(); i++) {
      sysvm_request& r = requests_[i];
      registers_[2 * i] = uint64_t(files.names[i].c_str());
      registers_[2 * i + 1] = uint64_t(files.buffers[i].data());
      r.proc = proc_;
      r.regs = &registers_[2 * i];
      r.nregs = 2;
      r.fuel = 100;
      if (const int err = sysvm_async_submit(pool_, &r)) fail("sysvm_async_submit", -err);
    }
    for (sysvm_request& r : requests_)
      if (sysvm_async_wait(pool_, &r, -1) || r.result || r.status != SYSVM_DONE) fail("request", EIO);
  }

 private:
  struct sysvm_async* pool_ = nullptr;
  uint32_t proc_ = 0;
  std::vector<sysvm_request> requests_;
  std::vector<uint64_t> registers_;
};

class Ring {
 public:
  explicit Ring(unsigned depth) : depth_(depth) {
    error_ = -io_uring_queue_init(4 * depth, &ring_, 0);
    if (!error_) error_ = -io_uring_register_files_sparse(&ring_, depth);
  }
  ~Ring() {
    if (!error_) io_uring_queue_exit(&ring_);
  }
  int error() const { return error_; }
  void operator()(Files& files) {
    std::vector<unsigned> free;
    for (unsigned slot = 0; slot < depth_; slot++) free.push_back(slot);
    for (size_t begun = 0, ended = 0; ended < files.names.size();) {
      for (; !free.empty() && begun < files.names.size(); begun++) {
        const unsigned slot = free.back();
        free.pop_back();
        chain(files, begun, slot);
      }
      io_uring_submit_and_wait(&ring_, 1);
      io_uring_cqe* cqe;
      while (!io_uring_peek_cqe(&ring_, &cqe)) {
        const uint64_t data = cqe->user_data;
        if (cqe->res < 0) fail("io_uring", -cqe->res);
        if (data % 4 == 2) {  // the close, last of its chain
          free.push_back(data / 4);
          ended++;
        }
        io_uring_cqe_seen(&ring_, cqe);
      }
    }
  }

 private:
  void chain(Files& files, size_t i, unsigned slot) {
    io_uring_sqe* s = io_uring_get_sqe(&ring_);
    io_uring_prep_openat_direct(s, AT_FDCWD, files.names[i].c_str(), O_RDONLY, 0, slot);
    s->flags |= IOSQE_IO_LINK;
    s->user_data = slot * 4ull;
    s = io_uring_get_sqe(&ring_);
    io_uring_prep_read(s, slot, files.buffers[i].data(), kFileSize, 0);
    s->flags |= IOSQE_IO_LINK | IOSQE_FIXED_FILE;
    s->user_data = slot * 4ull + 1;
    s = io_uring_get_sqe(&ring_);
    io_uring_prep_close_direct(s, slot);
    s->user_data = slot * 4ull + 2;
  }
  unsigned depth_;
  io_uring ring_;
  int error_;
};

struct Way {
  std::string name;
  std::function<void(Files&)> read;
  std::vector<double> cold, hot;
};

double us_for_each(const std::function<void(Files&)>& read, Files& files) {
  for (auto& buffer : files.buffers) buffer[0] = buffer[kFileSize - 1] = 'x';
  const auto start = std::chrono::steady_clock::now();
  read(files);
  const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
  for (size_t i = 0; i < files.buffers.size(); i++)
    if (files.buffers[i][0] != char(i) || files.buffers[i][kFileSize - 1] != char(i))
      fail("not what is in the file", EIO);
  return took.count() / files.names.size();
}

void print(const Way& way) {
  auto figure = [](std::vector<double> v) {
    std::sort(v.begin(), v.end());
    return std::pair(v.front(), v[v.size() / 2]);
  };
  const auto [cold, cold_median] = figure(way.cold);
  const auto [hot, hot_median] = figure(way.hot);
  std::printf("%-14s %9.1f %9.1f   %9.2f %9.2f\n", way.name.c_str(), cold, cold_median, hot, hot_median);
}

}  // namespace

int main(int argc, char** argv) {
  std::string dir = argc > 1 ? argv[1] : "/var/tmp";
  const int n = argc > 2 ? std::atoi(argv[2]) : 1000, rounds = argc > 3 ? std::atoi(argv[3]) : 9;
  if (n < 1 || rounds < 1) {
    std::fprintf(stderr, "usage: bench_async [DIR [FILES [ROUNDS]]]\n");
    return 2;
  }
  dir += "/bench_async.XXXXXX";
  if (!mkdtemp(dir.data())) fail(dir, errno);
  Files files = make_files(dir, n);
  sync();

  std::vector<Way> ways;
  ways.push_back({"plain", plain, {}, {}});
  ways.push_back({"run", [runs = std::make_shared<Runs>()](Files& f) { (*runs)(f); }, {}, {}});
  for (unsigned threads : {4, 16, 64})
    ways.push_back({"async " + std::to_string(threads),
                    [r = std::make_shared<Requests>(threads, n)](Files& f) { (*r)(f); },
                    {},
                    {}});
  for (unsigned depth : {4, 16, 64}) {
    auto ring = std::make_shared<Ring>(depth);
    if (ring->error())
      std::printf("io_uring %u: left out: %s\n", depth, std::strerror(ring->error()));
    else
      ways.push_back({"io_uring " + std::to_string(depth), [ring](Files& f) { (*ring)(f); }, {}, {}});
  }
  for (int round = 0; round < rounds; round++)
    for (Way& way : ways) {
      drop(files);
      way.cold.push_back(us_for_each(way.read, files));
      way.hot.push_back(us_for_each(way.read, files));
    }
  std::printf("%d files of %zu bytes, %d rounds; microseconds for each file\n", n, kFileSize, rounds);
  std::printf("%-14s %9s %9s   %9s %9s\n", "", "cold", "median", "hot", "median");
  for (const Way& way : ways) print(way);
  for (const std::string& name : files.names) unlink(name.c_str());
  rmdir(dir.c_str());
}
