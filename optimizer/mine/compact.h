// SPDX-License-Identifier: MIT
// A recording as mining wants it: 72 bytes for each call, each with the number of its token, cut into streams
// where the recording is not whole (the rules of streams.h). Events may come chunk by chunk.
//
// A token is what makes two calls the same: call, command, flags, whether and how it failed, whether it
// transferred nothing, and the place that made it. Tested by tests/optimizer/mine_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "optimizer/base/calls.h"
#include "traces/event.h"

namespace sysvm {

constexpr uint32_t kNextEntry = UINT32_MAX;

struct CompactCall {
  std::array<uint64_t, 6>
      args;  // of the stat family, which has no fifth, args[4] is st_mode and args[5] st_size
  int64_t ret;
  uint32_t token;
  std::array<uint32_t, 2> text;  // into the strings of the trace
  uint32_t data;  // what epoll_wait gave; kNextEntry: the first path asks for the next entry of a directory
};
static_assert(sizeof(CompactCall) == 72);

struct Token {
  Event sample;  // call number, command, flags and error stand for all
  CallTraits traits;
  std::string text;
};

class Compact {
 public:
  void reserve(size_t events) { calls_.reserve(events); }
  void add(const Event& e, bool next_entry);  // EntryNames::next()
  void finish(const TraceInfo& info);         // after the last

  const std::vector<CompactCall>& calls() const { return calls_; }
  const std::vector<std::vector<uint32_t>>& streams() const { return streams_; }  // indices of calls
  const std::vector<Token>& tokens() const { return tokens_; }
  uint64_t total() const { return total_; }  // calls, also those in no stream
  uint64_t threaded() const { return threaded_; }

 private:
  struct Thread {
    uint32_t next_seq = 0;
    bool begun = false;
    std::vector<uint32_t> calls;
  };
  struct Key {
    uint64_t what, ip;
    int64_t result;
    int32_t pid;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& k) const {
      uint64_t h = k.what * 0x9e3779b97f4a7c15ull;
      h = (h ^ k.ip) * 0xbf58476d1ce4e5b9ull;
      h = (h ^ static_cast<uint64_t>(k.result) ^ (static_cast<uint64_t>(k.pid) << 32)) *
          0x94d049bb133111ebull;
      return h ^ h >> 31;
    }
  };
  // What is the same for all calls with one number, looked up once.
  struct Row {
    bool known = false, by_command = false, task = false, stat = false;
    uint8_t nargs = 0;
    uint64_t flags_mask = 0;  // bit i: argument i is FLAGS
    bool bytes = false;       // of that many bytes, 0 is another result
  };

  const Row& row_of(int32_t nr);
  uint32_t token_of(const Event& e, const Row& row);
  void cut(Thread& thread);

  std::vector<CompactCall> calls_;
  std::vector<std::vector<uint32_t>> streams_;
  std::vector<Token> tokens_;
  std::unordered_map<Key, uint32_t, KeyHash> ids_;
  std::unordered_map<int32_t, Thread> threads_;
  std::unordered_set<int32_t> threaded_processes_;
  std::vector<Row> rows_;
  Thread* last_ = nullptr;
  int32_t last_tid_ = 0;
  uint64_t total_ = 0, threaded_ = 0;
};

}  // namespace sysvm
