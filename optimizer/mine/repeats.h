// SPDX-License-Identifier: MIT
// The contiguous sequences of tokens that repeat: loops, and other repeats.
//
// First loops are folded: a body that is repeated, a varying number of times, becomes one token, from short
// bodies to long ones, so a body may hold shorter loops. (Two equal calls in a row, always two, are no loop.)
// Then the suffix array of what is left gives every sequence that occurs twice, the intervals of its common
// prefixes how often and how long. The one that saves most entries - calls in it less occurrences - is taken,
// its occurrences are marked, what is left of the others is counted again. A sequence that ends as it begins
// is refused: it is more than one round of something. Time and memory grow in proportion to the tokens.
// Tested by tests/optimizer/mine_test.cc.
#pragma once

#include <cstdint>
#include <vector>

#include "optimizer/mine/compact.h"

namespace sysvm {

struct Position {
  uint32_t stream;
  uint32_t at;
};

struct Repeat {
  std::vector<uint32_t> tokens;  // of one round, inner loops once
  std::vector<Position> where;   // first call of each occurrence (loop: of each round, run by run)
  uint64_t events = 0;           // calls in all of them
  bool loop = false;
  std::vector<uint32_t> rounds;  // of each loop
  std::vector<uint32_t> parts;   // as it was found, for layout()
};

struct Placed {
  uint32_t token;  // of Repeat::tokens
  uint32_t at;     // in the stream
  bool again;      // in a round after the first of a loop
  bool inner;      // of an inner loop
};

class Repeats {
 public:
  Repeats(const Compact& recording, size_t max_length);
  std::vector<Repeat> find(size_t most, uint64_t min_count);
  // The calls of an occurrence, inner loops with all their rounds. again: the occurrence is not a loop's
  // first round.
  void layout(const Repeat& repeat, Position from, bool again, std::vector<Placed>& out) const;

 private:
  struct Folded {
    std::vector<uint32_t> part, begin;
  };
  struct Loop {
    std::vector<uint32_t> body;
    uint32_t size = 0;  // calls of one round
  };
  struct Candidate {
    double score;
    int32_t low, high, length;  // an interval of the suffix array; length 0: loop number `low`
  };

  uint32_t base_token(uint32_t stream, uint32_t at) const {
    return recording_.calls()[recording_.streams()[stream][at]].token;
  }
  uint32_t size_of(uint32_t part) const { return part < base_ ? 1 : loops_[part - base_].size; }
  bool opens(uint32_t part) const;
  void fold(uint32_t period);
  template <typename Visit>
  void runs(const Folded& f, uint32_t period, Visit visit) const;
  uint32_t end_of(uint32_t stream, size_t i) const;
  uint32_t skip(uint32_t part, uint32_t stream, uint32_t at, uint32_t end) const;
  uint32_t one_round(const std::vector<uint32_t>& body, uint32_t stream, uint32_t at, uint32_t end) const;
  uint32_t place(const std::vector<uint32_t>& body, uint32_t stream, uint32_t at, uint32_t end,
                 uint32_t token, bool again, bool inner, std::vector<Placed>& out) const;
  bool refused(const int32_t* text, int32_t length) const;
  std::vector<Candidate> candidates(uint64_t min_count);
  Repeat occurrences(const Candidate& c) const;
  void flatten(uint32_t part, std::vector<uint32_t>& out) const;

  const Compact& recording_;
  size_t max_length_;
  uint32_t base_;
  std::vector<Folded> streams_;
  std::vector<Loop> loops_;
  std::vector<int32_t> text_, sa_;
  std::vector<uint32_t> stream_of_;         // first position in the text of each stream
  std::vector<std::vector<int32_t>> uses_;  // of each loop: positions in the text
  int32_t separators_ = 0;
  std::vector<char> taken_;  // positions of the text
};

}  // namespace sysvm
