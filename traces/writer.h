// SPDX-License-Identifier: MIT
// Writes a trace file, chunk by chunk. What has been written stays readable whatever happens to the writer
// afterwards: every frame stands alone, and nothing at the end is needed to read the rest.
//
// Not thread-safe. Does not sync to disk: a crash of the machine may cost the last chunks.
// Tested by tests/traces/.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"
#include "common/unique_fd.h"
#include "traces/event.h"

namespace sysvm {

class TraceWriter {
 public:
  // Creates path with mode 0600. An existing file is replaced only if it is a trace or empty.
  static Result<std::unique_ptr<TraceWriter>> create(const std::string& path, const TraceHeader& header);
  ~TraceWriter();

  // event.path and event.data are ignored: the strings are given here. A view without data() means "no
  // string". data: the bytes of an event with flag kHasData, of the kind that the event says.
  Result<> add(const Event& event, std::string_view path0 = {}, std::string_view path1 = {},
               std::string_view data = {});
  Result<> add(const Process& process);  // end_ns and exit_status are written by end()
  Result<> end(int32_t pid, uint64_t end_ns, int32_t exit_status);
  Result<> add(const Mapping& mapping);
  Result<> add(const Loss& loss);
  Result<> add(const ThreadEnd& end);
  Result<> add(const Throttle& throttle);
  Result<> flush();                          // ends the chunk, so that all events so far are in the file
  Result<> finish(const TraceStats& stats);  // flush, totals, index; nothing may be added afterwards

  uint64_t bytes() const { return offset_; }
  uint64_t events() const { return events_; }
  int fd() const { return fd_.get(); }

 private:
  struct Pending;
  TraceWriter();
  Result<> write_all(const std::string& bytes);
  template <typename R>
  Result<> write_record(const R& record);
  template <typename R>
  Result<> add_to_batch(const R& record);
  Result<> flush_batch();

  std::string path_;
  UniqueFd fd_;
  uint64_t offset_ = 0;
  uint64_t events_ = 0;
  std::unique_ptr<Pending> pending_;
};

// Whether a trace may be put in the place of what stands there: nothing, an empty file, a trace.
Result<> may_become_trace(const std::string& path);

}  // namespace sysvm
