// SPDX-License-Identifier: MIT
// Fresh copies of a directory, each at the same path, and what a run left in one.
//
// `sysvm try --in-copy DIR` runs a command several times; each run must find what the first one found, and
// what the runs leave can be compared. The path is the same for every copy because programs print
// paths. Copies are made by cp -a, so owners, modes, times, links and holes stay. Not compared: times,
// owners, inode numbers. Tested by tests/cli/try_files_test.cc.
#pragma once

#include <map>
#include <string>

#include "common/result.h"

namespace sysvm {

// Every path below a directory with its type, mode, size, link target and a hash of its content.
using TreeFacts = std::map<std::string, std::string>;

class FreshCopy {
 public:
  // parent: an existing directory of ours, in which the copies are made.
  static Result<FreshCopy> of(const std::string& source, const std::string& parent);
  Result<> renew();  // the next copy replaces the one that is there
  const std::string& path() const { return path_; }
  Result<TreeFacts> facts() const;

 private:
  FreshCopy(std::string source, std::string path) : source_(std::move(source)), path_(std::move(path)) {}
  std::string source_, path_;
};

Result<TreeFacts> tree_facts(const std::string& top);
// "" if equal, else the first difference: "b/c: only in the second".
std::string first_difference(const TreeFacts& a, const TreeFacts& b, const std::string& name_a,
                             const std::string& name_b);

// Removes a tree below our own temporary directory, closed directories included.
void remove_tree(const std::string& top);

}  // namespace sysvm
