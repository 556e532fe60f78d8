// SPDX-License-Identifier: MIT
// All events of a trace in order of entry, without holding the trace in memory.
//
// Chunks are sorted in themselves, but a long call stands in the chunk of its return. A first pass finds
// these stragglers (events that began before an earlier chunk's last one) and keeps them; a second pass
// merges them in. There are few: a thread has at most one call under way.
// Tested by tests/traces/export_test.cc.
#pragma once

#include <functional>
#include <string>

#include "common/result.h"
#include "traces/event.h"

namespace sysvm {

// event's strings are indices into info.strings. Return false to stop.
using EventVisitor = std::function<bool(const Event& event, const TraceInfo& info)>;
// begin gets the whole of the file's information before the first event.
Result<TraceInfo> for_each_in_order(const std::string& path,
                                    const std::function<void(const TraceInfo&)>& begin,
                                    const EventVisitor& visit);

}  // namespace sysvm
