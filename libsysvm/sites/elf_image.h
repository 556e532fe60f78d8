// SPDX-License-Identifier: MIT
// A 64-bit ELF file as the analyser and the loader's rules see it: build-id, executable ranges, function
// starts, interpreter, needed libraries. Everything read from the file is checked against its size first:
// files are hostile. They also change while they are read: bytes are read, never mapped, so that a file that
// is cut raises no signal, and unchanged() says at the end whether all of it was one version.
// Tested by tests/sites/.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "common/unique_fd.h"
#include "libsysvm/sites/identity.h"

namespace sysvm {

struct ExecRange {
  uint64_t vaddr;
  uint64_t offset;  // in the file
  std::span<const uint8_t> bytes;
};

// An executable segment, as the program headers have it.
struct CodeSegment {
  uint64_t vaddr, offset, filesz;
  bool writable;
};

class ElfImage {
 public:
  static Result<ElfImage> open(const std::string& path);
  // For tests: bytes that are in no file, under the name of one.
  static Result<ElfImage> from_bytes(const std::string& name, std::vector<uint8_t> bytes);
  ElfImage(ElfImage&&) noexcept = default;
  ElfImage& operator=(ElfImage&&) = delete;

  const std::string& path() const { return path_; }
  const sysvm_identity& identity() const { return identity_; }
  // Waits until a later change of the file would show in its times: they have steps, of some ms on most
  // file systems.
  void wait_for_times() const;
  // Is it still the file that identity() tells of?
  bool unchanged() const;

  std::vector<uint8_t> build_id() const;
  std::vector<CodeSegment> code_segments() const;
  // The bytes of each, cut at the ends of executable sections where there is a section table. A segment
  // whose bytes the file does not have is left out.
  std::vector<ExecRange> exec_ranges() const;
  std::optional<ExecRange> eh_frame_header() const;  // PT_GNU_EH_FRAME
  std::optional<ExecRange> segment_at(
      uint64_t vaddr) const;                     // all of the loaded segment that holds the address
  std::vector<ExecRange> data_segments() const;  // loaded, not executable
  // Addresses of defined dynamic symbols, and of the entry point.
  std::vector<uint64_t> symbol_addresses() const;
  // What relocations may write: each addend, and the sum of symbol and addend.
  std::vector<uint64_t> relocated_addresses() const;
  bool at_fixed_address() const { return fixed_; }  // ET_EXEC
  std::optional<std::string> interpreter() const;
  std::vector<std::string> needed() const;
  std::string soname() const;   // empty: has none
  bool relocates_text() const;  // DT_TEXTREL: the loader writes to it

  unsigned machine_class() const { return class_; }  // ELFCLASS64 or ELFCLASS32
  bool is_x86_64() const { return x86_64_; }

 private:
  ElfImage() = default;
  static Result<ElfImage> parse(ElfImage image);
  // Empty if the file does not have all of it. Lives as long as the image.
  std::span<const uint8_t> file_range(uint64_t offset, uint64_t size) const;
  std::span<const uint8_t> at_vaddr(uint64_t vaddr, uint64_t size) const;

  struct Segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, filesz;
  };
  struct Section {
    uint64_t vaddr, size;
  };
  std::vector<std::pair<uint64_t, uint64_t>> dynamic() const;  // tag, value
  std::vector<std::string> dynamic_strings(uint64_t tag) const;

  std::string path_;
  UniqueFd fd_;
  std::vector<uint8_t> bytes_;  // where there is no descriptor
  sysvm_identity identity_{};
  mutable std::deque<std::vector<uint8_t>> read_;
  std::vector<Segment> segments_;
  mutable std::map<ptrdiff_t, std::span<const uint8_t>> kept_;  // segments that were read whole
  std::vector<Section> sections_;                               // executable ones
  uint64_t entry_ = 0;
  unsigned class_ = 0;
  bool x86_64_ = false, fixed_ = false;
};

}  // namespace sysvm
