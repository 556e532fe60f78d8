// SPDX-License-Identifier: MIT
#include <array>

#include "trace.pb.h"
#include "traces/columns.h"
#include "traces/varint.h"

namespace sysvm {

namespace {

// Numbers distinct keys in order of appearance. Most lookups repeat a recent key, which a small direct-mapped
// cache answers.
template <typename Key, typename Hash>
class Numbering {
 public:
  uint32_t number(const Key& key, bool& fresh) {
    Slot& slot = cache_[Hash()(key) % cache_.size()];
    fresh = false;
    if (slot.number != kNone && slot.key == key) return slot.number;
    auto [it, added] = all_.try_emplace(key, static_cast<uint32_t>(all_.size()));
    fresh = added;
    slot = {key, it->second};
    return it->second;
  }
  void clear() {
    all_.clear();
    for (Slot& slot : cache_) slot.number = kNone;
  }

 private:
  static constexpr uint32_t kNone = ~0u;
  struct Slot {
    Key key{};
    uint32_t number = kNone;
  };
  std::array<Slot, 256> cache_;
  std::unordered_map<Key, uint32_t, Hash> all_;
};

struct MixHash {
  static size_t mix(uint64_t v) {
    v *= 0x9e3779b97f4a7c15;
    return static_cast<size_t>(v ^ v >> 32);
  }
  size_t operator()(uint64_t v) const { return mix(v); }
  size_t operator()(const std::pair<uint64_t, uint64_t>& p) const { return mix(p.first ^ mix(p.second)); }
};

// One column in the making.
struct Column {
  uint32_t field = 0;
  uint8_t* begin = nullptr;
  uint8_t* at = nullptr;
  uint64_t any = 0;  // all values or-ed: a column of zeros is left out

  void put(uint64_t v) {
    any |= v;
    at = put_varint(at, v);
  }
  void put_signed(int64_t v) { put(zigzag(v)); }
};

void put_varint(std::string& out, uint64_t v) {
  uint8_t bytes[kMaxVarint];
  out.append(reinterpret_cast<char*>(bytes), static_cast<size_t>(sysvm::put_varint(bytes, v) - bytes));
}

void put_bytes(std::string& out, uint32_t field, const void* data, size_t size) {
  put_varint(out, field << 3 | 2);
  put_varint(out, size);
  out.append(static_cast<const char*>(data), size);
}

template <typename Range, typename Value>
void put_table(std::string& out, uint32_t field, const Range& rows, Value value) {
  std::string packed;
  for (const auto& row : rows) put_varint(packed, value(row));
  if (!packed.empty()) put_bytes(out, field, packed.data(), packed.size());
}

using B = pb::ColumnBlock;

}  // namespace

struct ColumnEncoder::Tables {
  struct Thread {
    int32_t tid, pid;
    uint32_t first_seq, next_seq;
    uint64_t end_ns;  // return of its last event
  };
  struct Call {
    int32_t nr;
    uint32_t args;
    std::array<uint64_t, 6> last;
  };
  std::vector<Thread> threads;
  std::vector<Call> calls;
  std::vector<uint64_t> site_ip, site_caller;
  std::vector<uint32_t> flag_set;
  Numbering<uint64_t, MixHash> thread_ids, call_ids, flag_ids;
  Numbering<std::pair<uint64_t, uint64_t>, MixHash> site_ids;
  std::unordered_map<int32_t, uint32_t> args_of;

  void clear() {
    threads.clear();
    calls.clear();
    site_ip.clear();
    site_caller.clear();
    flag_set.clear();
    thread_ids.clear();
    call_ids.clear();
    flag_ids.clear();
    site_ids.clear();
  }

  uint32_t thread(const Event& e, uint64_t first_ns) {
    bool fresh;
    const uint32_t id = thread_ids.number(
        static_cast<uint64_t>(static_cast<uint32_t>(e.pid)) << 32 | static_cast<uint32_t>(e.tid), fresh);
    if (fresh) threads.push_back({e.tid, e.pid, e.seq, e.seq, first_ns});
    return id;
  }
  uint32_t call(const Event& e) {
    bool fresh;
    // A number of i386's table has nothing to do with x86-64's call of the same number, nor with its
    // arguments.
    const bool compat = e.has(kCompat);
    const uint32_t id = call_ids.number(static_cast<uint32_t>(e.nr) | (compat ? 1ull << 32 : 0), fresh);
    if (fresh) {
      auto known = args_of.find(e.nr);
      calls.push_back({e.nr, compat || known == args_of.end() ? 6 : known->second, {}});
    }
    return id;
  }
  uint32_t site(const Event& e) {
    bool fresh;
    const uint32_t id = site_ids.number({e.ip, e.caller}, fresh);
    if (fresh) {
      site_ip.push_back(e.ip);
      site_caller.push_back(e.caller);
    }
    return id;
  }
  uint32_t flags(const Event& e) {
    bool fresh;
    const uint32_t id = flag_ids.number(e.flags, fresh);
    if (fresh) flag_set.push_back(e.flags);
    return id;
  }
};

ColumnEncoder::ColumnEncoder() : tables_(std::make_unique<Tables>()) {}
ColumnEncoder::~ColumnEncoder() = default;

void ColumnEncoder::set_args(int32_t nr, uint32_t count) { tables_->args_of[nr] = std::min(count, 6u); }

void ColumnEncoder::encode(std::span<const Event> events, std::span<const std::string_view> strings,
                           std::string& raw) {
  Tables& t = *tables_;
  t.clear();
  enum {
    kGap,
    kDur,
    kThread,
    kSeq,
    kCall,
    kRet,
    kFlags,
    kPath0,
    kPath1,
    kSite,
    kArg0,
    kMode = kArg0 + 6,
    kSize,
    kDev,
    kIno,
    kDataKind,
    kData,
    kColumns
  };
  static constexpr uint32_t kFields[kColumns] = {
      B::kGapNsFieldNumber,    B::kDurNsFieldNumber,  B::kThreadFieldNumber, B::kSeqStepFieldNumber,
      B::kCallFieldNumber,     B::kRetFieldNumber,    B::kFlagsFieldNumber,  B::kPath0FieldNumber,
      B::kPath1FieldNumber,    B::kSiteFieldNumber,   B::kArg0FieldNumber,   B::kArg1FieldNumber,
      B::kArg2FieldNumber,     B::kArg3FieldNumber,   B::kArg4FieldNumber,   B::kArg5FieldNumber,
      B::kStModeFieldNumber,   B::kStSizeFieldNumber, B::kStDevFieldNumber,  B::kInoStepFieldNumber,
      B::kDataKindFieldNumber, B::kDataFieldNumber};
  const size_t room = events.size() * kMaxVarint;
  buffer_.resize(room * kColumns);
  std::array<Column, kColumns> columns;
  for (size_t i = 0; i < kColumns; ++i)
    columns[i] = {kFields[i], buffer_.data() + i * room, buffer_.data() + i * room, 0};

  const uint64_t first_ns = events.empty() ? 0 : events.front().ts_ns;
  std::array<uint32_t, 2> newest{};  // highest string of each path column so far
  uint32_t newest_data = 0;
  uint64_t last_ino = 0;
  auto put_string = [](Column& column, uint32_t s, uint32_t& highest) {
    column.put(s ? 1 + zigzag(static_cast<int64_t>(highest) + 1 - s) : 0);
    highest = std::max(highest, s);
  };
  for (const Event& e : events) {
    const uint32_t thread_id = t.thread(e, first_ns);
    Tables::Thread& thread = t.threads[thread_id];
    columns[kGap].put_signed(static_cast<int64_t>(e.ts_ns - thread.end_ns));
    columns[kDur].put(e.dur_ns);
    thread.end_ns = e.ts_ns + e.dur_ns;
    columns[kThread].put(thread_id);
    columns[kSeq].put_signed(static_cast<int64_t>(e.seq) - thread.next_seq);
    thread.next_seq = e.seq + 1;
    const uint32_t call_id = t.call(e);
    Tables::Call& call = t.calls[call_id];
    columns[kCall].put(call_id);
    columns[kRet].put_signed(e.ret);
    columns[kFlags].put(t.flags(e));
    for (size_t k = 0; k < 2; ++k) put_string(columns[kPath0 + k], e.path[k], newest[k]);
    columns[kSite].put(t.site(e));
    for (uint32_t k = 0; k < call.args; ++k) {
      columns[kArg0 + k].put_signed(static_cast<int64_t>(e.args[k] - call.last[k]));
      call.last[k] = e.args[k];
    }
    if (e.has(kHasStat)) {
      columns[kMode].put(e.st_mode);
      columns[kSize].put(e.st_size);
      columns[kDev].put(e.st_dev);
      columns[kIno].put_signed(static_cast<int64_t>(e.st_ino - last_ino));
      last_ino = e.st_ino;
    }
    if (e.has(kHasData)) {
      columns[kDataKind].put(static_cast<uint32_t>(e.data_kind));
      put_string(columns[kData], e.data, newest_data);
    }
  }

  raw.clear();
  put_table(raw, B::kTidFieldNumber, t.threads,
            [](auto& x) { return static_cast<uint64_t>(int64_t{x.tid}); });
  put_table(raw, B::kPidFieldNumber, t.threads,
            [](auto& x) { return static_cast<uint64_t>(int64_t{x.pid}); });
  put_table(raw, B::kFirstSeqFieldNumber, t.threads, [](auto& x) { return x.first_seq; });
  put_table(raw, B::kCallNrFieldNumber, t.calls, [](auto& x) { return zigzag(x.nr); });
  put_table(raw, B::kCallArgsFieldNumber, t.calls, [](auto& x) { return x.args; });
  put_table(raw, B::kFlagSetFieldNumber, t.flag_set, [](uint32_t x) { return x; });
  put_bytes(raw, B::kSiteIpFieldNumber, t.site_ip.data(), t.site_ip.size() * 8);
  put_bytes(raw, B::kSiteCallerFieldNumber, t.site_caller.data(), t.site_caller.size() * 8);
  for (std::string_view s : strings) put_bytes(raw, B::kStringsFieldNumber, s.data(), s.size());
  for (const Column& c : columns)
    if (c.any) put_bytes(raw, c.field, c.begin, static_cast<size_t>(c.at - c.begin));
}

}  // namespace sysvm
