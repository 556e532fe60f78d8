// SPDX-License-Identifier: MIT
#include "traces/frames.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/unique_fd.h"
#include "traces/format.h"
#include "traces/varint.h"

namespace sysvm::trace_format {
namespace {
constexpr std::string_view kProcedures = "SYSVMSVP";  // procedures/svp.h: often taken for the other
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return error("{}: cannot open: {}", path, strerror(errno));
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return error("{}: fstat: {}", path, strerror(errno));
  if (!S_ISREG(st.st_mode)) return error("{}: not a regular file, so not a trace", path);
  MappedFile file;
  file.path_ = path;
  file.size_ = static_cast<size_t>(st.st_size);
  if (file.size_ == 0) return error("{}: empty file, so not a trace", path);
  void* base = mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (base == MAP_FAILED) return error("{}: mmap of {} bytes: {}", path, file.size_, strerror(errno));
  file.base_ = static_cast<const uint8_t*>(base);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), base_(std::exchange(other.base_, nullptr)), size_(other.size_) {}

MappedFile::~MappedFile() {
  if (base_) munmap(const_cast<uint8_t*>(base_), size_);
}

Result<> Frame::check() const {
  if (XXH64(payload.data(), payload.size(), 0) != sum)
    return error("checksum of a record of {} bytes does not match", payload.size());
  return Unit{};
}

Result<> check_preamble(const MappedFile& file) {
  const std::span<const uint8_t> bytes = file.bytes();
  if (bytes.size() >= kProcedures.size() && memcmp(bytes.data(), kProcedures.data(), kProcedures.size()) == 0)
    return error("{}: a procedure file; expected a trace, as 'sysvm record' makes it", file.path());
  if (bytes.size() < kMagic.size() || memcmp(bytes.data(), kMagic.data(), kMagic.size()) != 0)
    return error("{}: not a trace: it does not begin with {}", file.path(), kMagic);
  if (bytes.size() < kPreamble)
    return error("{}: cut after {} bytes, before its header", file.path(), bytes.size());
  if (bytes[kMagic.size()] != kVersion)
    return error("{}: trace format version {}, this program reads version {}", file.path(),
                 bytes[kMagic.size()], kVersion);
  for (size_t i = kMagic.size() + 1; i < kPreamble; ++i)
    if (bytes[i] != 0) return error("{}: byte {} is {}, expected 0", file.path(), i, bytes[i]);
  return Unit{};
}

Result<Frame> frame_at(const MappedFile& file, size_t offset) {
  const uint8_t* const end = file.bytes().data() + file.bytes().size();
  const uint8_t* at = file.bytes().data() + offset;
  uint64_t length = 0;
  if (!get_varint(at, end, length)) {
    if (at == end) return error("cut inside the length of a record");
    length = ~0ull;
  }
  if (length > kMaxRecord) return error("length of a record is bad, at most {} are allowed", kMaxRecord);
  const auto left = static_cast<size_t>(end - at);
  if (length + 8 > left) return error("record of {} bytes is cut after {}", length, left < 8 ? 0 : left - 8);
  Frame frame;
  frame.offset = offset;
  for (size_t i = 0; i < 8; ++i) frame.sum |= static_cast<uint64_t>(at[i]) << (8 * i);
  frame.payload = {at + 8, static_cast<size_t>(length)};
  frame.end = static_cast<size_t>(at + 8 + length - file.bytes().data());
  return frame;
}

std::string make_frame(std::string_view payload) {
  uint8_t head[kMaxVarint + 8];
  uint8_t* at = put_varint(head, payload.size());
  const uint64_t sum = XXH64(payload.data(), payload.size(), 0);
  for (unsigned i = 0; i < 8; ++i) *at++ = static_cast<uint8_t>(sum >> (8 * i));
  std::string out(reinterpret_cast<const char*>(head), static_cast<size_t>(at - head));
  return out += payload;
}

}  // namespace sysvm::trace_format
