// SPDX-License-Identifier: MIT
// What one program touched, as it named it, in order, each path once; and the list that this makes.
//
// A program that walks a disk touches millions of files. A list holds 32,768 items, so what comes after twice
// as many paths decides nothing, and is not kept. Tested by tests/optimizer/lists_test.cc.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "optimizer/lists/resolver.h"
#include "procedures/procedure.h"

namespace sysvm {

struct Touched {
  std::string path;
  svp_item_kind kind = SVP_ITEM_NAME;
  bool follow = true;
  bool mapped = false;  // and not read: which pages were touched, the recording does not say
  uint64_t from = 0, end = 0;
};

class TouchedFiles {
 public:
  // Of a path that is new when there is room for no more: nobody's.
  Touched& touch(std::string_view path);
  void part(std::string_view path, uint64_t from, uint64_t length, bool mapped);
  void read_directory(std::string_view path);
  // It looks at what directories hold, which is guessed without a list.
  bool walks() const;
  bool full() const { return touched_.size() == kPathsMost; }
  // As the files are now; below the folder, names count from there.
  std::vector<ListItem> items(const std::string& folder, Resolver& resolver) const;

 private:
  static constexpr size_t kItemsMost = 32768;           // of one list
  static constexpr size_t kPathsMost = 2 * kItemsMost;  // links, and files that have gone, make no items
  std::deque<Touched> touched_;                         // never moves: what follows points into it
  std::unordered_map<std::string_view, Touched*> index_;
  std::unordered_set<std::string_view> read_;  // directories
  size_t in_read_ = 0;                         // touched after their directory was read
  Touched nobodys_;
};

}  // namespace sysvm
