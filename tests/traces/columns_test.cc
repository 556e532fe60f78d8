// SPDX-License-Identifier: MIT
// The hand-made column block is what trace.proto says: the generated class reads it, and the decoder reads what
// the generated class makes of it.
#include "traces/columns.h"

#include <gtest/gtest.h>

#include "tests/traces/sample.h"
#include "trace.pb.h"
#include "traces/varint.h"

namespace sysvm {
namespace {

std::string encode(const std::vector<Event>& events, const std::vector<std::string_view>& strings) {
  ColumnEncoder encoder;
  for (const CallInfo& call : sample_header().calls) encoder.set_args(call.nr, static_cast<uint32_t>(call.args.size()));
  std::string raw;
  encoder.encode(events, strings, raw);
  return raw;
}

Result<> decode(const std::string& raw, size_t n, Columns& columns, std::vector<std::string_view>& strings) {
  ColumnDecoder decoder;
  return decoder.decode({reinterpret_cast<const uint8_t*>(raw.data()), raw.size()}, n, 1'000'000, columns, strings);
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
  EXPECT_EQ(std::vector<uint64_t>(block.path0().begin(), block.path0().end()), (std::vector<uint64_t>{1, 0, 0, 1}));
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
  const auto ok = decode(block.SerializeAsString(), 3, columns, strings);
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
  raw += "\xf2\x03\x03" "abc";
  ColumnDecoder decoder;
  Columns columns;
  std::vector<std::string_view> strings;
  ASSERT_TRUE(decoder.decode({reinterpret_cast<const uint8_t*>(raw.data()), raw.size()}, 10, 1'000'000, columns, strings));
  EXPECT_TRUE(decoder.saw_unknown());
  EXPECT_EQ(columns.event(9).ret, sample_event(9).ret);
}

TEST(Columns, SayWhichColumnIsWrong) {
  const std::string good = encode(events(10), {});
  Columns columns;
  std::vector<std::string_view> strings;
  auto message = [&](auto change) {
    pb::ColumnBlock block;
    block.ParseFromString(good);
    change(block);
    const auto got = decode(block.SerializeAsString(), 10, columns, strings);
    return got ? std::string("accepted") : got.message();
  };
  EXPECT_EQ(message([](auto&) {}), "accepted");
  EXPECT_EQ(message([](auto& b) { b.add_ret(1); }), "column 14 has not 10 values");
  EXPECT_EQ(message([](auto& b) { b.set_call(0, 4); }), "column 13: index past the end of its table of 4");
  EXPECT_EQ(message([](auto& b) { b.add_path0(1); }), "column 34 has not 10 values");
  EXPECT_EQ(message([](auto& b) {
    for (int i = 0; i < 10; ++i) b.add_path0(1);
  }), "column 34: string 10 of 0");
  EXPECT_EQ(message([](auto& b) { b.add_tid(1); }), "the columns of a table differ in length");
  EXPECT_EQ(message([](auto& b) { b.add_arg5(1); }), "column 41 has not 0 values");
}

TEST(Varints, ComeBackWhateverTheirLength) {
  std::vector<uint64_t> values;
  for (unsigned bits = 0; bits < 64; ++bits)
    for (uint64_t near : {~0ull, 0ull, 1ull}) values.push_back((1ull << bits) + near);
  for (int i = 0; i < 100; ++i) values.push_back(static_cast<uint64_t>(i));  // runs of single bytes
  std::vector<uint8_t> bytes(values.size() * kMaxVarint);
  uint8_t* end = bytes.data();
  for (uint64_t v : values) end = put_varint(end, v);
  std::vector<uint64_t> got(values.size());
  EXPECT_TRUE(get_varints(bytes.data(), end, values.size(), [&](size_t i, uint64_t v) { got[i] = v; }));
  EXPECT_EQ(got, values);
  EXPECT_FALSE(get_varints(bytes.data(), end, values.size() - 1, [](size_t, uint64_t) {})) << "one too many";
  EXPECT_FALSE(get_varints(bytes.data(), end - 1, values.size(), [](size_t, uint64_t) {})) << "one too few";
  const uint8_t endless[16] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1};
  EXPECT_FALSE(get_varints(endless, endless + 16, 1, [](size_t, uint64_t) {}));
}

TEST(Zigzag, IsItsOwnInverse) {
  for (int64_t v : {int64_t{0}, int64_t{-1}, int64_t{1}, INT64_MIN, INT64_MAX}) EXPECT_EQ(unzigzag(zigzag(v)), v);
}

}  // namespace
}  // namespace sysvm
