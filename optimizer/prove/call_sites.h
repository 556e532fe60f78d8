// SPDX-License-Identifier: MIT
// Where the calls of a recording were made, as addresses that are the same in each process that maps the same
// file, and whether the dynamic loader made them. Tested by tests/optimizer/replay_test.cc.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "optimizer/base/loader.h"
#include "optimizer/prove/shim_calls.h"
#include "traces/packed.h"

namespace sysvm {

struct Site {
  uint64_t address = 0;
  bool loader = false;  // the dynamic loader's own: not patched
};

class Sites {
 public:
  explicit Sites(const PackedTrace& trace) : index_(trace) {}
  const Site& of(int32_t pid, uint64_t address, uint64_t ts_ns) {
    auto [at, fresh] = known_.try_emplace({pid, address});
    if (!fresh || !address) return at->second;
    const Mapping* mapping = index_.find(pid, address, ts_ns);
    if (!mapping) return at->second;
    const auto [of, first] = files_.try_emplace(mapping);
    if (first) of->second = file_of(*mapping);
    at->second = {of->second->address_of(address - mapping->start + mapping->offset), of->second->loader};
    return at->second;
  }
  // Where the event was made, and what called it. The same for all events of one kind in one image.
  struct OfKind {
    Site site, caller;
  };
  const OfKind& of(const PackedEvent& e) {
    const uint32_t kind = e.kind().number;
    Slot& slot = slots_[kind % slots_.size()];
    if (slot.image != image_ || slot.kind != kind)
      slot = {image_, kind, {of(e.pid(), e.site(), e.ts_ns()), of(e.pid(), e.caller(), e.ts_ns())}};
    return slot.found;
  }
  void forget() {
    known_.clear();
    ++image_;
  }

 private:
  // The same for all processes that map it: thousands may.
  struct File {
    bool loader = false;
    std::string build_id;
    std::unordered_map<uint64_t, uint64_t> addresses;  // by offset
    uint64_t address_of(uint64_t offset) {
      uint64_t& known = addresses[offset];
      return known ? known : known = sysvm::address_of(build_id, offset);
    }
  };
  File* file_of(const Mapping& mapping) {
    const auto [at, fresh] = by_path_.try_emplace({mapping.path, mapping.build_id});
    if (fresh) {
      at->second.loader = is_loader(mapping.path);
      at->second.build_id = mapping.build_id;
    }
    return &at->second;
  }
  struct Hash {
    size_t operator()(const std::pair<int32_t, uint64_t>& k) const {
      return (k.second ^ static_cast<uint64_t>(k.first)) * 0x9e3779b97f4a7c15ull >> 7;
    }
  };
  MappingIndex index_;
  std::map<std::pair<std::string, std::string>, File> by_path_;
  std::unordered_map<const Mapping*, File*> files_;
  std::unordered_map<std::pair<int32_t, uint64_t>, Site, Hash> known_;
  struct Slot {
    uint64_t image = 0;
    uint32_t kind = 0;
    OfKind found;
  };
  std::vector<Slot> slots_{1024};  // of the kinds that were asked about last: an image has few of them
  uint64_t image_ = 1;             // the present one
};

}  // namespace sysvm
