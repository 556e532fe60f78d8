// SPDX-License-Identifier: MIT
// Names that a thread has read from directories, and whether a path asks for the next of them.
//
// A path is the next entry of a directory if it is a name in there, asked from a descriptor of the directory
// (fstat tells that another is of the same) or below the path that it was opened by, and not one that the
// kernel gave before the last that was asked for. A name that is not in what was recorded of a long directory
// is taken for one that was cut off. Tested by tests/optimizer/entry_names_test.cc.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "traces/event.h"

namespace sysvm {

class EntryNames {
 public:
  // The call's path asks for the next entry of a directory. Calls of a thread in their order; strings: those
  // that e's numbers mean.
  bool next(const Event& e, const std::vector<std::string>& strings);

 private:
  struct Directory {
    std::optional<std::string> under;  // what stands before its names in a path
    uint32_t last = 0;                 // the entry that was asked for last
    bool cut = false;                  // the recording does not have all of its names
    std::unordered_map<std::string, uint32_t> number;
  };
  struct Thread {
    std::unordered_map<int32_t, std::shared_ptr<Directory>>
        by_fd;  // files too: which it is shows when it is listed
    std::unordered_map<std::string, std::shared_ptr<Directory>> by_path;
    std::map<std::pair<uint64_t, uint64_t>, std::shared_ptr<Directory>> by_inode;  // st_dev, st_ino
  };

  static bool asked(const Thread& thread, int32_t from, const std::string& path);
  static void listed(Thread& thread, const Event& e, const std::vector<std::string>& strings);
  static void told(Thread& thread, const Event& e);
  static void descriptors(Thread& thread, const Event& e, const std::string* path);

  std::unordered_map<int32_t, Thread> threads_;
};

}  // namespace sysvm
