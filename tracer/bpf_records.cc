// SPDX-License-Identifier: MIT
#include "tracer/bpf_records.h"

#include <cstring>

#include "tracer/event.h"

namespace sysvm {

namespace {

// Cuts pieces off the front of a record; all zero past its end.
class Pieces {
 public:
  Pieces(const uint8_t* data, size_t size) : at_(reinterpret_cast<const char*>(data)), left_(size) {}
  std::string_view bytes(size_t n) {
    if (n > left_) {
      good_ = false;
      n = left_;
    }
    std::string_view out(at_, n);
    at_ += n;
    left_ -= n;
    return out;
  }
  template <typename T>
  T take() {
    T out{};
    const std::string_view b = bytes(sizeof(T));
    memcpy(&out, b.data(), b.size());
    return out;
  }
  std::string_view string(size_t n) { return n ? bytes(n).substr(0, n - 1) : std::string_view(); }
  bool good() const { return good_; }

 private:
  const char* at_;
  size_t left_;
  bool good_ = true;
};

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const size_t end = text.find('\0');
    words.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return words;
}

bool on_call(Pieces in, TraceSink& sink) {
  const auto r = in.take<rec_call>();
  Event e;
  e.ts_ns = r.head.time - r.dur;
  e.dur_ns = r.dur;
  e.pid = static_cast<int32_t>(r.head.pid);
  e.tid = static_cast<int32_t>(r.head.tid);
  e.seq = r.seq;
  e.nr = r.head.nr;
  e.ret = r.ret;
  e.flags = r.flags & (EV_HAS_TAIL - 1);
  e.ip = r.ip;
  e.caller = r.caller;
  for (size_t i = 0; i < r.head.nargs && i < e.args.size(); ++i) e.args[i] = in.take<uint64_t>();
  if (r.flags & EV_HAS_STAT) {
    const auto st = in.take<rec_stat>();
    e.st_mode = st.mode;
    e.st_size = st.size;
    e.st_dev = st.dev;
    e.st_ino = st.ino;
  }
  CallText text;
  std::string names;
  if (r.flags & EV_HAS_TAIL) {
    const auto tail = in.take<rec_tail>();
    for (int i = 0; i < 2; ++i)
      if (tail.str_len[i]) text.path[i] = in.string(tail.str_len[i]);
    if (r.flags & EV_HAS_DATA) {
      text.data = in.bytes(tail.data_len);
      if (tail.data_kind == TRACE_DATA_RAW_DIRENTS) {
        e.data_kind = DataKind::kDirent;
        text.data = names = compact_dirents(text.data);
      } else {
        e.data_kind = static_cast<DataKind>(tail.data_kind);
      }
    }
  }
  if (!in.good()) return false;
  if (r.flags & EV_HIDDEN)
    sink.on_hidden(e);
  else
    sink.on_call(e, text);
  return true;
}

bool on_exec(Pieces in, TraceSink& sink) {
  const auto r = in.take<rec_exec>();
  ExecInfo exec;
  exec.pid = static_cast<int32_t>(r.head.pid);
  exec.parent = static_cast<int32_t>(r.parent);
  exec.old_tid = static_cast<int32_t>(r.old_tid);
  exec.ts_ns = r.head.time;
  exec.name = in.string(r.name_len);
  exec.exe = r.exe_len ? std::string(in.string(r.exe_len)) : exec.name;
  exec.argv = split_words(in.bytes(r.argv_len));
  exec.start_code = r.start_code;
  exec.interp_base = r.interp_base;
  if (in.good()) sink.on_exec(exec);
  return in.good();
}

bool on_task(Pieces in, TraceSink& sink) {
  const auto r = in.take<rec_task>();
  if (!in.good()) return false;
  const auto tid = static_cast<int32_t>(r.head.tid), pid = static_cast<int32_t>(r.head.pid);
  switch (r.head.kind) {
    case REC_FORK: sink.on_fork(pid, static_cast<int32_t>(r.parent), r.head.time); return true;
    case REC_THREAD: sink.on_thread_end({tid, pid, r.head.time, r.next_seq, false}); return true;
    case REC_HELD: sink.on_held({tid, r.from, r.head.time}); return true;
    case REC_EXIT: sink.on_exit(pid, r.head.time, r.head.nr); return true;
    default: return false;
  }
}

}  // namespace

// struct linux_dirent64 {u64 ino; s64 off; u16 reclen; u8 type; char name[]} -> {u8 type, name, 0} each.
std::string compact_dirents(std::string_view raw) {
  std::string out;
  while (raw.size() > 19) {
    uint16_t length;
    memcpy(&length, raw.data() + 16, sizeof length);
    if (length < 20) break;
    const std::string_view name = raw.substr(19, length - 19u);
    const size_t end = name.find('\0');
    out.push_back(raw[18]);
    out.append(name.substr(0, end));
    if (end == std::string_view::npos) break;
    out.push_back('\0');
    if (length > raw.size()) break;
    raw.remove_prefix(length);
  }
  return out;
}

uint64_t hand_over(std::span<const uint8_t> block, TraceSink& sink) {
  uint64_t bad = 0;
  while (block.size() >= sizeof(rec_head)) {
    rec_head head;
    memcpy(&head, block.data(), sizeof head);
    const size_t size = size_t{head.units} * 8;
    if (size < sizeof head || size > block.size()) return bad + 1;
    const Pieces in(block.data(), size);
    const bool good = head.kind == REC_CALL || head.kind == REC_SIGNAL ? on_call(in, sink)
                      : head.kind == REC_EXEC                          ? on_exec(in, sink)
                                                                       : on_task(in, sink);
    bad += !good;
    block = block.subspan(size);
  }
  return bad;
}

}  // namespace sysvm
