// SPDX-License-Identifier: MIT
// Parts of the tracer that need no traced program.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cstring>
#include <numeric>

#include "tracer/bpf_records.h"
#include "tracer/call_filter.h"
#include "tracer/siphash.h"

namespace sysvm {
namespace {

CallSet filter(std::string_view expression) {
  CallSet out;
  auto good = add_filter(expression, out);
  EXPECT_TRUE(good) << good.message();
  return out;
}

TEST(CallFilter, TakesStracesWords) {
  CallSet two;
  two[SYS_openat] = two[SYS_close] = true;
  EXPECT_EQ(filter("openat,close"), two);
  EXPECT_EQ(filter("trace=openat,close"), two);
  EXPECT_EQ(filter("t=close,openat,?no_such_call"), two);
  EXPECT_EQ(filter("!openat,close"), ~two);
  EXPECT_EQ(filter("trace=!openat,close"), ~two);
  EXPECT_EQ(filter("all").count(), static_cast<size_t>(TRACE_NRS));
  EXPECT_TRUE(filter("none").none());
  EXPECT_EQ(filter("/^sched_get(affinity|param)$").count(), 2u);
  const CallSet file = filter("%file"), desc = filter("%desc"), both = filter("%file,%desc");
  EXPECT_TRUE(file[SYS_openat] && file[SYS_execve] && file[SYS_rename] && !file[SYS_read]);
  EXPECT_TRUE(desc[SYS_read] && desc[SYS_openat] && desc[SYS_mmap] && !desc[SYS_getpid]);
  EXPECT_EQ(both, file | desc);
  const CallSet network = filter("%network");
  EXPECT_TRUE(network[SYS_connect] && network[SYS_recvmsg] && network[SYS_accept4] && !network[SYS_read]);
  EXPECT_EQ(network, filter("%net"));
  EXPECT_TRUE(filter("%memory")[SYS_mmap] && filter("%process")[SYS_execve] &&
              filter("%signal")[SYS_rt_sigaction]);
}

TEST(CallFilter, SaysWhatItDoesNotKnow) {
  for (const char* wrong : {"opnat", "%nothing", "", "trace=", "write=3", "/[", "/^no_such_call$"}) {
    CallSet out;
    auto result = add_filter(wrong, out);
    ASSERT_FALSE(result) << wrong;
    EXPECT_EQ(result.message().substr(0, 2), "-e") << result.message();
  }
}

// The vectors of the reference implementation: key 00 01 ... 0f, input the first n of 00 01 02 ...
TEST(SipHash, GivesThePapersVectors) {
  const std::array<uint64_t, 2> key{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string input(15, '\0');
  std::iota(input.begin(), input.end(), '\0');
  EXPECT_EQ(siphash(key, ""), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(siphash(key, input.substr(0, 1)), 0x74f839c593dc67fdu);
  EXPECT_EQ(siphash(key, input), 0xa129ca6149be45e5u);
}

TEST(Dirents, AreTypeAndName) {
  auto entry = [](uint8_t type, std::string name) {
    std::string out(19, '\0');
    name.push_back('\0');
    name.resize((name.size() + 19 + 7) / 8 * 8 - 19);
    const auto length = static_cast<uint16_t>(19 + name.size());
    memcpy(out.data() + 16, &length, 2);
    out[18] = static_cast<char>(type);
    return out + name;
  };
  using namespace std::string_literals;
  const std::string two = entry(4, ".") + entry(8, "a file with a name");
  EXPECT_EQ(compact_dirents(two), "\4.\0\10a file with a name\0"s);
  EXPECT_EQ(compact_dirents(std::string_view(two).substr(0, 24 + 25)), "\4.\0\10a file"s)
      << "the last may be cut";
  EXPECT_EQ(compact_dirents(""), "");
  EXPECT_EQ(compact_dirents(std::string(64, '\0')), "") << "a length of 0 ends it";
}

struct Nothing : TraceSink {
  void on_call(const Event&, const CallText&) override {}
  void on_fork(int32_t, int32_t, uint64_t) override {}
  void on_exec(const ExecInfo&) override {}
  void on_exit(int32_t, uint64_t, int32_t) override {}
};

TEST(BpfRecords, CountsWhatMakesNoSense) {
  Nothing sink;
  rec_head head{};
  const std::span<const uint8_t> bytes(reinterpret_cast<const uint8_t*>(&head), sizeof head);
  EXPECT_EQ(hand_over(bytes, sink), 1u) << "no length";
  head.units = 3;
  head.kind = REC_CALL;
  EXPECT_EQ(hand_over(bytes, sink), 1u) << "too short for a call";
  head.kind = 99;
  EXPECT_EQ(hand_over(bytes, sink), 1u) << "no such kind";
  head.units = 100;
  EXPECT_EQ(hand_over(bytes, sink), 1u) << "longer than the block";
}

}  // namespace
}  // namespace sysvm
