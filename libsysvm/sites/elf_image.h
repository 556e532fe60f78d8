// SPDX-License-Identifier: MIT
// A 64-bit ELF file as the analyser and the loader's rules see it: build-id, executable ranges, function starts,
// interpreter, needed libraries. Everything read from the file is checked against its size first: files are hostile.
// Tested by tests/sites/analyse_test.cc.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "libsysvm/sites/table.h"

namespace sysvm {

struct ExecRange {
  uint64_t vaddr;
  std::span<const uint8_t> bytes;
};

class ElfImage {
 public:
  static Result<ElfImage> open(const std::string& path);
  ElfImage(ElfImage&&) noexcept;
  ElfImage& operator=(ElfImage&&) = delete;
  ~ElfImage();

  const std::string& path() const { return path_; }
  const sysvm_identity& identity() const { return identity_; }
  std::vector<uint8_t> build_id() const;
  // Executable sections, or executable segments where the section table is missing.
  std::vector<ExecRange> exec_ranges() const;
  // Where functions start, by .eh_frame_hdr; sorted. Empty if there is none.
  std::vector<uint64_t> function_starts() const;
  std::optional<std::string> interpreter() const;
  std::vector<std::string> needed() const;

  unsigned machine_class() const { return class_; }  // ELFCLASS64 or ELFCLASS32
  bool is_x86_64() const { return x86_64_; }

 private:
  ElfImage() = default;
  std::span<const uint8_t> file_range(uint64_t offset, uint64_t size) const;
  std::span<const uint8_t> at_vaddr(uint64_t vaddr, uint64_t size) const;

  struct Segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, filesz;
  };
  std::string path_;
  sysvm_identity identity_{};
  std::span<const uint8_t> bytes_;
  std::vector<Segment> segments_;
  std::vector<ExecRange> sections_;
  unsigned class_ = 0;
  bool x86_64_ = false;
};

sysvm_identity identity_of(const struct stat& st);

}  // namespace sysvm
