// SPDX-License-Identifier: MIT
// Stage 2c: names that the program keeps in a row in its memory.
//
// A program that asks about names of its own list (git's index, the words of a command line) passes a pointer
// to something that varies by the rules of dataflow.h. But the pointers follow from each other: if each name
// is copied into one pool, with a structure of fixed size before it, the next lies at p + ((n + gap) &
// ~mask), n being this one's length and mask 0, 7 or 15 what the pool rounds up to. Pointers and lengths are
// in the recording, so that is learned like any source: from all pairs of names that follow each other
// without a call in between that may carry news, and checked on the last fifth of them, which was held out. A
// row ends where the list ends or goes on in another block. The runtime expects a name only where the
// relation has just held, so that is what is checked: there it must hold for nine of ten.
//
// A name of several components has directories on its way. Programs that are careful about links check each
// of them before the first name in it; these checks belong to the row. If a program makes none, the machine
// does so for itself. Tested by tests/optimizer/rows_test.cc.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "optimizer/base/event_set.h"
#include "optimizer/learn/directories.h"

namespace sysvm {

// The rows of one executable's streams. A row's names are visits from its second on: the first shows where
// the second is to be expected. One relation and one system call for each executable.
struct Rows {
  LoopShape shape;
  uint64_t rows = 0;
};

std::optional<Rows> find_rows(const std::vector<const Stream*>& streams, const EventSet& answered,
                              uint64_t min_count);

// Whether this is a path that the runtime follows: below the working directory, each component a plain one.
bool is_row_name(const std::string& path);

}  // namespace sysvm
