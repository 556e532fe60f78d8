// SPDX-License-Identifier: MIT
#include <emmintrin.h>

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

// Types and not functions: what is passed as a function is called, value by value.
template <typename T>
struct AsIs {
  T operator()(uint64_t v) const { return static_cast<T>(v); }
};

template <typename T>
struct Signed {
  T operator()(uint64_t v) const { return static_cast<T>(unzigzag(v)); }
};

struct Index {  // no table has 2^32 rows
  uint32_t operator()(uint64_t v) const { return static_cast<uint32_t>(std::min<uint64_t>(v, ~0u)); }
};

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

}  // namespace

struct ColumnDecoder::Block {
  std::array<Bytes, kFields> field;
  std::vector<int32_t> tid, pid, call_nr;
  std::vector<uint32_t> first_seq, call_args, flag_set;
  std::vector<uint64_t> site_ip, site_caller;
  // One value for each event.
  std::vector<uint32_t> thread, call, flags, site;
  // One value for some of the events.
  std::vector<uint64_t> scratch;
  std::array<std::vector<uint64_t>, 6> differences;
  std::vector<uint64_t> end_ns;  // of each thread
  struct LastArgs {
    __m128i value[3], mask[3];     // mask: all ones if the call has that argument
    std::array<uint64_t, 6> step;  // 1 if it has
  };
  std::vector<LastArgs> last;                // of each call
  std::vector<size_t> with_stat, with_data;  // the events

  Bytes bytes(int number) const { return field[static_cast<size_t>(number)]; }

  // A column of n values into out; one that was left out is all zeros.
  template <typename T, typename Convert>
  Result<> fill(int number, size_t n, T* out, Convert convert) const {
    const Bytes column = bytes(number);
    if (column.empty())
      std::fill_n(out, n, T{});
    else if (get_varints(column.data(), end_of(column), n, out, convert) != n)
      return error("column {} has not {} values", number, n);
    return Unit{};
  }

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
    for (auto [number, to] :
         {std::pair{B::kSiteIpFieldNumber, &site_ip}, std::pair{B::kSiteCallerFieldNumber, &site_caller}}) {
      const Bytes bytes = field[static_cast<size_t>(number)];
      if (bytes.size() % 8)
        return error("a table of call sites has {} bytes, expected a multiple of 8", bytes.size());
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
    TRY(fill(number, n, out.data(), Index()));
    uint32_t highest = 0;
    for (uint32_t v : out) highest = std::max(highest, v);
    if (highest >= table) return error("column {}: index past the end of its table of {}", number, table);
    return Unit{};
  }

  // Times and numbers are stored as differences to the thread's last event.
  Result<> read_threads(size_t n, uint64_t first_ns, Columns& out) {
    TRY(fill(B::kDurNsFieldNumber, n, out.dur_ns.data(), AsIs<uint64_t>()));
    TRY(fill(B::kGapNsFieldNumber, n, out.ts_ns.data(), Signed<uint64_t>()));
    TRY(fill(B::kSeqStepFieldNumber, n, out.seq.data(), Signed<uint32_t>()));
    if (tid.size() == 1) {  // as most chunks: two sums, and two constants
      uint64_t ts = first_ns;
      uint32_t seq = first_seq[0];
      for (size_t i = 0; i < n; ++i) {
        out.ts_ns[i] = ts += out.ts_ns[i];
        ts += out.dur_ns[i];
        out.seq[i] = seq += out.seq[i];
        ++seq;
      }
      std::fill_n(out.tid.data(), n, tid[0]);
      std::fill_n(out.pid.data(), n, pid[0]);
      return Unit{};
    }
    end_ns.assign(tid.size(), first_ns);
    for (size_t i = 0; i < n; ++i) {
      const uint32_t t = thread[i];
      out.ts_ns[i] += end_ns[t];
      end_ns[t] = out.ts_ns[i] + out.dur_ns[i];
      out.seq[i] += first_seq[t];
      first_seq[t] = out.seq[i] + 1;
      out.tid[i] = tid[t];
      out.pid[i] = pid[t];
    }
    return Unit{};
  }

  // What the tables of calls, sites and flags say.
  void look_up(size_t n, Columns& out) {
    const uint64_t *const ips = site_ip.data(), *const callers = site_caller.data();
    const int32_t* const numbers = call_nr.data();
    const uint32_t* const sets = flag_set.data();
    for (size_t i = 0; i < n; ++i) {
      out.nr[i] = numbers[call[i]];
      out.flags[i] = sets[flags[i]];
      out.ip[i] = ips[site[i]];
      out.caller[i] = callers[site[i]];
    }
  }

  // Numbers of strings, stored as their distance from the newest.
  Result<> read_strings(int number, size_t values, size_t strings, uint32_t* to) {
    if (bytes(number).empty()) {
      std::fill_n(to, values, kNoString);
      return Unit{};
    }
    scratch.resize(values);
    TRY(fill(number, values, scratch.data(), AsIs<uint64_t>()));
    uint64_t newest = 0, highest = 0;
    for (size_t i = 0; i < values; ++i) {
      const uint64_t v = scratch[i];
      const uint64_t s = v == 0 ? 0 : newest + 1 - static_cast<uint64_t>(unzigzag(v - 1));
      newest = std::max(newest, std::min<uint64_t>(s, ~0u));
      highest = std::max(highest, s);
      to[i] = static_cast<uint32_t>(s);
    }
    if (highest >= strings) return error("column {}: string {} of {}", number, highest, strings - 1);
    return Unit{};
  }

  // The first 2 * P argument columns: each event takes the next difference of those that its call has. Two
  // columns are added at a time.
  template <size_t P>
  void add_up(size_t n, Columns& out, std::array<const uint64_t*, 6>& next) {
    std::array<uint64_t*, 2 * P> to;
    std::array<const uint64_t*, 2 * P> from;
    for (size_t k = 0; k < 2 * P; ++k) to[k] = out.args[k].data(), from[k] = next[k];
    const uint32_t* const calls = call.data();
    LastArgs* const rows = last.data();
    for (size_t i = 0; i < n; ++i) {
      LastArgs& row = rows[calls[i]];
      for (size_t p = 0; p < P; ++p) {
        const __m128i difference = _mm_and_si128(
            _mm_set_epi64x(static_cast<int64_t>(*from[2 * p + 1]), static_cast<int64_t>(*from[2 * p])),
            row.mask[p]);
        row.value[p] = _mm_add_epi64(row.value[p], difference);
        _mm_storel_pd(reinterpret_cast<double*>(to[2 * p] + i), _mm_castsi128_pd(row.value[p]));
        _mm_storeh_pd(reinterpret_cast<double*>(to[2 * p + 1] + i), _mm_castsi128_pd(row.value[p]));
      }
      for (size_t k = 0; k < 2 * P; ++k) from[k] += row.step[k];
    }
    for (size_t k = 0; k < 2 * P; ++k) next[k] = from[k];
  }

  Result<> read_args(size_t n, Columns& out) {
    last.resize(call_nr.size());
    for (size_t c = 0; c < call_nr.size(); ++c) {
      LastArgs& row = last[c];
      for (size_t k = 0; k < 6; ++k) row.step[k] = call_args[c] > k;
      for (size_t p = 0; p < 3; ++p) {
        row.value[p] = _mm_setzero_si128();
        row.mask[p] = _mm_set_epi64x(-static_cast<int64_t>(row.step[2 * p + 1]),
                                     -static_cast<int64_t>(row.step[2 * p]));
      }
    }
    std::array<size_t, 6> values{};
    std::array<const uint64_t*, 6> next{};
    size_t columns = 0;
    for (size_t k = 0; k < 6; ++k) {
      const int number = B::kArg0FieldNumber + static_cast<int>(k);
      std::vector<uint64_t>& to = differences[k];
      to.resize(std::max(to.size(), n));
      next[k] = to.data();
      const Bytes column = bytes(number);
      if (column.empty()) {  // no difference to 0 anywhere
        std::fill_n(to.data(), n, 0);
        continue;
      }
      values[k] = get_varints(column.data(), end_of(column), n, to.data(), Signed<uint64_t>());
      if (values[k] == kBadColumn) return error("column {} is cut, or has more than {} values", number, n);
      columns = k + 1;
    }
    switch ((columns + 1) / 2) {
      case 1: add_up<1>(n, out, next); break;
      case 2: add_up<2>(n, out, next); break;
      case 3: add_up<3>(n, out, next); break;
    }
    for (size_t k = 0; k < 6; ++k) {
      if (k >= (columns + 1) / 2 * 2) {
        std::fill_n(out.args[k].data(), n, 0);
      } else if (const auto needed = static_cast<size_t>(next[k] - differences[k].data());
                 values[k] != 0 && values[k] != needed) {
        return error("column {} has {} values, expected {}", B::kArg0FieldNumber + static_cast<int>(k),
                     values[k], needed);
      }
    }
    return Unit{};
  }

  // The events with a flag, in order.
  static void find(const std::vector<uint32_t>& all, uint32_t flag, std::vector<size_t>& out) {
    out.resize(all.size());
    size_t found = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      out[found] = i;
      found += (all[i] & flag) != 0;
    }
    out.resize(found);
  }

  // A column of values of some events to their places; the others have 0.
  template <typename T, typename Convert>
  Result<> spread(int number, const std::vector<size_t>& events, std::vector<T>& to, Convert convert) {
    std::fill(to.begin(), to.end(), T{});
    scratch.resize(std::max(scratch.size(), events.size()));
    TRY(fill(number, events.size(), scratch.data(), convert));
    for (size_t i = 0; i < events.size(); ++i) to[events[i]] = static_cast<T>(scratch[i]);
    return Unit{};
  }

  Result<> read_structures(size_t strings, Columns& out) {
    find(out.flags, kHasStat, with_stat);
    TRY(spread(B::kStModeFieldNumber, with_stat, out.st_mode, AsIs<uint64_t>()));
    TRY(spread(B::kStSizeFieldNumber, with_stat, out.st_size, AsIs<uint64_t>()));
    TRY(spread(B::kStDevFieldNumber, with_stat, out.st_dev, AsIs<uint64_t>()));
    uint64_t ino = 0;
    TRY(spread(B::kInoStepFieldNumber, with_stat, out.st_ino,
               [&](uint64_t v) { return ino += static_cast<uint64_t>(unzigzag(v)); }));
    find(out.flags, kHasData, with_data);
    TRY(spread(B::kDataKindFieldNumber, with_data, out.data_kind, AsIs<uint64_t>()));
    flags.resize(with_data.size());  // its values are out.flags by now
    TRY(read_strings(B::kDataFieldNumber, with_data.size(), strings, flags.data()));
    std::fill(out.data.begin(), out.data.end(), kNoString);
    for (size_t i = 0; i < with_data.size(); ++i) out.data[with_data[i]] = flags[i];
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
  TRY(b.read_threads(n, first_ns, out));
  TRY(b.fill(B::kRetFieldNumber, n, out.ret.data(), Signed<int64_t>()));
  b.look_up(n, out);
  TRY(b.read_strings(B::kPath0FieldNumber, n, strings.size(), out.path[0].data()));
  TRY(b.read_strings(B::kPath1FieldNumber, n, strings.size(), out.path[1].data()));
  TRY(b.read_args(n, out));
  return b.read_structures(strings.size(), out);
}

}  // namespace sysvm
