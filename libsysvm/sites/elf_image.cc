// SPDX-License-Identifier: MIT
#include "libsysvm/sites/elf_image.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "common/unique_fd.h"

namespace sysvm {
namespace {

template <typename T>
std::optional<T> load(std::span<const uint8_t> bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

}  // namespace

sysvm_identity identity_of(const struct stat& st) {
  return {st.st_dev, st.st_ino, static_cast<uint64_t>(st.st_size),
          static_cast<uint64_t>(st.st_mtim.tv_sec) * 1000000000u + static_cast<uint64_t>(st.st_mtim.tv_nsec)};
}

ElfImage::ElfImage(ElfImage&& other) noexcept
    : path_(std::move(other.path_)),
      identity_(other.identity_),
      bytes_(std::exchange(other.bytes_, {})),
      segments_(std::move(other.segments_)),
      sections_(std::move(other.sections_)),
      class_(other.class_),
      x86_64_(other.x86_64_) {}

ElfImage::~ElfImage() {
  if (!bytes_.empty()) munmap(const_cast<uint8_t*>(bytes_.data()), bytes_.size());
}

std::span<const uint8_t> ElfImage::file_range(uint64_t offset, uint64_t size) const {
  if (offset > bytes_.size() || size > bytes_.size() - offset) return {};
  return bytes_.subspan(offset, size);
}

std::span<const uint8_t> ElfImage::at_vaddr(uint64_t vaddr, uint64_t size) const {
  for (const Segment& s : segments_)
    if (s.type == PT_LOAD && vaddr >= s.vaddr && vaddr - s.vaddr < s.filesz && size <= s.filesz - (vaddr - s.vaddr))
      return file_range(s.offset + (vaddr - s.vaddr), size);
  return {};
}

Result<ElfImage> ElfImage::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return sysvm::error("{}: {}", path, std::strerror(errno));
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return sysvm::error("{}: {}", path, std::strerror(errno));
  if (!S_ISREG(st.st_mode)) return sysvm::error("{}: not a regular file", path);
  if (st.st_size < EI_NIDENT) return sysvm::error("{}: not an ELF file: only {} bytes", path, st.st_size);
  ElfImage image;
  image.path_ = path;
  image.identity_ = identity_of(st);
  void* map = mmap(nullptr, static_cast<size_t>(st.st_size), PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (map == MAP_FAILED) return sysvm::error("{}: cannot be mapped: {}", path, std::strerror(errno));
  image.bytes_ = {static_cast<const uint8_t*>(map), static_cast<size_t>(st.st_size)};

  if (std::memcmp(image.bytes_.data(), ELFMAG, SELFMAG) != 0)
    return sysvm::error("{}: not an ELF file: no ELF magic at byte 0", path);
  image.class_ = image.bytes_[EI_CLASS];
  const auto header = load<Elf64_Ehdr>(image.bytes_, 0);
  if (image.class_ != ELFCLASS64 || !header) return image;
  image.x86_64_ = header->e_machine == EM_X86_64;
  for (unsigned i = 0; i < header->e_phnum; ++i) {
    const auto ph = load<Elf64_Phdr>(image.bytes_, header->e_phoff + uint64_t{i} * sizeof(Elf64_Phdr));
    if (!ph) return sysvm::error("{}: program header {} lies past the end of the file", path, i);
    image.segments_.push_back({ph->p_type, ph->p_flags, ph->p_offset, ph->p_vaddr, ph->p_filesz});
  }
  for (unsigned i = 0; i < header->e_shnum; ++i) {
    const auto sh = load<Elf64_Shdr>(image.bytes_, header->e_shoff + uint64_t{i} * sizeof(Elf64_Shdr));
    if (!sh) break;  // A cut section table is no error: the loader does not read it either.
    if (sh->sh_type != SHT_PROGBITS || !(sh->sh_flags & SHF_EXECINSTR)) continue;
    const auto bytes = image.file_range(sh->sh_offset, sh->sh_size);
    if (!bytes.empty()) image.sections_.push_back({sh->sh_addr, bytes});
  }
  return image;
}

std::vector<uint8_t> ElfImage::build_id() const {
  for (const Segment& s : segments_) {
    if (s.type != PT_NOTE) continue;
    const auto notes = file_range(s.offset, s.filesz);
    uint64_t at = 0;
    while (const auto note = load<Elf64_Nhdr>(notes, at)) {
      const uint64_t name = at + sizeof(Elf64_Nhdr);
      const uint64_t desc = name + ((uint64_t{note->n_namesz} + 3) & ~uint64_t{3});
      if (desc > notes.size() || note->n_descsz > notes.size() - desc) break;
      if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && std::memcmp(&notes[name], "GNU", 4) == 0)
        return {notes.begin() + static_cast<long>(desc),
                notes.begin() + static_cast<long>(desc + std::min<uint64_t>(note->n_descsz, SITES_BUILD_ID_MAX))};
      at = desc + ((uint64_t{note->n_descsz} + 3) & ~uint64_t{3});
    }
  }
  return {};
}

// The loader maps segments, not sections: a section table that hides executable bytes would hide system calls. So
// sections only cut the segments into pieces; bytes between sections are decoded too.
std::vector<ExecRange> ElfImage::exec_ranges() const {
  std::vector<ExecRange> out;
  for (const Segment& s : segments_) {
    if (s.type != PT_LOAD || !(s.flags & PF_X)) continue;
    const auto segment = file_range(s.offset, s.filesz);
    std::vector<uint64_t> cuts{s.vaddr, s.vaddr + segment.size()};
    for (const ExecRange& section : sections_)
      for (const uint64_t cut : {section.vaddr, section.vaddr + section.bytes.size()})
        if (cut > s.vaddr && cut < s.vaddr + segment.size()) cuts.push_back(cut);
    std::sort(cuts.begin(), cuts.end());
    for (size_t i = 0; i + 1 < cuts.size(); ++i)
      if (cuts[i + 1] > cuts[i]) out.push_back({cuts[i], segment.subspan(cuts[i] - s.vaddr, cuts[i + 1] - cuts[i])});
  }
  return out;
}

std::vector<uint64_t> ElfImage::function_starts() const {
  std::vector<uint64_t> out;
  for (const Segment& s : segments_) {
    if (s.type != PT_GNU_EH_FRAME) continue;
    const auto hdr = file_range(s.offset, s.filesz);
    // Version 1, eh_frame_ptr encoding any 4-byte one, count udata4, table datarel sdata4: what every linker writes.
    if (hdr.size() < 12 || hdr[0] != 1 || hdr[2] != 0x03 || hdr[3] != 0x3b) continue;
    const uint32_t count = *load<uint32_t>(hdr, 8);
    for (uint32_t i = 0; i < count; ++i) {
      const auto start = load<int32_t>(hdr, 12 + uint64_t{i} * 8);
      if (!start) break;
      out.push_back(s.vaddr + static_cast<uint64_t>(static_cast<int64_t>(*start)));
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<std::string> ElfImage::interpreter() const {
  for (const Segment& s : segments_) {
    if (s.type != PT_INTERP) continue;
    const auto name = file_range(s.offset, s.filesz);
    const auto end = std::find(name.begin(), name.end(), 0);
    return std::string(name.begin(), end);
  }
  return std::nullopt;
}

std::vector<std::string> ElfImage::needed() const {
  std::vector<std::string> out;
  for (const Segment& s : segments_) {
    if (s.type != PT_DYNAMIC) continue;
    const auto dynamic = file_range(s.offset, s.filesz);
    uint64_t strtab = 0, strsz = 0;
    for (uint64_t at = 0; const auto d = load<Elf64_Dyn>(dynamic, at); at += sizeof(Elf64_Dyn)) {
      if (d->d_tag == DT_NULL) break;
      if (d->d_tag == DT_STRTAB) strtab = d->d_un.d_ptr;
      if (d->d_tag == DT_STRSZ) strsz = d->d_un.d_val;
    }
    const auto strings = at_vaddr(strtab, strsz);
    for (uint64_t at = 0; const auto d = load<Elf64_Dyn>(dynamic, at); at += sizeof(Elf64_Dyn)) {
      if (d->d_tag == DT_NULL) break;
      if (d->d_tag != DT_NEEDED || d->d_un.d_val >= strings.size()) continue;
      const auto rest = strings.subspan(d->d_un.d_val);
      out.emplace_back(rest.begin(), std::find(rest.begin(), rest.end(), 0));
    }
  }
  return out;
}

}  // namespace sysvm
