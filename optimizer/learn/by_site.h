// SPDX-License-Identifier: MIT
// The occurrences of one trigger, separated by the place that made the call.
//
// One call with one set of flags may come from places that go on differently: CPython opens its sources
// through open64 and reads them, while the loader and the C library's own routines open with the same flags
// and map the file. The address of the syscall instruction (build-id and offset) tells them apart where the
// recording knows it. Tested by tests/optimizer/compile_test.cc.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "optimizer/learn/occurrences.h"
#include "procedures/procedure.h"

namespace sysvm {

struct SiteGroup {
  std::optional<CodePlace> site;  // of the syscall instruction, if it is known
  std::vector<const Occurrence*> occurrences;
};

class SiteIndex {
 public:
  std::vector<SiteGroup> split(const std::vector<const Occurrence*>& occurrences);

 private:
  using Site = std::pair<std::string_view, uint64_t>;  // build-id, in the trace, and offset; "": not known
  Site site_of(const PackedTrace& trace, const PackedEvent& e);
  std::map<const PackedTrace*, std::unique_ptr<MappingIndex>> mappings_;
};

}  // namespace sysvm
