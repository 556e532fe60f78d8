// SPDX-License-Identifier: MIT
// Stage 2c: names that the program keeps in a row in its memory.
//
// A program that asks about names of its own list (git's index, the words of a command line) passes a
// pointer, and what is behind it is varying by the rules of dataflow.h. But the pointers follow from each
// other: if each name is copied into one pool, with a structure of fixed size before it, the next lies at p +
// ((n + gap) & ~mask), n being this one's length and mask 0, 7 or 15 what the pool rounds up to. Pointers and
// lengths are in the recording, so that is learned like any source: from all pairs of names that follow each
// other without a call in between that may carry news, and checked on the last fifth of them, which was held
// out. A list ends, or goes on in another block: there a row ends. The runtime expects a name only where the
// relation has just held, so that is what is checked: there it must hold for nine of ten.
//
// A name of several components has directories on its way. Programs that are careful about links look at each
// of them before the first name in it; these looks belong to the row. If a program does not, the machine does
// it for itself. Tested by tests/optimizer/rows_test.cc.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "optimizer/learn/directories.h"
#include "optimizer/base/event_set.h"

namespace sysvm {

// The rows of one executable's streams, as visits of pseudo-directories: one for each row, from its second
// name on (the first shows where the second is to be expected). One relation and one system call for each
// executable.
struct Rows {
  LoopShape shape;
  std::vector<std::vector<Visit>> visits;  // for each stream
};

std::optional<Rows> find_rows(const std::vector<const Stream*>& streams,
                              const EventSet& answered, uint64_t min_count);

// The program's looks from number `from` on, as the runtime lists them: each directory on the way, once,
// before the first name in it.
struct RowEntry {
  std::string name;
  bool on_the_way = false;
};
std::vector<RowEntry> row_entries(const std::vector<std::string>& looks, size_t from, size_t most);
bool leads_to(const std::string& folder, const std::string& name);

// Whether this is a path that the runtime follows: below the working directory, each component a plain one.
bool is_row_name(const std::string& path);

}  // namespace sysvm
