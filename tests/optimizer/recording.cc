// SPDX-License-Identifier: MIT
#include "tests/optimizer/recording.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <deque>
#include <map>
#include <stdexcept>

#include "uapi/syscalls.h"

namespace sysvm {
namespace {

const std::map<std::string, uint64_t, std::less<>> kWords = {
    {"AT_FDCWD", static_cast<uint64_t>(AT_FDCWD)},
    {"AT_EMPTY_PATH", AT_EMPTY_PATH},
    {"AT_STATX_FORCE_SYNC", AT_STATX_FORCE_SYNC},
    {"AT_SYMLINK_NOFOLLOW", AT_SYMLINK_NOFOLLOW},
    {"O_RDONLY", O_RDONLY},
    {"O_WRONLY", O_WRONLY},
    {"O_CREAT", O_CREAT},
    {"O_NOCTTY", O_NOCTTY},
    {"O_NONBLOCK", O_NONBLOCK},
    {"O_NOFOLLOW", O_NOFOLLOW},
    {"O_CLOEXEC", O_CLOEXEC},
    {"O_DIRECTORY", O_DIRECTORY},
    {"F_GETFL", F_GETFL},
    {"F_GETFD", F_GETFD},
    {"F_SETFD", F_SETFD},
    {"F_SETLK", F_SETLK},
    {"F_DUPFD_CLOEXEC", F_DUPFD_CLOEXEC},
    {"FD_CLOEXEC", FD_CLOEXEC},
    {"TCGETS", 0x5401},
    {"SEEK_SET", SEEK_SET},
    {"SEEK_CUR", SEEK_CUR},
    {"POSIX_FADV_SEQUENTIAL", POSIX_FADV_SEQUENTIAL},
    {"PROT_READ", PROT_READ},
    {"MAP_PRIVATE", MAP_PRIVATE},
    {"MAP_ANONYMOUS", MAP_ANONYMOUS},
    {"buf", 0x7ffe0000},
};

class Parser {
 public:
  Parser(Trace& trace, int32_t pid, int32_t tid) : trace_(trace), pid_(pid), tid_(tid) {
    for (const Event& e : trace.events)
      if (e.tid == tid) seq_ = e.seq + 1;
  }

  void line(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    if (text.empty() || text.substr(0, 3) == "+++") return;
    if (text.substr(0, 2) == "..") {
      ++seq_;
      return;
    }
    Event e;
    e.pid = pid_;
    e.tid = tid_;
    e.seq = seq_++;
    e.ts_ns = trace_.events.empty() ? 1000 : trace_.events.back().ts_ns + 1000;
    if (text.substr(0, 2) == "--") {
      e.flags = kSignal;
      e.nr = kSignalNr;
    } else {
      call(text, e);
    }
    trace_.events.push_back(e);
  }

 private:
  void call(std::string_view text, Event& e) {
    const size_t open = text.find('(');
    const std::string name(text.substr(0, open));
    const sysvm_syscall_info* row = sysvm_syscall_by_name(name.c_str());
    if (!row) throw std::runtime_error("no such call: " + std::string(text));
    e.nr = row->nr;
    rest_ = text.substr(open + 1);
    size_t strings = 0;
    for (size_t i = 0; i < 6 && peek() != ')'; ++i) {
      if (peek() == '"') {
        e.args[i] = 0x5000;
        const std::string value = quoted();
        if ((row->arg[i].kind == SYSVM_KIND_PATH || row->arg[i].kind == SYSVM_KIND_STR) && strings < 2)
          e.path[strings++] = intern(value);
      } else if (peek() == '{' || peek() == '[') {
        e.args[i] = 0x7ffe0000;
        structure(e);
      } else {
        e.args[i] = number();
      }
      comment();
      if (peek() == ',') rest_.remove_prefix(1);
    }
    const size_t equals = rest_.find("= ");
    if (equals == std::string_view::npos) throw std::runtime_error("no result: " + std::string(text));
    rest_.remove_prefix(equals + 2);
    e.ret = static_cast<int64_t>(number());
    if (e.ret == -1) e.ret = rest_.find("ENOTTY") != std::string_view::npos ? -25 : -2;
    if (e.ret < 0) e.flags &= ~static_cast<uint32_t>(kHasStat);
  }

  char peek() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
    return rest_.empty() ? ')' : rest_.front();
  }
  void comment() {
    if (peek() == '/' && rest_.substr(0, 2) == "/*")
      rest_.remove_prefix(std::min(rest_.find("*/") + 2, rest_.size()));
  }
  std::string quoted() {
    std::string out;
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_.front() != '"') {
      if (rest_.front() == '\\') rest_.remove_prefix(1);
      out += rest_.front();
      rest_.remove_prefix(1);
    }
    rest_.remove_prefix(1);
    if (rest_.substr(0, 3) == "...") rest_.remove_prefix(3);
    return out;
  }
  void structure(Event& e) {
    const char close = peek() == '{' ? '}' : ']';
    const std::string_view inside = rest_.substr(0, rest_.find(close) + 1);
    rest_.remove_prefix(inside.size());
    if (inside.find("st_mode=") == std::string_view::npos) return;
    e.flags |= kHasStat;
    e.st_mode = inside.find("S_IFDIR") != std::string_view::npos   ? S_IFDIR | 0755
                : inside.find("S_IFLNK") != std::string_view::npos ? S_IFLNK | 0777
                                                                   : S_IFREG | 0644;
    const size_t size = inside.find("st_size=");
    if (size != std::string_view::npos) e.st_size = std::strtoull(inside.data() + size + 8, nullptr, 10);
  }
  uint64_t number() {  // words and numbers joined by |
    peek();
    uint64_t value = 0;
    for (;;) {
      size_t n = 0;
      while (n < rest_.size() &&
             (isalnum(static_cast<unsigned char>(rest_[n])) || rest_[n] == '_' || rest_[n] == '-'))
        ++n;
      const std::string word(rest_.substr(0, n));
      rest_.remove_prefix(n);
      const auto known = kWords.find(word);
      value |= known != kWords.end() ? known->second
                                     : static_cast<uint64_t>(std::strtoll(word.c_str(), nullptr, 0));
      if (rest_.empty() || rest_.front() != '|') return value;
      rest_.remove_prefix(1);
    }
  }
  uint32_t intern(const std::string& text) {
    for (uint32_t i = 1; i < trace_.strings.size(); ++i)
      if (trace_.strings[i] == text) return i;
    trace_.strings.push_back(text);
    return static_cast<uint32_t>(trace_.strings.size() - 1);
  }

  Trace& trace_;
  int32_t pid_, tid_;
  uint32_t seq_ = 0;
  std::string_view rest_;
};

}  // namespace

void add_calls(Trace& trace, std::string_view text, int32_t pid, int32_t tid) {
  Parser parser(trace, pid, tid);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    parser.line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

Trace recording(std::string_view text) {
  Trace trace;
  Process process;
  process.pid = 100;
  process.execed = true;
  process.exe = "/usr/bin/example";
  process.build_id = "aabb";
  trace.processes.push_back(process);
  add_calls(trace, text);
  return trace;
}

std::string repeated(int n, std::string_view text) {
  std::string out;
  for (int i = 0; i < n; ++i) {
    std::string round(text);
    for (size_t at; (at = round.find("%d")) != std::string::npos;) round.replace(at, 2, std::to_string(i));
    out += round;
    if (!out.empty() && out.back() != '\n') out += '\n';
  }
  return out;
}

namespace {

class PackedTraces {
 public:
  explicit PackedTraces(const std::vector<const Trace*>& traces) {
    for (const Trace* trace : traces) pointers_.push_back(&all_.emplace_back(packed(*trace)));
  }
  const std::vector<const PackedTrace*>& pointers() const { return pointers_; }

 private:
  std::deque<PackedTrace> all_;
  std::vector<const PackedTrace*> pointers_;
};

}  // namespace

Result<Compiled> compile(const std::vector<const Trace*>& traces, const CompileOptions& options) {
  return compile(PackedTraces(traces).pointers(), options);
}

Result<Replay> replay(std::span<const uint8_t> svp, const std::vector<const Trace*>& traces,
                      const ReplayOptions& options) {
  return replay(svp, PackedTraces(traces).pointers(), options);
}

std::vector<PrefetchList> lists_of(const std::vector<const Trace*>& traces,
                                   std::vector<DroppedList>* dropped) {
  return lists_of(PackedTraces(traces).pointers(), dropped);
}

}  // namespace sysvm
