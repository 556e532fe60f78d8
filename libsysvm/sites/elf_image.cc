// SPDX-License-Identifier: MIT
#include "libsysvm/sites/elf_image.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace sysvm {
namespace {

constexpr unsigned kProgramHeadersMax = 65536 / sizeof(Elf64_Phdr);
constexpr uint64_t kNotesMax = 64 << 10, kNameMax = 4096, kDynamicMax = 1 << 20;

template <typename T>
std::optional<T> load(std::span<const uint8_t> bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

}  // namespace

std::span<const uint8_t> ElfImage::file_range(uint64_t offset, uint64_t size) const {
  if (size == 0 || offset > identity_.size || size > identity_.size - offset) return {};
  if (!fd_) return std::span(bytes_).subspan(offset, size);
  std::vector<uint8_t> bytes(size);
  for (uint64_t have = 0; have < size;) {
    const ssize_t n = ::pread(fd_.get(), &bytes[have], size - have, static_cast<off_t>(offset + have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return {};  // cut since
    have += static_cast<uint64_t>(n);
  }
  return read_.emplace_back(std::move(bytes));
}

std::span<const uint8_t> ElfImage::at_vaddr(uint64_t vaddr, uint64_t size) const {
  for (const Segment& s : segments_)
    if (s.type == PT_LOAD && vaddr >= s.vaddr && vaddr - s.vaddr < s.filesz &&
        size <= s.filesz - (vaddr - s.vaddr))
      return file_range(s.offset + (vaddr - s.vaddr), size);
  return {};
}

Result<ElfImage> ElfImage::open(const std::string& path) {
  ElfImage image;
  image.path_ = path;
  image.fd_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat st;
  if (!image.fd_ || fstat(image.fd_.get(), &st) != 0)
    return sysvm::error("{}: {}", path, std::strerror(errno));
  if (!S_ISREG(st.st_mode)) return sysvm::error("{}: not a regular file", path);
  image.identity_ = identity_of(st);
  return parse(std::move(image));
}

Result<ElfImage> ElfImage::from_bytes(const std::string& name, std::vector<uint8_t> bytes) {
  ElfImage image;
  image.path_ = name;
  image.identity_.size = bytes.size();
  image.bytes_ = std::move(bytes);
  return parse(std::move(image));
}

Result<ElfImage> ElfImage::parse(ElfImage image) {
  const std::string& path = image.path_;
  if (image.identity_.size < EI_NIDENT)
    return sysvm::error("{}: not an ELF file: only {} bytes", path, image.identity_.size);
  const auto head = image.file_range(0, std::min<uint64_t>(image.identity_.size, sizeof(Elf64_Ehdr)));
  if (head.empty()) return sysvm::error("{}: cannot be read: {}", path, std::strerror(errno));
  if (std::memcmp(head.data(), ELFMAG, SELFMAG) != 0)
    return sysvm::error("{}: not an ELF file: no ELF magic at byte 0", path);
  image.class_ = head[EI_CLASS];
  const auto header = load<Elf64_Ehdr>(head, 0);
  if (image.class_ != ELFCLASS64 || !header) return image;
  image.x86_64_ = header->e_machine == EM_X86_64;
  image.entry_ = header->e_entry;
  image.fixed_ = header->e_type == ET_EXEC;
  // The kernel's bound; what is read for each of them is bounded too, so that a hostile file costs no
  // more than its size.
  if (header->e_phnum > kProgramHeadersMax)
    return sysvm::error("{}: {} program headers, the kernel takes {}", path, header->e_phnum,
                        kProgramHeadersMax);
  if (header->e_phnum && header->e_phentsize != sizeof(Elf64_Phdr))
    return sysvm::error("{}: program headers of {} bytes, expected {}", path, header->e_phentsize,
                        sizeof(Elf64_Phdr));
  const auto phdrs = image.file_range(header->e_phoff, uint64_t{header->e_phnum} * sizeof(Elf64_Phdr));
  if (header->e_phnum && phdrs.empty())
    return sysvm::error("{}: {} program headers at byte {} lie past the end of the file", path,
                        header->e_phnum, header->e_phoff);
  for (uint64_t at = 0; const auto ph = load<Elf64_Phdr>(phdrs, at); at += sizeof(Elf64_Phdr)) {
    if (ph->p_vaddr + ph->p_filesz < ph->p_vaddr || ph->p_offset + ph->p_filesz < ph->p_offset)
      return sysvm::error("{}: program header {} wraps around", path, at / sizeof(Elf64_Phdr));
    image.segments_.push_back({ph->p_type, ph->p_flags, ph->p_offset, ph->p_vaddr, ph->p_filesz});
  }
  // A cut or odd section table is no error: the loader does not read it either.
  if (header->e_shentsize != sizeof(Elf64_Shdr)) return image;
  const auto shdrs = image.file_range(header->e_shoff, uint64_t{header->e_shnum} * sizeof(Elf64_Shdr));
  for (uint64_t at = 0; const auto sh = load<Elf64_Shdr>(shdrs, at); at += sizeof(Elf64_Shdr))
    if (sh->sh_type == SHT_PROGBITS && sh->sh_flags & SHF_EXECINSTR &&
        sh->sh_addr + sh->sh_size >= sh->sh_addr)
      image.sections_.push_back({sh->sh_addr, sh->sh_size});
  return image;
}

bool ElfImage::unchanged() const {
  struct stat st;
  return !fd_ || (fstat(fd_.get(), &st) == 0 && identity_of(st) == identity_);
}

void ElfImage::wait_for_times() const {
  constexpr int64_t kSecond = 1000000000, kStep = 20000000;  // a tick of HZ=100, twice
  // Whole seconds: a file system that keeps no more (FAT has steps of two).
  const int64_t step = identity_.ctime_ns % kSecond == 0 ? 2 * kSecond + kStep : kStep;
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  const int64_t age = now.tv_sec * kSecond + now.tv_nsec - static_cast<int64_t>(identity_.ctime_ns);
  if (!fd_ || age >= step) return;
  const int64_t rest = std::min(step, step - age);  // a time in the future says nothing
  const timespec wait{rest / kSecond, rest % kSecond};
  nanosleep(&wait, nullptr);
}

std::vector<uint8_t> ElfImage::build_id() const {
  for (const Segment& s : segments_) {
    if (s.type != PT_NOTE) continue;
    const auto notes = file_range(s.offset, std::min(s.filesz, kNotesMax));
    uint64_t at = 0;
    while (const auto note = load<Elf64_Nhdr>(notes, at)) {
      const uint64_t name = at + sizeof(Elf64_Nhdr);
      const uint64_t desc = name + ((uint64_t{note->n_namesz} + 3) & ~uint64_t{3});
      if (desc > notes.size() || note->n_descsz > notes.size() - desc) break;
      if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && std::memcmp(&notes[name], "GNU", 4) == 0)
        return {
            notes.begin() + static_cast<long>(desc),
            notes.begin() + static_cast<long>(desc + std::min<uint64_t>(note->n_descsz, SITES_BUILD_ID_MAX))};
      at = desc + ((uint64_t{note->n_descsz} + 3) & ~uint64_t{3});
    }
  }
  return {};
}

std::vector<CodeSegment> ElfImage::code_segments() const {
  std::vector<CodeSegment> out;
  for (const Segment& s : segments_)
    if (s.type == PT_LOAD && s.flags & PF_X)
      out.push_back({s.vaddr, s.offset, s.filesz, (s.flags & PF_W) != 0});
  return out;
}

// The loader maps segments, not sections: a section table that hides executable bytes would hide system
// calls. So sections only cut the segments into pieces; bytes between sections are decoded too.
std::vector<ExecRange> ElfImage::exec_ranges() const {
  std::vector<ExecRange> out;
  for (const CodeSegment& s : code_segments()) {
    const auto segment = file_range(s.offset, s.filesz);
    std::vector<uint64_t> cuts{s.vaddr, s.vaddr + segment.size()};
    for (const Section& section : sections_)
      for (const uint64_t cut : {section.vaddr, section.vaddr + section.size})
        if (cut > s.vaddr && cut < s.vaddr + segment.size()) cuts.push_back(cut);
    std::sort(cuts.begin(), cuts.end());
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      const uint64_t at = cuts[i] - s.vaddr;
      if (cuts[i + 1] > cuts[i])
        out.push_back({cuts[i], s.offset + at, segment.subspan(at, cuts[i + 1] - cuts[i])});
    }
  }
  return out;
}

std::optional<ExecRange> ElfImage::eh_frame_header() const {
  for (const Segment& s : segments_)
    if (s.type == PT_GNU_EH_FRAME)
      if (const auto bytes = file_range(s.offset, s.filesz); !bytes.empty())
        return ExecRange{s.vaddr, s.offset, bytes};
  return std::nullopt;
}

std::optional<ExecRange> ElfImage::segment_at(uint64_t vaddr) const {
  for (const Segment& s : segments_) {
    if (s.type != PT_LOAD || vaddr < s.vaddr || vaddr - s.vaddr >= s.filesz) continue;
    auto& kept = kept_[&s - segments_.data()];
    if (kept.empty()) kept = file_range(s.offset, s.filesz);
    if (!kept.empty()) return ExecRange{s.vaddr, s.offset, kept};
  }
  return std::nullopt;
}

std::vector<ExecRange> ElfImage::data_segments() const {
  std::vector<ExecRange> out;
  for (const Segment& s : segments_)
    if (s.type == PT_LOAD && !(s.flags & PF_X))
      if (const auto all = segment_at(s.vaddr)) out.push_back(*all);
  return out;
}

// How many symbols there are no header says; with DT_GNU_HASH the last chain does. The string table follows
// the symbols in every file that a linker makes, and any number between is good enough here: an address too
// many costs a place for a jump, no more.
std::vector<uint64_t> ElfImage::symbol_addresses() const {
  std::vector<uint64_t> out{entry_};
  uint64_t symtab = 0, strtab = 0;
  for (const auto& [tag, value] : dynamic()) {
    if (tag == DT_SYMTAB) symtab = value;
    if (tag == DT_STRTAB) strtab = value;
  }
  if (!symtab || strtab <= symtab) return out;
  const auto bytes = at_vaddr(symtab, strtab - symtab);
  for (uint64_t at = 0; const auto symbol = load<Elf64_Sym>(bytes, at); at += sizeof(Elf64_Sym))
    if (symbol->st_shndx != SHN_UNDEF) out.push_back(symbol->st_value);
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<uint64_t> ElfImage::relocated_addresses() const {
  std::vector<uint64_t> out;
  uint64_t symtab = 0, rela = 0, rela_size = 0, plt = 0, plt_size = 0;
  for (const auto& [tag, value] : dynamic()) {
    if (tag == DT_SYMTAB) symtab = value;
    if (tag == DT_RELA) rela = value;
    if (tag == DT_RELASZ) rela_size = value;
    if (tag == DT_JMPREL) plt = value;
    if (tag == DT_PLTRELSZ) plt_size = value;
  }
  const auto symbols = segment_at(symtab);
  for (const auto& [table, size] : {std::pair{rela, rela_size}, std::pair{plt, plt_size}}) {
    const auto bytes = at_vaddr(table, size);
    for (uint64_t at = 0; const auto r = load<Elf64_Rela>(bytes, at); at += sizeof(Elf64_Rela)) {
      const auto addend = static_cast<uint64_t>(r->r_addend);
      out.push_back(addend);
      if (!symbols || ELF64_R_SYM(r->r_info) == 0) continue;
      const uint64_t place = symtab - symbols->vaddr + ELF64_R_SYM(r->r_info) * sizeof(Elf64_Sym);
      if (const auto symbol = load<Elf64_Sym>(symbols->bytes, place))
        out.push_back(symbol->st_value + addend);
    }
  }
  return out;
}

std::optional<std::string> ElfImage::interpreter() const {
  for (const Segment& s : segments_) {
    if (s.type != PT_INTERP) continue;
    const auto name = file_range(s.offset, std::min(s.filesz, kNameMax));
    const auto end = std::find(name.begin(), name.end(), 0);
    return std::string(name.begin(), end);
  }
  return std::nullopt;
}

std::vector<std::pair<uint64_t, uint64_t>> ElfImage::dynamic() const {
  std::vector<std::pair<uint64_t, uint64_t>> out;
  for (const Segment& s : segments_) {
    if (s.type != PT_DYNAMIC) continue;
    const auto bytes = file_range(s.offset, std::min(s.filesz, kDynamicMax));
    for (uint64_t at = 0; const auto d = load<Elf64_Dyn>(bytes, at); at += sizeof(Elf64_Dyn)) {
      if (d->d_tag == DT_NULL) break;
      out.emplace_back(d->d_tag, d->d_un.d_val);
    }
  }
  return out;
}

std::vector<std::string> ElfImage::dynamic_strings(uint64_t wanted) const {
  std::vector<std::string> out;
  uint64_t strtab = 0, strsz = 0;
  const auto entries = dynamic();
  for (const auto& [tag, value] : entries) {
    if (tag == DT_STRTAB) strtab = value;
    if (tag == DT_STRSZ) strsz = value;
  }
  const auto strings = at_vaddr(strtab, strsz);
  for (const auto& [tag, value] : entries) {
    if (tag != wanted || value >= strings.size()) continue;
    const auto rest = strings.subspan(value);
    out.emplace_back(rest.begin(), std::find(rest.begin(), rest.end(), 0));
  }
  return out;
}

std::vector<std::string> ElfImage::needed() const { return dynamic_strings(DT_NEEDED); }

std::string ElfImage::soname() const {
  const std::vector<std::string> names = dynamic_strings(DT_SONAME);
  return names.empty() ? "" : names[0];
}

bool ElfImage::relocates_text() const {
  for (const auto& [tag, value] : dynamic())
    if (tag == DT_TEXTREL || (tag == DT_FLAGS && value & DF_TEXTREL)) return true;
  return false;
}

}  // namespace sysvm
