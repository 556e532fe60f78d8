// SPDX-License-Identifier: MIT
// What each descriptor of each process was opened as, followed from call to call through a trace: opens,
// duplicates, pipes, sockets, forks, execs, closes. So a read has a path, although it names a number.
//
// What was open before the recording is not known, and neither is a descriptor that came over a socket. Paths
// are as the program gave them, those that begin in an open directory with that directory's path in front.
// Calls are taken in order of entry: of two that overlap in different threads one may see the other's
// descriptor too early.
// Tested by tests/traces/descriptors_test.cc.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "traces/event.h"

namespace sysvm {

class Descriptors {
 public:
  // After each event, in order of entry.
  void add(const TraceInfo& info, const Event& event);
  // "" if it is not known. Valid until the next add().
  std::string_view path(int32_t pid, int32_t fd) const;
  // The path that the event's first descriptor argument stands for; of a call that makes a descriptor, that
  // one's. To be asked before add(event).
  std::string_view path_of(const TraceInfo& info, const Event& event) const;

 private:
  struct File {
    std::string path;
    bool closes_at_exec = false;
  };
  using Table = std::map<int32_t, File>;
  void open(int32_t pid, int32_t fd, std::string path, bool closes_at_exec);
  Table& table(int32_t pid);
  static std::string resolved(std::string_view folder, std::string path);
  static std::string parent_of(std::string_view folder);

  std::unordered_map<int32_t, std::shared_ptr<Table>> tables_;
};

// strace's way to show them: read(3</etc/passwd>, ...). fds: as it is before the event.
std::string format_call(const TraceInfo& info, const Event& event, const Descriptors& fds);

// The number of the argument that is the call's first descriptor (FD, DIRFD), -1 if there is none.
int descriptor_argument(const CallInfo& call);

}  // namespace sysvm
