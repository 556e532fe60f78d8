// SPDX-License-Identifier: MIT
// Fuzzes the procedure file's check: any bytes, with the checksums made right where the structure allows it
// (else the fuzzer would never get past them). What is accepted is then read whole, as the shim would: any
// byte out of place is the sanitizer's to find.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "procedures/svp_lists.h"
#include "vm/vm.h"

namespace {

void mend_checksums(unsigned char* base, size_t size) {
  if (size < sizeof(svp_header)) return;
  auto* h = reinterpret_cast<svp_header*>(base);
  std::memcpy(h->magic, SVP_MAGIC, 8);
  h->version = SVP_VERSION;
  h->abi = SYSVM_ABI_VERSION;
  h->file_size = size;
  h->sections %= 12;
  const size_t table = h->sections * sizeof(svp_section);
  if (table > size - sizeof *h) return;
  auto* s = reinterpret_cast<svp_section*>(h + 1);
  uint64_t end = sizeof *h + table;
  for (uint32_t i = 0; i < h->sections; i++) {
    s[i].kind = i + 1;
    s[i].reserved = 0;
    s[i].offset = (end + 7) / 8 * 8;
    if (s[i].offset > size) break;
    s[i].size = i + 1 == h->sections ? size - s[i].offset : s[i].size % (size - s[i].offset + 1);
    s[i].checksum = svp_checksum(base + s[i].offset, s[i].size, SVP_CHECKSUM_START);
    end = s[i].offset + s[i].size;
    for (uint64_t gap = end; gap < size && gap % 8; gap++) base[gap] = 0;
  }
  h->reserved = 0;
  h->checksum = 0;
  h->checksum = svp_checksum(s, table, svp_checksum(h, sizeof *h, SVP_CHECKSUM_START));
}

uint64_t read_all(const void* p, size_t n) { return svp_checksum(p, n, 0); }

uint64_t use(const svp& svp) {
  uint64_t sum = read_all(svp.notes, svp.notes_size);
  for (uint32_t i = 0; i < svp.nprocs; i++) {
    const svp_proc& p = svp.procs[i];
    sum += std::strlen(svp.strings + p.name);
    sum += read_all(svp.code + p.code_offset, p.code_size) + read_all(svp.data + p.data_offset, p.data_size);
    for (uint32_t t = 0; t < p.triggers; t++) sum += svp.triggers[p.first_trigger + t].arg[5].value;
    for (uint32_t f = 0; f < p.followers; f++)
      for (const svp_arg& a : svp.followers[p.first_follower + f].arg) {
        if (a.kind == SVP_ARG_STRING)
          sum += std::strlen(reinterpret_cast<const char*>(svp.data) + p.data_offset + a.value);
        if (a.kind == SVP_ARG_OUT && a.value + a.size > p.staging) abort();
      }
  }
  svp_lists lists;
  svp_lists_of(&svp, &lists);
  for (uint32_t i = 0; i < lists.nlists; i++) {
    sum += std::strlen(svp.strings + lists.lists[i].name);
    if (lists.lists[i].first_item + lists.lists[i].items > lists.nitems) abort();
  }
  for (uint32_t i = 0; i < lists.nitems; i++) sum += std::strlen(lists.paths + lists.items[i].path);
  return sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint64_t> words((size + 7) / 8);
  auto* base = reinterpret_cast<unsigned char*>(words.data());
  if (size) std::memcpy(base, data, size);
  if (size && data[size - 1] % 8) mend_checksums(base, size);
  svp out;
  char message[160];
  const size_t message_size = size % sizeof message;
  volatile uint64_t sink = 0;
  if (svp_check(base, size, &out, message, message_size) == 0) sink = use(out);
  (void)sink;
  return 0;
}
