// SPDX-License-Identifier: MIT
// The kernel as a recording of one process shows it: what would it have answered to a call that the program
// made later, or not at all?
//
// First the recording is read once: which open each descriptor number stands for at each call, how long each
// file was, what each directory gave. Then a call made at some moment is answered, in this order: the call
// that the program is making now, as recorded; a file or a directory, from its length and position; else the
// next call of the program that is the same in every argument, as long as the descriptor is still the same
// one; else what most such calls say. Positions are kept as the kernel would, reads ahead and seeks back
// included. Tested by tests/optimizer/replay_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "traces/event.h"

namespace sysvm {

class RecordedKernel {
 public:
  // The events of one process in the order in which they were made. Both must outlive this.
  RecordedKernel(const Trace& trace, const std::vector<const Event*>& events);

  // From here on the program is making call number `at`, one behind the other; args with real pointers.
  void at(size_t at, const uint64_t args[6]);
  // A call by the shim, inside a run or for itself.
  long call(long nr, const uint64_t args[6]);
  // The program's present call is made plainly: moves what it moves, fills what the shim will look at.
  void made_plainly() { present(args_.data()); }
  bool made() const { return made_; }  // the present call has been made, by whomever
  uint64_t here_device() const { return here_device_ ? here_device_ : kGoodDevice; }

  struct Made {  // by call()
    uint64_t ahead = 0;  // calls of the program made before it asked for them, or that it never asks for
    uint64_t closes = 0;
    std::unordered_map<uint32_t, uint64_t> by_nr;  // of those ahead
  };
  const Made& calls() const { return calls_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint64_t kGoodDevice = 77, kBadDevice = 78;
  struct File {  // one open
    bool good = true;  // on a file system that may be read ahead, as far as the path tells
    bool directory = false, size_known = false, ended = false;
    uint32_t mode = 0;  // st_mode, 0: not seen
    uint64_t size = 0, dev = 0;
    uint64_t position = 0;
    std::vector<const Event*> entries;  // the calls of getdents64 that gave some
  };
  struct Key {
    uint32_t nr, file, text0, text1;
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    size_t operator()(const Key& k) const {
      uint64_t h = k.nr * 0x9e3779b97f4a7c15ull;
      for (uint64_t part : {uint64_t{k.file}, uint64_t{k.text0}, uint64_t{k.text1}})
        h = (h ^ part) * 0xbf58476d1ce4e5b9ull, h ^= h >> 29;
      return h;
    }
  };

  void read_through();
  void learn(File& file, const Event& e);
  void learn_folders(const Event& e);
  uint32_t text_id(std::string_view text);
  uint32_t text_at(uint64_t address) const;
  uint32_t file_of(uint64_t fd) const;
  Key key_of(const Event& e, uint32_t file);
  const Event* later(uint32_t nr, const uint64_t args[6], uint32_t file) const;
  long present(const uint64_t args[6]);
  void follow_descriptors(size_t at);
  void fill(uint32_t nr, const uint64_t args[6], const File* file, const Event* e) const;
  static uint64_t left(const File& file, uint64_t position);
  long read_entries(File& file, uint64_t to, uint64_t room) const;
  static long seek(File& file, int64_t offset, uint64_t whence);

  const Trace& trace_;
  const std::vector<const Event*>& events_;
  std::vector<File> files_;
  std::vector<uint32_t> on_, opened_;  // for each event: the file of its first argument; the one it opened
  std::unordered_map<int32_t, uint32_t> open_;  // descriptors as the program sees them at at_
  std::unordered_map<std::string_view, uint32_t> texts_;
  std::unordered_set<std::string_view> folders_;  // on the way to a path that is not from the root
  uint64_t here_device_ = 0;                      // the first that such a path has shown
  // The calls with one key are a chain through next_same_, entered at the first that was not passed yet: the program only
  // goes forward.
  struct Chain {
    uint32_t from, last;
  };
  mutable std::unordered_map<Key, Chain, KeyHash> index_;
  std::vector<uint32_t> next_same_;  // for each event; kNone: the last
  size_t at_ = 0;
  bool begun_ = false;
  std::array<uint64_t, 6> args_{};
  bool made_ = false;
  Made calls_;
};

}  // namespace sysvm
