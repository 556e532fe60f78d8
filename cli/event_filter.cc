// SPDX-License-Identifier: MIT
#include "cli/event_filter.h"

#include "tracer/event.h"
#include "uapi/syscalls.h"

namespace sysvm {

std::vector<std::string> split_at_commas(std::string text) {
  std::vector<std::string> out;
  for (size_t comma; (comma = text.find(',')) != std::string::npos; text.erase(0, comma + 1))
    out.push_back(text.substr(0, comma));
  out.push_back(text);
  return out;
}

Result<EventFilter> EventFilter::make(const std::vector<std::string>& expressions) {
  EventFilter filter;
  filter.all_ = expressions.empty();
  for (std::string text : expressions) {
    std::string head;
    if (const size_t equals = text.find('='); equals != std::string::npos && text.find('/') > equals) {
      head = text.substr(0, equals + 1);
      text.erase(0, equals + 1);
    }
    const bool invert = text.starts_with('!');
    if (invert) text.erase(0, 1);
    if (invert && expressions.size() > 1) return error("-e !{}: must be the only -e", text);
    filter.invert_ = invert;
    std::string named;
    if (text.starts_with('/')) {
      named = text;
    } else {
      for (const std::string& word : split_at_commas(text)) {
        if (word == "signal" || word.starts_with("i386_") || word.starts_with("syscall_"))
          filter.others_.insert(word);
        else
          named += (named.empty() ? "" : ",") + word;
      }
      if (named.empty() && !filter.others_.empty() && !text.empty()) continue;
    }
    TRY(add_filter(head + named, filter.calls_));
  }
  return filter;
}

bool EventFilter::has(const TraceInfo& info, const Event& e) const {
  if (all_) return true;
  const bool plain = !e.has(kSignal) && !e.has(kCompat) && e.nr >= 0 && e.nr < TRACE_NRS &&
                     sysvm_syscall_by_nr(static_cast<unsigned>(e.nr));
  return (plain ? calls_[static_cast<size_t>(e.nr)] : others_.count(call_label(info, e)) > 0) != invert_;
}

bool EventFilter::has(const std::string& name) const {
  if (all_) return true;
  const struct sysvm_syscall_info* call = sysvm_syscall_by_name(name.c_str());
  return (call ? calls_[static_cast<size_t>(call->nr)] : others_.count(name) > 0) != invert_;
}

}  // namespace sysvm
