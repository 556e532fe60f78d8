// SPDX-License-Identifier: MIT
// The part of replay.h that concerns loops over a directory's entries: the world's answers to calls about a name, as
// the recording has them, and what of the records the recorded calls would have taken.
// Tested by tests/optimizer/directories_test.cc.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "optimizer/learn/directories.h"
#include "optimizer/base/event_set.h"
#include "procedures/procedure.h"
#include "optimizer/prove/trial.h"
#include "vm/vm.h"

namespace sysvm {

struct NamedCall {  // a recorded call about an entry
  std::string name;
  const Event* event = nullptr;
  const Stream* stream = nullptr;
};

// Addresses that the runtime would give; the memory behind them is the world's.
constexpr uint64_t kListingAddress = 0x400000000, kUnderAddress = 0x500000000, kAvoidAddress = 0x600000000,
                   kKeptAddress = 0x700000000;  // of every kept path

class EntryWorld {
 public:
  EntryWorld(const Procedure& proc, uint64_t device, uint64_t staging_at, std::vector<uint8_t>& staging);

  void add(const NamedCall& call);          // in the recording's order
  void set_registers(sysvm_page& page) const;  // of an open's run
  // The names of [from, to) as getdents64 would give them, behind "." and "..": `bytes` in all, or as many as they need.
  std::vector<uint8_t> entries(size_t from, size_t bytes) const;
  // Of an entry's run: the names from this one on, `window` of them at most.
  void list_from(const std::string& name, uint64_t window, sysvm_page& page);

  long call(uint32_t nr, const uint64_t* args);  // of the loop's
  int load(uint64_t address, void* to, unsigned n) const;
  int store(uint64_t address, const void* from, unsigned n);

  const std::vector<std::string>& names() const { return names_; }

 private:
  std::string text_at(uint64_t address) const;

  void fill(uint32_t nr, const Follower& f, const uint64_t* args, uint32_t mode);

  const Procedure& proc_;
  bool row_;
  uint64_t device_, staging_at_;
  std::vector<uint8_t>& staging_;
  std::vector<uint8_t> listing_, under_ = std::vector<uint8_t>(1024);
  std::vector<std::string> names_;
  std::unordered_map<std::string, std::vector<NamedCall>> calls_;
  std::unordered_map<std::string, size_t> used_, position_;
  std::string current_;  // the entry that was asked about last
};

bool has_kept_path(const Procedure& proc);
void set_kept_paths(const Procedure& proc, sysvm_page& page);

// The records that a run has left, matched with the recorded calls in order.
class Records {
 public:
  Records(const Procedure& proc, const sysvm_page& page, uint64_t staging_at, const std::vector<uint8_t>& staging,
          const EntryWorld& world);
  bool done() const { return next_ >= results_.size(); }
  bool match(const Stream& stream, const Event& call, const std::string& name, TrialTotals& totals);
  bool empty() const { return results_.empty(); }
  size_t answered_by() const { return results_[next_ - 1].follower; }  // behind a match: which follower
  size_t used() const { return next_ ? results_[next_ - 1].entry + 1 : 0; }  // entries
  size_t made() const { return empty() ? 0 : results_.back().entry + 1; }

 private:
  struct Result {
    size_t follower;
    std::string name;
    int64_t result;
    size_t entry;
  };
  const Procedure& proc_;
  std::vector<Result> results_;
  size_t next_ = 0;
};

// The last component of the call's path; "" if there is none.
std::string entry_name_of(const Stream& stream, const Event& call);

// A loop at an entry (emit_loop), on the visits of one stream that nothing else answers.
Result<TrialTotals> try_loop(const Procedure& proc, const LoopShape& shape, const Stream& stream,
                                 const std::vector<Visit>& visits, const EventSet& answered,
                                 bool late_close);

}  // namespace sysvm
