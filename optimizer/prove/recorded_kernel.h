// SPDX-License-Identifier: MIT
// The kernel as a recording of one process shows it: what would it have answered to a call that the program
// made later, or not at all?
//
// First the recording is read once: which open each descriptor number stands for at each call, how long each
// file was, what each directory gave. A call made at some moment is then answered from, in this order: the
// call that the program is making now, as recorded; a file or a directory, from its length and position; else
// the next call of the program that is the same in every argument, as long as the descriptor is still the
// same one; else what most such calls say. Positions are kept as the kernel would, reads ahead and seeks back
// included. Where a recording lacks the names in a directory (an import), they are those that the program
// asks about. Tested by tests/optimizer/replay_test.cc and trial_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "optimizer/prove/texts.h"
#include "traces/packed.h"
#include "uapi/syscalls.h"

namespace sysvm {

class RecordedKernel {
 public:
  // The events of one process in the order in which they were made. All three must outlive this.
  RecordedKernel(const PackedTrace& trace, Texts& texts, std::span<const PackedEvent* const> events);

  // From here on the program is making call number `at`, which is not before the present one; args with real
  // pointers. What it did in between has happened as recorded.
  void at(size_t at, const uint64_t args[6]);
  void skip_to(size_t at);  // the same, but the arguments follow
  void restart();           // before the first call again
  // A call by the shim, inside a run or for itself.
  long call(long nr, const uint64_t args[6]);
  // Makes the program's current call plainly: moves what it moves, fills what the shim will check.
  void made_plainly() { present(args_.data()); }
  bool made() const { return made_; }  // the present call has been made, by the program or by the shim
  uint64_t here_device() const { return here_device_ ? here_device_ : kGoodDevice; }

  // The open file that the first argument of call number `at` stands for, or that the call opens.
  struct OpenFile {
    uint64_t device = 0, position = 0;
    bool good = false, regular = false;
  };
  OpenFile file_at(size_t at) const;

  struct Made {          // by call()
    uint64_t ahead = 0;  // calls of the program made before it asked for them, or that it never asks for
    uint64_t closes = 0;
    std::unordered_map<uint32_t, uint64_t> by_nr;  // of those ahead
  };
  const Made& calls() const { return calls_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX, kUnchained = kNone - 1;
  static constexpr uint64_t kGoodDevice = 77, kBadDevice = 78;
  struct File {        // one open
    bool good = true;  // on a file system that may be read ahead, as far as the path says
    bool directory = false, size_known = false, ended = false;
    uint32_t mode = 0;  // st_mode, 0: not seen
    uint64_t size = 0, dev = 0;
    uint64_t position = 0;
    std::vector<const PackedEvent*> entries;  // the calls of getdents64 that gave some
  };
  struct Key {
    uint32_t nr, file, text0, text1;
    bool operator==(const Key&) const = default;
    uint32_t hash() const {
      uint64_t h = nr * 0x9e3779b97f4a7c15ull;
      for (uint64_t part : {uint64_t{file}, uint64_t{text0}, uint64_t{text1}})
        h = (h ^ part) * 0xbf58476d1ce4e5b9ull, h ^= h >> 29;
      return static_cast<uint32_t>(h >> 32);
    }
  };
  // The calls with one key are a chain through next_same_, entered at the first that has not been passed yet
  // (the last, if all have): the program only goes forward. kNone: an empty slot.
  struct Chain {
    uint32_t from = kNone;
    uint32_t hash = 0;  // another one is another key, without a look at the event
  };
  struct Name {  // in a directory of which the recording has none
    std::string text;
    uint8_t type = 0;
  };

  void read_through();
  void chain_same_calls();
  void grow_chains();
  void find_names();
  void learn(File& file, const PackedEvent& e);
  void learn_folders(const PackedEvent& e);
  uint32_t file_of(uint64_t fd) const { return fd < open_.size() ? open_[fd] : kNone; }
  void set_open(int64_t fd, uint32_t file);
  Key key_of(uint32_t at) const;
  Chain& chain_of(const Key& key, uint32_t hash) const;
  static bool same_numbers(const PackedEvent& e, const sysvm_syscall_info* row, const uint64_t args[6],
                           uint32_t file);
  bool is_next(uint32_t at, const sysvm_syscall_info* row, const uint64_t args[6], uint32_t file) const;
  const PackedEvent* later(uint32_t nr, const uint64_t args[6], uint32_t file) const;
  long present(const uint64_t args[6]);
  void follow_descriptors(size_t at);
  void move_position(const PackedEvent& e, File& file) const;
  void fill(uint32_t nr, const uint64_t args[6], const File* file, const PackedEvent* e) const;
  static uint64_t left(const File& file, uint64_t position);
  long read_entries(File& file, uint64_t to, uint64_t room) const;
  static long seek(File& file, int64_t offset, uint64_t whence);

  const PackedTrace& trace_;
  Texts& texts_;
  std::span<const PackedEvent* const> events_;
  std::vector<File> files_;
  std::vector<uint32_t> on_, opened_;  // for each event: the file of its first argument; the one it opened
  std::vector<uint32_t> open_;         // by descriptor, as the program sees them at at_
  std::unordered_set<std::string_view> folders_;           // on the way to a path that is not from the root
  uint64_t here_device_ = 0;                               // the first that such a path has shown
  size_t chained_ = 0;                                     // slots that are not empty
  mutable std::vector<Chain> chains_;                      // by hash of the key
  std::vector<uint32_t> next_same_;                        // for each event; kNone: the last
  std::vector<uint32_t> previous_same_;                    // kNone: the first; kUnchained: nobody asks for it
  mutable size_t after_last_ = 0;                          // of the call that was asked for last
  std::unordered_map<uint32_t, std::vector<Name>> names_;  // of directories of which the recording has none
  size_t at_ = 0;
  bool begun_ = false;
  std::array<uint64_t, 6> args_{};
  bool made_ = false;
  Made calls_;
};

}  // namespace sysvm
