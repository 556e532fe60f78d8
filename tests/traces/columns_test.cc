// SPDX-License-Identifier: MIT
// The hand-made column block is what trace.proto says: the generated class reads it, and the decoder reads
// what the generated class makes of it.
#include "traces/columns.h"

#include <gtest/gtest.h>

#include "tests/traces/sample.h"
#include "trace.pb.h"
#include "traces/varint.h"

namespace sysvm {
namespace {

std::string encode(const std::vector<Event>& events, const std::vector<std::string_view>& strings) {
  ColumnEncoder encoder;
  for (const CallInfo& call : sample_header().calls)
    encoder.set_args(call.nr, static_cast<uint32_t>(call.args.size()));
  std::string raw;
  encoder.encode(events, strings, raw);
  return raw;
}

// Keeps raw, which strings will look into.
Result<> decode(std::string& raw, size_t n, Columns& columns, std::vector<std::string_view>& strings) {
  ColumnDecoder decoder;
  raw.reserve(raw.size() + kReadAhead);
  return decoder.decode({reinterpret_cast<const uint8_t*>(raw.data()), raw.size()}, n, 1'000'000, columns,
                        strings);
}

std::vector<Event> events(uint32_t n) {
  std::vector<Event> out;
  for (uint32_t i = 0; i < n; ++i) out.push_back(sample_event(i));
  return out;
}

TEST(Columns, AreTheMessageThatTheSchemaDescribes) {
  std::vector<Event> some = events(4);
  some[0].path[0] = 1;
  some[3].path[0] = 2;
  pb::ColumnBlock block;
  ASSERT_TRUE(block.ParseFromString(encode(some, {"/a", "/b"})));
  EXPECT_TRUE(block.GetReflection()->GetUnknownFields(block).empty());
  ASSERT_EQ(block.strings_size(), 2);
  EXPECT_EQ(block.strings(1), "/b");
  ASSERT_EQ(block.tid_size(), 2);
  EXPECT_EQ(block.tid(1), 101);
  EXPECT_EQ(block.pid(1), 100);
  ASSERT_EQ(block.call_nr_size(), 4);
  EXPECT_EQ(block.call_nr(0), 257);
  EXPECT_EQ(block.call_args(0), 4u);
  ASSERT_EQ(block.dur_ns_size(), 4);
  EXPECT_EQ(block.dur_ns(2), 102u);
  // Thread 100 made calls 0 and 2, thread 101 the others.
  EXPECT_EQ(block.gap_ns(0), 0);
  EXPECT_EQ(block.gap_ns(1), 700);
  EXPECT_EQ(block.gap_ns(2), 1400 - 100);
  EXPECT_EQ(std::vector<uint64_t>(block.path0().begin(), block.path0().end()),
            (std::vector<uint64_t>{1, 0, 0, 1}));
  EXPECT_EQ(block.ret(1), 1);
  EXPECT_EQ(block.ret(0), -2);
  EXPECT_EQ(block.arg0_size(), 3);  // getpid has none
  EXPECT_EQ(block.site_ip(block.site(3)), some[3].ip);
  EXPECT_EQ(block.st_mode_size(), 1);
  EXPECT_EQ(block.seq_step_size(), 0) << "a column of zeros is left out";
  EXPECT_EQ(block.path1_size(), 0);
}

TEST(Columns, ThatAreLeftOutAreZeros) {
  pb::ColumnBlock block;
  block.add_tid(7);
  block.add_pid(6);
  block.add_first_seq(3);
  block.add_call_nr(39);
  block.add_call_args(2);
  block.add_flag_set(0);
  block.add_site_ip(0);
  block.add_site_caller(0);
  Columns columns;
  std::vector<std::string_view> strings;
  std::string raw = block.SerializeAsString();
  const auto ok = decode(raw, 3, columns, strings);
  ASSERT_TRUE(ok) << ok.message();
  const Event e = columns.event(2);
  EXPECT_EQ(e.tid, 7);
  EXPECT_EQ(e.pid, 6);
  EXPECT_EQ(e.seq, 5u);
  EXPECT_EQ(e.ts_ns, 1'000'000u);
  EXPECT_EQ(e.nr, 39);
  EXPECT_EQ(e.ret, 0);
}

TEST(Columns, OfANewerWriterAreSteppedOver) {
  std::string raw = encode(events(10), {});
  // Field 62, three bytes.
  raw +=
      "\xf2\x03\x03"
      "abc";
  raw.reserve(raw.size() + kReadAhead);
  ColumnDecoder decoder;
  Columns columns;
  std::vector<std::string_view> strings;
  ASSERT_TRUE(decoder.decode({reinterpret_cast<const uint8_t*>(raw.data()), raw.size()}, 10, 1'000'000,
                             columns, strings));
  EXPECT_TRUE(decoder.saw_unknown());
  EXPECT_EQ(columns.event(9).ret, sample_event(9).ret);
}

TEST(Columns, SayWhichColumnIsWrong) {
  const std::string good = encode(events(10), {});
  pb::ColumnBlock whole;
  whole.ParseFromString(good);
  const int arg0 = whole.arg0_size();
  Columns columns;
  std::vector<std::string_view> strings;
  auto message = [&](auto change) {
    pb::ColumnBlock block;
    block.ParseFromString(good);
    change(block);
    std::string raw = block.SerializeAsString();
    const auto got = decode(raw, 10, columns, strings);
    return got ? std::string("accepted") : got.message();
  };
  EXPECT_EQ(message([](auto&) {}), "accepted");
  EXPECT_EQ(message([](auto& b) { b.add_ret(1); }), "column 14 has not 10 values");
  EXPECT_EQ(message([](auto& b) { b.set_call(0, 4); }), "column 13: index past the end of its table of 4");
  EXPECT_EQ(message([](auto& b) { b.add_path0(1); }), "column 34 has not 10 values");
  EXPECT_EQ(message([](auto& b) {
              for (int i = 0; i < 10; ++i) b.add_path0(1);
            }),
            "column 34: string 10 of 0");
  EXPECT_EQ(message([](auto& b) { b.add_tid(1); }), "the columns of a table differ in length");
  EXPECT_EQ(message([](auto& b) { b.add_arg5(1); }), "column 41 has 1 values, expected 0");
  EXPECT_EQ(message([](auto& b) { b.mutable_arg0()->RemoveLast(); }),
            fmt::format("column 36 has {} values, expected {}", arg0 - 1, arg0));
  EXPECT_EQ(message([](auto& b) {
              for (int i = 0; i < 11; ++i) b.add_arg5(1);
            }),
            "column 41 is cut, or has more than 10 values");
}

struct Same {
  uint64_t operator()(uint64_t v) const { return v; }
};

// With the instruction PEXT and without.
size_t get_both(const std::vector<uint8_t>& bytes, const uint8_t* end, size_t most,
                std::vector<uint64_t>& got) {
  got.assign(most, 0);
  const size_t n = get_varints_with<false>(bytes.data(), end, most, got.data(), Same());
  if (kHasPext) {
    std::vector<uint64_t> again(most);
    EXPECT_EQ(get_varints_with<true>(bytes.data(), end, most, again.data(), Same()), n);
    if (n != kBadColumn) {
      EXPECT_EQ(again, got);
    }
  }
  return n;
}

TEST(Varints, ComeBackWhateverTheirLength) {
  std::vector<uint64_t> values;
  for (unsigned bits = 0; bits < 64; ++bits)
    for (uint64_t near : {~0ull, 0ull, 1ull}) values.push_back((1ull << bits) + near);
  for (int i = 0; i < 200; ++i) values.push_back(static_cast<uint64_t>(i));  // runs of single bytes
  // From each of the first 70 on: every length begins at every place of a block of 64 bytes.
  for (size_t from = 0; from < 70; ++from) {
    std::vector<uint8_t> bytes(values.size() * kMaxVarint + kReadAhead, 0xff);
    uint8_t* end = bytes.data();
    const std::vector<uint64_t> some(values.begin() + static_cast<ptrdiff_t>(from), values.end());
    for (uint64_t v : some) end = put_varint(end, v);
    std::vector<uint64_t> got;
    ASSERT_EQ(get_both(bytes, end, some.size(), got), some.size());
    ASSERT_EQ(got, some);
    ASSERT_EQ(get_both(bytes, end, some.size() - 1, got), kBadColumn) << "one too many";
    ASSERT_EQ(get_both(bytes, end - 1, some.size(), got), kBadColumn) << "the last one is cut";
  }
  std::vector<uint8_t> endless(kReadAhead * 2, 0xff);
  endless[15] = 1;
  std::vector<uint64_t> got;
  EXPECT_EQ(get_both(endless, endless.data() + 16, 1, got), kBadColumn);
}

TEST(Zigzag, IsItsOwnInverse) {
  for (int64_t v : {int64_t{0}, int64_t{-1}, int64_t{1}, INT64_MIN, INT64_MAX})
    EXPECT_EQ(unzigzag(zigzag(v)), v);
}

}  // namespace
}  // namespace sysvm
