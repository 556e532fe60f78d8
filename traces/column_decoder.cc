// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>

#include "trace.pb.h"
#include "traces/columns.h"
#include "traces/varint.h"

namespace sysvm {

namespace {

using B = pb::ColumnBlock;
using Bytes = std::span<const uint8_t>;
constexpr uint32_t kFields = 64;  // fields of a block are below

const uint8_t* end_of(Bytes bytes) { return bytes.data() + bytes.size(); }

// A column of n values into out; one that was left out is all zeros.
template <typename T, typename Convert>
bool fill(Bytes column, size_t n, T* out, Convert convert) {
  if (column.empty()) {
    std::fill_n(out, n, T{});
    return true;
  }
  return get_varints(column.data(), end_of(column), n, [&](size_t i, uint64_t v) { out[i] = convert(v); });
}

// All values of a table.
template <typename T, typename Convert>
bool fill_table(Bytes column, std::vector<T>& out, Convert convert) {
  out.clear();
  const uint8_t* at = column.data();
  for (uint64_t v; at != end_of(column);) {
    if (!get_varint(at, end_of(column), v)) return false;
    out.push_back(convert(v));
  }
  return true;
}

// Types and not functions: what is passed as a function is called, value by value.
template <typename T>
struct AsIs {
  T operator()(uint64_t v) const { return static_cast<T>(v); }
};

template <typename T>
struct Signed {
  T operator()(uint64_t v) const { return static_cast<T>(unzigzag(v)); }
};

bool all_below(const std::vector<uint32_t>& values, size_t limit) {
  uint32_t highest = 0;
  for (uint32_t v : values) highest = std::max(highest, v);
  return highest < limit;
}

}  // namespace

struct ColumnDecoder::Block {
  std::array<Bytes, kFields> field;
  std::vector<int32_t> tid, pid, call_nr;
  std::vector<uint32_t> first_seq, call_args, flag_set;
  std::vector<uint64_t> site_ip, site_caller;
  // One value for each event.
  std::vector<uint32_t> thread, call, flags, site;
  std::vector<uint64_t> scratch;
  // One for each thread, or call.
  std::vector<uint64_t> end_ns, last, uses;

  // Cuts the message into fields.
  Result<> split(Bytes raw, std::vector<std::string_view>& strings, bool& unknown) {
    field = {};
    strings.assign(1, {});
    for (const uint8_t *at = raw.data(), *end = end_of(raw); at != end;) {
      uint64_t tag, size;
      if (!get_varint(at, end, tag) || (tag & 7) != 2)
        return error("columns, byte {}: not a packed field", at - raw.data());
      const uint8_t* const from = at;
      if (!get_varint(at, end, size) || size > static_cast<uint64_t>(end - at))
        return error("columns, byte {}: field {} is cut", from - raw.data(), tag >> 3);
      const uint64_t number = tag >> 3;
      if (number == B::kStringsFieldNumber) {
        strings.emplace_back(reinterpret_cast<const char*>(at), size);
      } else if (number >= kFields || !B::descriptor()->FindFieldByNumber(static_cast<int>(number))) {
        unknown = true;
      } else if (!field[number].empty()) {
        return error("columns, byte {}: field {} comes twice", from - raw.data(), number);
      } else {
        field[number] = {at, static_cast<size_t>(size)};
      }
      at += size;
    }
    return Unit{};
  }

  Result<> read_tables() {
    const bool ok = fill_table(field[B::kTidFieldNumber], tid, AsIs<int32_t>()) &&
                    fill_table(field[B::kPidFieldNumber], pid, AsIs<int32_t>()) &&
                    fill_table(field[B::kFirstSeqFieldNumber], first_seq, AsIs<uint32_t>()) &&
                    fill_table(field[B::kCallNrFieldNumber], call_nr, Signed<int32_t>()) &&
                    fill_table(field[B::kCallArgsFieldNumber], call_args, AsIs<uint32_t>()) &&
                    fill_table(field[B::kFlagSetFieldNumber], flag_set, AsIs<uint32_t>());
    if (!ok) return error("a table of the columns is cut");
    for (auto [number, to] : {std::pair{B::kSiteIpFieldNumber, &site_ip},
                              std::pair{B::kSiteCallerFieldNumber, &site_caller}}) {
      const Bytes bytes = field[static_cast<size_t>(number)];
      if (bytes.size() % 8) return error("a table of call sites has {} bytes, expected a multiple of 8", bytes.size());
      to->resize(bytes.size() / 8);
      if (!bytes.empty()) std::memcpy(to->data(), bytes.data(), bytes.size());
    }
    if (pid.size() != tid.size() || first_seq.size() != tid.size() || call_args.size() != call_nr.size() ||
        site_caller.size() != site_ip.size())
      return error("the columns of a table differ in length");
    return Unit{};
  }

  // An index column, checked against its table.
  Result<> read_index(int number, size_t n, size_t table, std::vector<uint32_t>& out) {
    out.resize(n);
    const Bytes bytes = field[static_cast<size_t>(number)];
    if (!fill(bytes, n, out.data(), [](uint64_t v) { return static_cast<uint32_t>(std::min<uint64_t>(v, ~0u)); }))
      return error("column {} has not {} values", number, n);
    if (!all_below(out, table)) return error("column {}: index past the end of its table of {}", number, table);
    return Unit{};
  }
};

ColumnDecoder::ColumnDecoder() : block_(std::make_unique<Block>()) {}
ColumnDecoder::~ColumnDecoder() = default;

Result<> ColumnDecoder::decode(Bytes raw, size_t n, uint64_t first_ns, Columns& out,
                               std::vector<std::string_view>& strings) {
  Block& b = *block_;
  TRY(b.split(raw, strings, unknown_));
  TRY(b.read_tables());
  TRY(b.read_index(B::kThreadFieldNumber, n, b.tid.size(), b.thread));
  TRY(b.read_index(B::kCallFieldNumber, n, b.call_nr.size(), b.call));
  TRY(b.read_index(B::kFlagsFieldNumber, n, b.flag_set.size(), b.flags));
  TRY(b.read_index(B::kSiteFieldNumber, n, b.site_ip.size(), b.site));
  out.resize(n);

  auto short_column = [n](int number) { return error("column {} has not {} values", number, n); };
  if (!fill(b.field[B::kDurNsFieldNumber], n, out.dur_ns.data(), AsIs<uint64_t>()))
    return short_column(B::kDurNsFieldNumber);
  if (!fill(b.field[B::kGapNsFieldNumber], n, out.ts_ns.data(), Signed<uint64_t>()))
    return short_column(B::kGapNsFieldNumber);
  if (!fill(b.field[B::kSeqStepFieldNumber], n, out.seq.data(), Signed<uint32_t>()))
    return short_column(B::kSeqStepFieldNumber);
  if (!fill(b.field[B::kRetFieldNumber], n, out.ret.data(), Signed<int64_t>())) return short_column(B::kRetFieldNumber);

  if (b.tid.size() == 1) {  // as most chunks: two sums, and two constants
    uint64_t ts = first_ns;
    uint32_t seq = b.first_seq[0];
    for (size_t i = 0; i < n; ++i) {
      out.ts_ns[i] = ts += out.ts_ns[i];
      ts += out.dur_ns[i];
      out.seq[i] = seq += out.seq[i];
      ++seq;
    }
    std::fill_n(out.tid.data(), n, b.tid[0]);
    std::fill_n(out.pid.data(), n, b.pid[0]);
  } else {
    b.end_ns.assign(b.tid.size(), first_ns);
    for (size_t i = 0; i < n; ++i) {
      const uint32_t thread = b.thread[i];
      out.ts_ns[i] += b.end_ns[thread];
      b.end_ns[thread] = out.ts_ns[i] + out.dur_ns[i];
      out.seq[i] += b.first_seq[thread];
      b.first_seq[thread] = out.seq[i] + 1;
      out.tid[i] = b.tid[thread];
      out.pid[i] = b.pid[thread];
    }
  }
  b.uses.assign(b.call_nr.size(), 0);
  for (size_t i = 0; i < n; ++i) {
    ++b.uses[b.call[i]];
    out.nr[i] = b.call_nr[b.call[i]];
    out.ip[i] = b.site_ip[b.site[i]];
    out.caller[i] = b.site_caller[b.site[i]];
  }
  size_t stats = 0, data = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint32_t flags = out.flags[i] = b.flag_set[b.flags[i]];
    stats += flags / kHasStat & 1;
    data += flags / kHasData & 1;
  }

  // Numbers of strings, told by their distance from the newest.
  auto read_strings = [&](int number, size_t values, auto* to) -> Result<> {
    uint64_t newest = 0, highest = 0;
    const bool ok = fill(b.field[static_cast<size_t>(number)], values, to, [&](uint64_t v) -> uint32_t {
      if (v == 0) return kNoString;
      const uint64_t s = newest + 1 - static_cast<uint64_t>(unzigzag(v - 1));
      newest = std::max(newest, std::min<uint64_t>(s, ~0u));
      highest = std::max(highest, s);
      return static_cast<uint32_t>(s);
    });
    if (!ok) return error("column {} has not {} values", number, values);
    if (highest >= strings.size()) return error("column {}: string {} of {}", number, highest, strings.size() - 1);
    return Unit{};
  };
  TRY(read_strings(B::kPath0FieldNumber, n, out.path[0].data()));
  TRY(read_strings(B::kPath1FieldNumber, n, out.path[1].data()));

  for (uint32_t k = 0; k < 6; ++k) {
    const int number = B::kArg0FieldNumber + static_cast<int>(k);
    size_t values = 0;
    for (size_t call = 0; call < b.uses.size(); ++call) values += b.call_args[call] > k ? b.uses[call] : 0;
    if (b.field[static_cast<size_t>(number)].empty()) {  // no difference to 0 anywhere
      std::fill_n(out.args[k].data(), n, 0);
      continue;
    }
    b.scratch.resize(values + 1);  // one more: it is looked at, and not used, behind the last value
    b.scratch[values] = 0;
    if (!fill(b.field[static_cast<size_t>(number)], values, b.scratch.data(), Signed<uint64_t>()))
      return error("column {} has not {} values", number, values);
    b.last.assign(b.call_nr.size(), 0);
    const uint64_t* next = b.scratch.data();
    uint64_t* const arg = out.args[k].data();
    for (size_t i = 0; i < n; ++i) {
      const uint32_t call = b.call[i];
      const bool has = b.call_args[call] > k;
      const uint64_t value = b.last[call] + *next;
      next += has;
      arg[i] = has ? value : 0;
      b.last[call] = arg[i];
    }
  }

  // Values of the events with a flag, to their places.
  auto scatter = [&](uint32_t flag, auto* to) {
    if ((flag == kHasStat ? stats : data) == 0) {
      std::fill_n(to, n, 0);
      return;
    }
    const uint64_t* next = b.scratch.data();
    for (size_t i = 0; i < n; ++i) {
      const bool has = (out.flags[i] & flag) != 0;
      to[i] = static_cast<std::remove_reference_t<decltype(*to)>>(has ? *next : 0);
      next += has;
    }
  };
  auto read_some = [&](int number, uint32_t flag, size_t values, auto* to) -> Result<> {
    if (!fill(b.field[static_cast<size_t>(number)], values, b.scratch.data(), AsIs<uint64_t>()))
      return error("column {} has not {} values", number, values);
    scatter(flag, to);
    return Unit{};
  };
  b.scratch.assign(std::max(stats, data) + 1, 0);
  TRY(read_some(B::kStModeFieldNumber, kHasStat, stats, out.st_mode.data()));
  TRY(read_some(B::kStSizeFieldNumber, kHasStat, stats, out.st_size.data()));
  TRY(read_some(B::kStDevFieldNumber, kHasStat, stats, out.st_dev.data()));
  uint64_t ino = 0;
  if (!fill(b.field[B::kInoStepFieldNumber], stats, b.scratch.data(),
            [&](uint64_t v) { return ino += static_cast<uint64_t>(unzigzag(v)); }))
    return short_column(B::kInoStepFieldNumber);
  scatter(kHasStat, out.st_ino.data());
  TRY(read_some(B::kDataKindFieldNumber, kHasData, data, out.data_kind.data()));
  TRY(read_strings(B::kDataFieldNumber, data, b.scratch.data()));
  scatter(kHasData, out.data.data());
  return Unit{};
}

}  // namespace sysvm
