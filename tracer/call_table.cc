// SPDX-License-Identifier: MIT
#include "tracer/call_table.h"

#include <sys/syscall.h>

#include "traces/event.h"
#include "uapi/syscalls.h"

namespace sysvm {

namespace {

constexpr uint8_t kNoArg = 0xff, kByResult = 0xfe, kOne = 0xfd, kMessage = 0xfc;  // call_desc::data_len

struct Data {
  int nr;
  uint8_t arg, len;
  uint16_t size, max;
  uint32_t kind;
};

constexpr uint32_t kind(DataKind k) { return static_cast<uint32_t>(k); }

// max: 4 buffers, 16 ready descriptors. What comes after is the exception, and only a hint is lost.
constexpr Data kData[] = {
    {SYS_readv, 1, 2, 16, 64, kind(DataKind::kIovec)},
    {SYS_writev, 1, 2, 16, 64, kind(DataKind::kIovec)},
    {SYS_preadv, 1, 2, 16, 64, kind(DataKind::kIovec)},
    {SYS_pwritev, 1, 2, 16, 64, kind(DataKind::kIovec)},
    {SYS_preadv2, 1, 2, 16, 64, kind(DataKind::kIovec)},
    {SYS_pwritev2, 1, 2, 16, 64, kind(DataKind::kIovec)},
    {SYS_vmsplice, 1, 2, 16, 64, kind(DataKind::kIovec)},
    {SYS_sendmsg, 1, kMessage, 16, 64, kind(DataKind::kIovec)},
    {SYS_recvmsg, 1, kMessage, 16, 64, kind(DataKind::kIovec)},
    {SYS_epoll_wait, 1, kByResult, 12, 192, kind(DataKind::kEpoll)},
    {SYS_epoll_pwait, 1, kByResult, 12, 192, kind(DataKind::kEpoll)},
    {SYS_epoll_pwait2, 1, kByResult, 12, 192, kind(DataKind::kEpoll)},
    {SYS_epoll_ctl, 3, kOne, 12, 12, kind(DataKind::kEpoll)},
    {SYS_getdents64, 1, kByResult, 1, TRACE_DATA_MAX, TRACE_DATA_RAW_DIRENTS},
    {SYS_pipe, 0, kOne, 8, 8, kind(DataKind::kFds)},
    {SYS_pipe2, 0, kOne, 8, 8, kind(DataKind::kFds)},
    {SYS_socketpair, 3, kOne, 8, 8, kind(DataKind::kFds)},
    {SYS_poll, 0, 1, 8, 128, kind(DataKind::kPoll)},
    {SYS_ppoll, 0, 1, 8, 128, kind(DataKind::kPoll)},
};

}  // namespace

call_desc describe_call(int32_t nr, const CallSet& wanted, const Capture& capture) {
  call_desc d{};
  d.nargs = 6;
  d.str[0] = d.str[1] = d.stat = d.data = kNoArg;
  d.hidden = !wanted[static_cast<size_t>(nr)];
  const sysvm_syscall_info* row = sysvm_syscall_by_nr(static_cast<uint32_t>(nr));
  if (!row) return d;
  d.nargs = row->nargs;
  if (capture.minimal) return d;
  int strings = 0;
  for (uint8_t i = 0; i < row->nargs; ++i) {
    const uint16_t k = row->arg[i].kind;
    if ((k == SYSVM_KIND_PATH || k == SYSVM_KIND_STR) && strings < 2) d.str[strings++] = i;
    if (capture.data_bytes && row->result == SYSVM_RESULT_BYTES &&
        (k == SYSVM_KIND_IN || k == SYSVM_KIND_OUT)) {
      d.data = i;
      d.data_len = kByResult;
      d.data_size = 1;
      d.data_max = capture.data_bytes;
      d.data_kind = static_cast<uint16_t>(DataKind::kBytes);
    }
  }
  for (const Data& data : kData)
    if (data.nr == nr) {
      d.data = data.arg;
      d.data_len = data.len;
      d.data_size = data.size;
      d.data_max = data.max;
      d.data_kind = static_cast<uint16_t>(data.kind);
    }
  if (nr == SYS_stat || nr == SYS_lstat || nr == SYS_fstat) d.stat = 1;
  if (nr == SYS_newfstatat) d.stat = 2;
  if (nr == SYS_statx) d.stat = 4, d.is_statx = 1;
  return d;
}

void describe_calls(call_desc* out, const CallSet& wanted, const Capture& capture) {
  for (int32_t nr = 0; nr < TRACE_NRS; ++nr) out[nr] = describe_call(nr, wanted, capture);
}

}  // namespace sysvm
