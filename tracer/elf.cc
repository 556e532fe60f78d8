// SPDX-License-Identifier: MIT
#include "tracer/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/unique_fd.h"

namespace sysvm {

namespace {

std::string read_at(int fd, uint64_t offset, size_t size) {
  std::string out(size, '\0');
  const ssize_t n = pread(fd, out.data(), size, static_cast<off_t>(offset));
  out.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return out;
}

std::string find_build_id(const std::string& notes) {
  size_t at = 0;
  Elf64_Nhdr note;
  while (at + sizeof note <= notes.size()) {
    memcpy(&note, notes.data() + at, sizeof note);
    const uint64_t name = at + sizeof note;
    const uint64_t desc = name + ((uint64_t{note.n_namesz} + 3) & ~3ull);
    const uint64_t next = desc + ((uint64_t{note.n_descsz} + 3) & ~3ull);
    if (desc + note.n_descsz > notes.size()) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        notes.compare(name, 4, std::string("GNU\0", 4)) == 0) {
      std::string hex;
      for (uint32_t i = 0; i < note.n_descsz; ++i)
        hex += fmt::format("{:02x}", static_cast<uint8_t>(notes[desc + i]));
      return hex;
    }
    at = next;
  }
  return "";
}

}  // namespace

Result<ElfFile> read_elf(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return error("{}: {}", path, strerror(errno));
  const std::string head = read_at(fd.get(), 0, sizeof(Elf64_Ehdr));
  Elf64_Ehdr ehdr;
  if (head.size() != sizeof ehdr || memcmp(head.data(), ELFMAG, SELFMAG) != 0)
    return error("{}: not an ELF file", path);
  memcpy(&ehdr, head.data(), sizeof ehdr);
  if (ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_phentsize != sizeof(Elf64_Phdr))
    return error("{}: not a 64-bit ELF file", path);
  const std::string table = read_at(fd.get(), ehdr.e_phoff, sizeof(Elf64_Phdr) * ehdr.e_phnum);
  ElfFile elf;
  for (size_t at = 0; at + sizeof(Elf64_Phdr) <= table.size(); at += sizeof(Elf64_Phdr)) {
    Elf64_Phdr p;
    memcpy(&p, table.data() + at, sizeof p);
    if (p.p_type == PT_LOAD && (p.p_flags & PF_X)) elf.text.push_back({p.p_vaddr, p.p_offset, p.p_memsz});
    if (p.p_type == PT_INTERP && p.p_filesz < 4096) {
      elf.interp = read_at(fd.get(), p.p_offset, p.p_filesz);
      if (const size_t end = elf.interp.find('\0'); end != std::string::npos) elf.interp.resize(end);
    }
    if (p.p_type == PT_NOTE && elf.build_id.empty() && p.p_filesz < (1u << 16))
      elf.build_id = find_build_id(read_at(fd.get(), p.p_offset, p.p_filesz));
  }
  return elf;
}

}  // namespace sysvm
