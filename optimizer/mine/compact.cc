// SPDX-License-Identifier: MIT
#include "optimizer/mine/compact.h"

#include <fmt/format.h>

namespace sysvm {
namespace {

constexpr uint32_t kUnusable =
    kNoEnter | kNoExit | kRestarted | kForkChild | kCompat | kSignal | kNrChanged | kUnknownValue;

std::string token_text(const Event& e, const CallTraits& traits) {
  std::string text = traits.name;
  for (size_t i = 0; i < traits.nargs; ++i)
    if (traits.arg[i].kind == SYSVM_KIND_FLAGS) text += fmt::format(" {:x}", e.args[i] & 0xffffffffu);
  if (e.ret < 0)
    text += fmt::format(" {}", e.ret);
  else if (traits.result == SYSVM_RESULT_BYTES && e.ret == 0)
    text += " =0";
  return text;
}

}  // namespace

const Compact::Row& Compact::row_of(int32_t nr) {
  const auto at = static_cast<size_t>(nr < 0 || nr > 1023 ? 1023 : nr);
  if (rows_.size() <= at) rows_.resize(1024);
  Row& row = rows_[at];
  if (row.known) return row;
  row.known = true;
  const sysvm_syscall_info* info = sysvm_syscall_by_nr(static_cast<uint32_t>(nr));
  row.by_command = nr == SYSVM_NR_fcntl || nr == SYSVM_NR_ioctl;
  row.task = !info || info->effect == SYSVM_EFFECT_TASK;
  row.stat = nr == SYSVM_NR_stat || nr == SYSVM_NR_lstat || nr == SYSVM_NR_fstat ||
             nr == SYSVM_NR_newfstatat || nr == SYSVM_NR_statx;
  if (info) {
    row.nargs = info->nargs;
    row.bytes = info->result == SYSVM_RESULT_BYTES;
    for (size_t i = 0; i < info->nargs; ++i)
      if (info->arg[i].kind == SYSVM_KIND_FLAGS) row.flags_mask |= 1u << i;
  }
  return row;
}

uint32_t Compact::token_of(const Event& e, const Row& row) {
  Key key{static_cast<uint64_t>(e.nr), e.ip,
          e.ret < 0                 ? e.ret
          : row.bytes && e.ret == 0 ? 1
                                    : 0,
          e.ip ? e.pid : 0};
  if (row.by_command) key.what |= (e.args[1] & 0xffffffffu) << 32;
  for (size_t i = 0; row.flags_mask >> i; ++i)
    if (row.flags_mask >> i & 1) key.what = key.what * 0x100000001b3ull ^ (e.args[i] & 0xffffffffu) << 10;
  const auto [at, fresh] = ids_.try_emplace(key, static_cast<uint32_t>(tokens_.size()));
  if (fresh) {
    Token& token = tokens_.emplace_back();
    token.sample = e;
    token.traits = traits_of(e);
    token.text = token_text(e, token.traits);
  }
  return at->second;
}

void Compact::cut(Thread& thread) {
  if (thread.calls.size() > 1) streams_.push_back(std::move(thread.calls));
  thread.calls = {};
}

void Compact::add(const Event& e, bool next_entry) {
  if (!last_ || last_tid_ != e.tid) {
    last_ = &threads_[e.tid];
    last_tid_ = e.tid;
  }
  Thread& thread = *last_;
  if (thread.begun && e.seq != thread.next_seq) cut(thread);
  thread.begun = true;
  thread.next_seq = e.seq + 1;
  if (!e.has(kSignal)) ++total_;
  if (e.tid != e.pid && threaded_processes_.insert(e.pid).second)
    if (const auto first = threads_.find(e.pid); first != threads_.end()) cut(first->second);
  if (!threaded_processes_.empty() && threaded_processes_.contains(e.pid)) {
    ++threaded_;
    cut(thread);
    return;
  }
  const Row& row = row_of(e.nr);
  if (e.flags & kUnusable || row.task) {
    cut(thread);
    return;
  }
  CompactCall call{e.args, e.ret, token_of(e, row), e.path, next_entry ? kNextEntry : e.data};
  if (e.flags & (kPathFault | kPathCut)) call.text = {kNoString, kNoString};
  if (row.stat) {
    call.args[4] = e.has(kHasStat) ? e.st_mode : 0;
    call.args[5] = e.has(kHasStat) ? e.st_size : 0;
  }
  thread.calls.push_back(static_cast<uint32_t>(calls_.size()));
  calls_.push_back(call);
}

// Call sites are told apart by their addresses so far; now by build-id and offset, which mean the same in
// another process.
void Compact::finish(const TraceInfo& info) {
  for (auto& [tid, thread] : threads_) cut(thread);
  if (!info.header.filter.empty())
    streams_.clear();  // calls were left out without a number: none are neighbours
  const MappingIndex index(info);
  std::unordered_map<std::string, uint32_t> by_text;
  std::vector<uint32_t> renamed;
  std::vector<Token> kept;
  for (Token& token : tokens_) {
    if (token.sample.ip) {
      const std::optional<Place> place =
          index.place(token.sample.pid, token.sample.site(), token.sample.ts_ns);
      if (place && !place->build_id.empty())
        token.text += fmt::format(" @{:.16}+{:x}", place->build_id, place->offset);
    }
    const auto [at, fresh] = by_text.try_emplace(token.text, static_cast<uint32_t>(kept.size()));
    renamed.push_back(at->second);
    if (fresh) kept.push_back(std::move(token));
  }
  tokens_ = std::move(kept);
  for (CompactCall& call : calls_) call.token = renamed[call.token];
  ids_.clear();
  threads_.clear();
}

}  // namespace sysvm
