// SPDX-License-Identifier: MIT
#include "tracer/flight.h"

#include "tracer/bpf_records.h"

namespace sysvm {

void Flight::add(std::vector<uint8_t> block, uint64_t now_ns) {
  block.shrink_to_fit();
  bytes_ += block.size();
  kept_.push_back({now_ns, std::move(block)});
  while (!kept_.empty() && (kept_.front().until_ns + window_ns_ < now_ns || bytes_ > max_bytes_)) {
    bad_ += hand_over(kept_.front().block, before_);
    bytes_ -= kept_.front().block.size();
    kept_.pop_front();
  }
}

RecordSink Flight::write(TraceWriter& writer) const {
  RecordSink sink = before_;
  sink.begin_file(writer);
  for (const Kept& k : kept_) hand_over(k.block, sink);
  return sink;
}

}  // namespace sysvm
