// SPDX-License-Identifier: MIT
// A trace that is cut or changed anywhere: all chunks before the damage, a message that names it, never a
// crash.
#include <xxhash.h>

#include <random>

#include "tests/traces/sample.h"
#include "traces/format.h"
#include "traces/reader.h"

namespace sysvm {
namespace {

constexpr uint32_t kEvents = 60, kChunk = 10;

struct Frame {
  size_t begin, end;
  size_t chunks_before;  // whole chunks in front of this frame
};

// The frames of an undamaged file, found without the reader under test.
std::vector<Frame> frames_of(const std::string& bytes) {
  std::vector<Frame> frames;
  size_t at = trace_format::kPreamble, chunks = 0;
  while (at < bytes.size()) {
    size_t p = at, length = 0;
    int shift = 0;
    for (;; shift += 7) {
      const auto byte = static_cast<uint8_t>(bytes[p++]);
      length |= static_cast<size_t>(byte & 0x7f) << shift;
      if (!(byte & 0x80)) break;
    }
    const bool is_chunk = bytes[p + 8] == 0x12;  // field 2 of Record
    frames.push_back({at, p + 8 + length, chunks});
    chunks += is_chunk;
    at = p + 8 + length;
  }
  return frames;
}

TEST(DamagedTrace, CutAtAnyByteKeepsAllWholeChunks) {
  TempFile whole, cut;
  write_sample(whole.path(), kEvents, kChunk);
  const std::string bytes = whole.get();
  const std::vector<Frame> frames = frames_of(bytes);
  ASSERT_EQ(frames.back().end, bytes.size());
  ASSERT_EQ(frames.back().chunks_before, kEvents / kChunk);
  for (size_t size = 0; size < bytes.size(); ++size) {
    cut.put(bytes.substr(0, size));
    auto trace = read_trace(cut.path());
    if (size < frames[0].end) {
      ASSERT_FALSE(trace) << size;
      EXPECT_NE(trace.message().find(cut.path()), std::string::npos) << trace.message();
      continue;
    }
    ASSERT_TRUE(trace) << size << ": " << trace.message();
    size_t chunks = kEvents / kChunk;
    bool at_boundary = false;
    for (const Frame& f : frames) {
      if (f.begin == size) at_boundary = true;
      if (size < f.end) {
        chunks = f.chunks_before;
        break;
      }
    }
    EXPECT_EQ(trace->events.size(), chunks * kChunk) << size;
    EXPECT_EQ(trace->damage.empty(), at_boundary) << size << ": " << trace->damage;
    for (uint32_t i = 0; i < trace->events.size(); ++i) expect_sample_event(*trace, trace->events[i], i);
  }
}

TEST(DamagedTrace, FlippedBitsKeepAllChunksBeforeThem) {
  TempFile whole, bad;
  write_sample(whole.path(), kEvents, kChunk);
  const std::string bytes = whole.get();
  const std::vector<Frame> frames = frames_of(bytes);
  std::mt19937 random(20080110);
  for (int round = 0; round < 1000; ++round) {
    const size_t bit = random() % (bytes.size() * 8);
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    bad.put(changed);
    auto trace = read_trace(bad.path());
    if (bit / 8 < frames[0].end) {
      ASSERT_FALSE(trace) << "bit " << bit << " of the preamble or header was not noticed";
      continue;
    }
    ASSERT_TRUE(trace) << bit;
    size_t chunks = 0;
    for (const Frame& f : frames)
      if (bit / 8 < f.end) {
        chunks = f.chunks_before;
        break;
      }
    EXPECT_EQ(trace->events.size(), chunks * kChunk) << bit;
    EXPECT_NE(trace->damage, "") << bit;
    for (uint32_t i = 0; i < trace->events.size(); ++i) expect_sample_event(*trace, trace->events[i], i);
  }
}

// A hostile file has right checksums. Whatever it says, the reader stays within its limits.
TEST(DamagedTrace, FlippedBitsUnderARightChecksumDoNoHarm) {
  TempFile whole, bad;
  write_sample(whole.path(), kEvents, kChunk);
  const std::string bytes = whole.get();
  const std::vector<Frame> frames = frames_of(bytes);
  std::mt19937 random(1993);
  size_t refused = 0;
  for (int round = 0; round < 2000; ++round) {
    const Frame& f = frames[random() % frames.size()];
    size_t payload = f.begin;
    while (bytes[payload++] & 0x80) {
    }
    payload += 8;
    std::string changed = bytes;
    for (uint32_t flips = 1 + random() % 3; flips > 0; --flips)
      changed[payload + random() % (f.end - payload)] ^= static_cast<char>(1 << random() % 8);
    const uint64_t sum = XXH64(changed.data() + payload, f.end - payload, 0);
    for (size_t i = 0; i < 8; ++i) changed[payload - 8 + i] = static_cast<char>(sum >> (8 * i));
    bad.put(changed);
    auto trace = read_trace(bad.path());
    refused += !trace || !trace->damage.empty();
    if (!trace) continue;
    for (const Event& e : trace->events) {
      ASSERT_LT(e.path[0], trace->strings.size());
      ASSERT_LT(e.path[1], trace->strings.size());
    }
  }
  EXPECT_GT(refused, 200u) << "hardly any of these files was read";
}

TEST(DamagedTrace, RandomBytesAfterTheMagicAreRefused) {
  TempFile bad;
  std::mt19937 random(4711);
  for (int round = 0; round < 300; ++round) {
    std::string bytes(trace_format::kMagic);
    bytes += trace_format::kVersion;
    bytes += std::string(7, '\0');
    for (uint32_t n = random() % 400; n > 0; --n) bytes += static_cast<char>(random());
    bad.put(bytes);
    EXPECT_FALSE(read_trace(bad.path()));
  }
}

TEST(DamagedTrace, SaysWhatItIsNot) {
  TempFile bad;
  EXPECT_NE(read_trace("/does/not/exist").message().find("cannot open"), std::string::npos);
  EXPECT_NE(read_trace("/dev/null").message().find("not a regular file"), std::string::npos);
  bad.put("");
  EXPECT_NE(read_trace(bad.path()).message().find("empty file"), std::string::npos);
  bad.put("#!/bin/sh\n");
  EXPECT_NE(read_trace(bad.path()).message().find("does not begin with SYSVMTRC"), std::string::npos);
  bad.put(std::string("SYSVMTRC\x07") + std::string(7, '\0'));
  EXPECT_NE(read_trace(bad.path()).message().find("version 7, this program reads version 2"),
            std::string::npos);
}

}  // namespace
}  // namespace sysvm
