// SPDX-License-Identifier: MIT
// Random access to a trace: by the index at its end, or by going through its frames once.
#include <algorithm>
#include <optional>

#include "traces/format.h"
#include "traces/reader.h"
#include "traces/records.h"

namespace sysvm {

using namespace trace_format;

struct TraceFile::Impl {
  MappedFile file;
  TraceInfo info;
  std::vector<ChunkRef> chunks;
  ChunkDecoder decoder;

  // The index that a closed file ends with, or nothing: then the file is scanned.
  std::optional<pb::Index> index() const {
    const size_t size = file.bytes().size();
    if (size < kPreamble + kTrailer) return std::nullopt;
    auto record_at = [this](size_t offset) -> std::optional<pb::Record> {
      const Result<Frame> frame = frame_at(file, offset);
      pb::Record record;
      if (!frame || !parse_record(*frame, record)) return std::nullopt;
      return record;
    };
    const auto trailer = record_at(size - kTrailer);
    if (!trailer || !trailer->has_trailer()) return std::nullopt;
    const uint64_t at = trailer->trailer().index_offset();
    if (at < kPreamble || at >= size - kTrailer) return std::nullopt;
    const auto record = record_at(at);
    if (!record || !record->has_index()) return std::nullopt;
    const pb::Index& index = record->index();
    const int n = index.offset_size();
    if (index.first_ns_size() != n || index.last_ns_size() != n || index.events_size() != n)
      return std::nullopt;
    auto inside = [size](uint64_t offset) { return offset >= kPreamble && offset < size; };
    if (!std::all_of(index.offset().begin(), index.offset().end(), inside) ||
        !std::all_of(index.other().begin(), index.other().end(), inside))
      return std::nullopt;
    return index;
  }

  Result<> take_chunk(const Frame& frame) {
    pb::Record record;
    TRY(parse_record(frame, record));
    if (!record.has_chunk()) return error("not a Record");
    const pb::Chunk& c = record.chunk();
    chunks.push_back({frame.offset, c.first_ns(), c.last_ns(), c.events()});
    return Unit{};
  }
};

TraceFile::TraceFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TraceFile::TraceFile(TraceFile&&) noexcept = default;
TraceFile::~TraceFile() = default;
const TraceInfo& TraceFile::info() const { return impl_->info; }
const std::vector<ChunkRef>& TraceFile::chunks() const { return impl_->chunks; }

Result<TraceFile> TraceFile::open(const std::string& path) {
  std::unique_ptr<Impl> impl(new Impl{TRY(MappedFile::open(path)), {}, {}, {}});
  const MappedFile& file = impl->file;
  TRY(check_preamble(file));
  Records records(file, impl->info);
  std::string& damage = impl->info.damage;
  auto take = [&](size_t at) -> size_t {
    const Result<Frame> frame = frame_at(file, at);
    const Result<> taken = !frame                                      ? Result<>(frame.error())
                           : is_chunk(*frame) && records.have_header() ? impl->take_chunk(*frame)
                                                                       : records.take(*frame);
    if (!taken) damage = damage_at(file, at, taken.message());
    return frame ? frame->end : file.bytes().size();
  };
  const size_t header_end = take(kPreamble);
  if (!damage.empty()) return error("{}", damage);
  if (const auto index = impl->index()) {
    for (int i = 0; i < index->offset_size(); ++i)
      impl->chunks.push_back({index->offset(i), index->first_ns(i), index->last_ns(i), index->events(i)});
    for (int i = 0; i < index->other_size() && damage.empty(); ++i) take(index->other(i));
  } else {
    for (size_t at = header_end; at < file.bytes().size() && damage.empty();) at = take(at);
  }
  return TraceFile(std::move(impl));
}

Result<> TraceFile::read(size_t i, Columns& columns, std::vector<std::string>& strings) {
  const ChunkRef& ref = impl_->chunks.at(i);
  const Result<Frame> frame = frame_at(impl_->file, ref.offset);
  const Result<> decoded = frame ? impl_->decoder.decode(*frame) : Result<>(frame.error());
  if (!decoded) return error("{}", damage_at(impl_->file, ref.offset, decoded.message()));
  std::swap(columns, impl_->decoder.columns);
  strings.resize(impl_->decoder.strings.size());
  for (size_t k = 0; k < strings.size(); ++k) strings[k].assign(impl_->decoder.strings[k]);
  return Unit{};
}

Result<TraceInfo> read_trace_info(const std::string& path) {
  TraceFile file = TRY(TraceFile::open(path));
  return file.info();
}

}  // namespace sysvm
