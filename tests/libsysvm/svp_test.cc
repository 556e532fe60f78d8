// SPDX-License-Identifier: MIT
// A procedure file is either as it was written or refused: every byte flipped, every length cut, every rule
// broken.
#include "procedures/svp.h"

#include <errno.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "procedures/assembler.h"
#include "uapi/syscalls.h"

namespace {

// The parts of a file as plain values; write() lays them out. One procedure: openat, then fstat, a guarded
// read and F_GETFD ahead.
struct File {
  std::string strings = std::string("\0open-read\0", 11);
  std::vector<uint8_t> code = *sysvm::assemble(
      "openat r6, r0, r1, r2, r3\n"
      "mov r7, r255\n"
      "goon fstat r8, r6, r7\n"
      "data r9, 4\n"
      "end\n");
  std::string data = std::string("abc\0name\0", 9);
  svp_proc proc{};
  std::vector<svp_trigger> triggers{1};
  std::vector<svp_follower> followers{3};
  std::string notes = "{\"made\":\"by svp_test\"}";
  std::vector<svp_loop> loops;

  File() {
    proc.name = 1;
    proc.mode = SVP_RUN_AHEAD;
    proc.code_size = code.size();
    proc.data_size = data.size();
    proc.triggers = 1;
    proc.followers = 3;
    proc.staging = 4096;
    proc.trigger_result = 6;
    proc.exe.build_id_len = 20;
    proc.exe.build_id[0] = 0xab;
    proc.seen = 8000;

    svp_trigger& t = triggers[0];
    t.nr = SYSVM_NR_openat;
    t.path_arg = 1;
    t.site.build_id_len = 20;
    t.site.offset = 0x1234;
    t.arg[0] = {SVP_ARG_CONST, 0, 0, 0, uint64_t(-100), 0};
    t.arg[2] = {SVP_ARG_MASK, 0, 0, 0, 0, 3};

    followers[0].nr = SYSVM_NR_fstat;
    followers[0].result = 8;
    followers[0].nargs = 2;
    followers[0].arg[0] = {SVP_ARG_REG, 6, 0, 0, 0, 0};
    followers[0].arg[1] = {SVP_ARG_OUT, 0, 0, 144, 0, 0};
    followers[1].nr = SYSVM_NR_read;
    followers[1].result = 10;
    followers[1].nargs = 3;
    followers[1].arg[0] = {SVP_ARG_REG, 6, 0, 0, 0, 0};
    followers[1].arg[1] = {SVP_ARG_OUT, 0, 0, 3000, 192, 0};
    followers[1].arg[2] = {SVP_ARG_COUNT, 11, 0, 0, 0, 0};
    followers[2].nr = SYSVM_NR_fcntl;
    followers[2].result = 12;
    followers[2].nargs = 3;
    followers[2].arg[0] = {SVP_ARG_REG, 6, 0, 0, 0, 0};
    followers[2].arg[1] = {SVP_ARG_CONST, 0, 0, 0, 1, 0};
  }

  // The same with a loop after it: newfstatat and lgetxattr of each dirent, 16 records of 24 + 144 + 32
  // bytes.
  static File with_loop() {
    File f;
    svp_follower look{}, label{};
    look.nr = SYSVM_NR_newfstatat;
    look.result = 13;
    look.nargs = 4;
    look.arg[0] = {SVP_ARG_REG, 6, 0, 0, 0, 0};
    look.arg[1] = {SVP_ARG_NAME, 0, 0, 0, 0, 0};
    look.arg[2] = {SVP_ARG_OUT, 0, 0, 144, 24, 0};
    look.arg[3] = {SVP_ARG_CONST, 0, 0, 0, 0x100, 0};
    label.nr = SYSVM_NR_lgetxattr;
    label.result = 13;
    label.nargs = 4;
    label.arg[0] = {SVP_ARG_UNDER, 0, 0, 0, 0, 0};
    label.arg[1] = {SVP_ARG_STRING, 0, 0, 0, 0, 0};
    label.arg[2] = {SVP_ARG_OUT, 0, 0, 32, 168, 0};
    label.arg[3] = {SVP_ARG_COUNT, 11, 0, 0, 0, 0};
    f.followers.insert(f.followers.end(), {look, label});
    f.proc.followers = 5;
    f.proc.staging = 8192;
    f.loops.push_back({0, 3, 2, 4096, 200, 16, 14, SVP_LOOP_LEAVES, {}});
    return f;
  }

  std::vector<uint64_t> write() const {
    struct Part {
      uint32_t kind;
      const void* bytes;
      size_t size;
    };
    const Part parts[] = {
        {SVP_STRINGS, strings.data(), strings.size()},
        {SVP_CODE, code.data(), code.size()},
        {SVP_DATA, data.data(), data.size()},
        {SVP_PROCS, &proc, sizeof proc},
        {SVP_TRIGGERS, triggers.data(), triggers.size() * sizeof(svp_trigger)},
        {SVP_FOLLOWERS, followers.data(), followers.size() * sizeof(svp_follower)},
        {SVP_NOTES, notes.data(), notes.size()},
        {SVP_LOOPS, loops.data(), loops.size() * sizeof(svp_loop)},
        {77, "later", 5},  // a kind that this version does not know
    };
    std::string out(sizeof(svp_header) + std::size(parts) * sizeof(svp_section), '\0');
    std::vector<svp_section> table;
    for (const Part& p : parts) {
      out.resize((out.size() + 7) / 8 * 8);
      table.push_back({p.kind, 0, out.size(), p.size, svp_checksum(p.bytes, p.size, SVP_CHECKSUM_START)});
      out.append(static_cast<const char*>(p.bytes), p.size);
    }
    out.resize((out.size() + 7) / 8 * 8);
    svp_header header{};
    std::memcpy(header.magic, SVP_MAGIC, 8);
    header.version = SVP_VERSION;
    header.abi = SYSVM_ABI_VERSION;
    header.file_size = out.size();
    header.sections = table.size();
    const size_t bytes = table.size() * sizeof(svp_section);
    header.checksum =
        svp_checksum(table.data(), bytes, svp_checksum(&header, sizeof header, SVP_CHECKSUM_START));
    std::memcpy(out.data(), &header, sizeof header);
    std::memcpy(out.data() + sizeof header, table.data(), bytes);
    std::vector<uint64_t> words(out.size() / 8);
    std::memcpy(words.data(), out.data(), out.size());
    return words;
  }
};

std::string verdict(const void* base, size_t size, svp* out = nullptr) {
  svp ignored;
  char message[256];
  const int err = svp_check(base, size, out ? out : &ignored, message, sizeof message);
  EXPECT_TRUE(err == 0 || err == -EINVAL);
  EXPECT_EQ(err == 0, message[0] == 0) << message;
  return message;
}

TEST(Svp, AGoodFileIsTakenWhole) {
  const File file;
  const auto words = file.write();
  svp out;
  ASSERT_EQ(verdict(words.data(), words.size() * 8, &out), "");
  EXPECT_EQ(out.nprocs, 1u);
  EXPECT_EQ(out.ntriggers, 1u);
  EXPECT_EQ(out.nfollowers, 3u);
  EXPECT_STREQ(out.strings + out.procs[0].name, "open-read");
  EXPECT_EQ(std::memcmp(out.code, file.code.data(), file.code.size()), 0);
  EXPECT_EQ(std::string(out.notes, out.notes_size), file.notes);
}

TEST(Svp, EveryBitFlippedIsRefused) {
  const auto words = File().write();
  const size_t size = words.size() * 8;
  for (size_t byte = 0; byte < size; byte++) {
    for (int bit = 0; bit < 8; bit++) {
      auto copy = words;
      reinterpret_cast<unsigned char*>(copy.data())[byte] ^= 1 << bit;
      EXPECT_NE(verdict(copy.data(), size), "") << "byte " << byte << " bit " << bit;
    }
  }
}

TEST(Svp, EveryShorterLengthIsRefusedAndALongerOneToo) {
  auto words = File().write();
  for (size_t size = 0; size < words.size() * 8; size++) EXPECT_NE(verdict(words.data(), size), "") << size;
  const size_t size = words.size() * 8;
  words.push_back(0);
  EXPECT_NE(verdict(words.data(), size + 8), "");
}

TEST(Svp, BrokenRulesAreNamed) {
  const struct {
    const char* message;
    std::function<void(File&)> breaks;
  } cases[] = {
      {"procedure 0 (open-read): unknown mode", [](File& f) { f.proc.mode = 6; }},
      {"procedure 0 (open-read): unknown mode", [](File& f) { f.proc.mode = 1; }},
      {"procedure 0: its name lies past the end of section strings at 11", [](File& f) { f.proc.name = 11; }},
      {"section strings: expected a 0 at its start and at its end", [](File& f) { f.strings = "x"; }},
      {"procedure 0 (open-read): reserved field is not 0", [](File& f) { f.proc.reserved[1] = 1; }},
      {"procedure 0 (open-read): its staging area is larger than allowed",
       [](File& f) { f.proc.staging = SVP_STAGING_MAX + 1; }},
      {"procedure 0 (open-read): its code reaches past the end of section code",
       [](File& f) { f.proc.code_size++; }},
      {"procedure 0 (open-read), byte 10: fstat takes 4 bytes, the code ends after 2",
       [](File& f) { f.proc.code_size = 12; }},
      {"procedure 0 (open-read), byte 14: data offset 4 past the end of its data 3",
       [](File& f) { f.proc.data_size = 3; }},
      {"procedure 0 (open-read): its data reaches past the end of section data",
       [](File& f) { f.proc.data_size++; }},
      {"procedure 0 (open-read): its triggers are too many or past the end of section triggers",
       [](File& f) { f.proc.triggers++; }},
      {"procedure 0 (open-read): its followers are too many or past the end of section followers",
       [](File& f) { f.proc.first_follower = 0xffffffff; }},
      {"procedure 0 (open-read): the executable has a bad build-id",
       [](File& f) { f.proc.exe.build_id_len = 21; }},
      {"procedure 0 (open-read), trigger 0: a system call that the machine does not make",
       [](File& f) { f.triggers[0].nr = SYSVM_NR_fork; }},
      {"procedure 0 (open-read), trigger 0: a system call that may not trigger run-ahead",
       [](File& f) { f.triggers[0].nr = SYSVM_NR_unlinkat; }},
      {"procedure 0 (open-read), trigger 0: path_arg is not the index of a path argument",
       [](File& f) { f.triggers[0].path_arg = 2; }},
      {"procedure 0 (open-read), trigger 0: argument 2: value has bits outside of mask: it never matches",
       [](File& f) { f.triggers[0].arg[2].value = 4; }},
      {"procedure 0 (open-read), trigger 0: argument 0: expected any, const, mask, string, name, under or "
       "row",
       [](File& f) { f.triggers[0].arg[0] = {SVP_ARG_REG, 1, 0, 0, 0, 0}; }},
      {"procedure 0 (open-read), trigger 0: argument 5: the system call does not have it",
       [](File& f) { f.triggers[0].arg[5].kind = SVP_ARG_CONST; }},
      {"procedure 0 (open-read), follower 0: a system call that may not be run ahead",
       [](File& f) { f.followers[0].nr = SYSVM_NR_fchdir, f.followers[0].nargs = 1; }},
      {"procedure 0 (open-read), follower 0: wrong number of arguments, or a reserved field that is not 0",
       [](File& f) { f.followers[0].nargs = 3; }},
      {"procedure 0 (open-read), follower 0: argument 1: reaches past the procedure's staging area",
       [](File& f) { f.followers[0].arg[1].value = 4000; }},
      {"procedure 0 (open-read), follower 0: argument 1: its place in the staging area is smaller than the "
       "structure",
       [](File& f) { f.followers[0].arg[1].size = 143; }},
      {"procedure 0 (open-read), follower 0: argument 0: the system call does not fill a buffer here",
       [](File& f) { f.followers[0].arg[0] = {SVP_ARG_OUT, 0, 0, 8, 0, 0}; }},
      {"procedure 0 (open-read), follower 1: argument 0: the system call does not take a size here",
       [](File& f) { f.followers[1].arg[0] = {SVP_ARG_COUNT, 1, 0, 0, 0, 0}; }},
      {"procedure 0 (open-read), follower 1: argument 2: mask is for triggers only",
       [](File& f) { f.followers[1].arg[2] = {SVP_ARG_MASK, 0, 0, 0, 0, 0}; }},
      {"procedure 0 (open-read), follower 1: argument 2: unknown kind",
       [](File& f) { f.followers[1].arg[2] = {99, 0, 0, 0, 0, 0}; }},
      {"procedure 0 (open-read), follower 1: argument 2: a field that its kind does not use is not 0",
       [](File& f) { f.followers[1].arg[2].value = 1; }},
      {"procedure 0 (open-read), follower 1: argument 0: its string does not end inside the procedure's data",
       [](File& f) { f.followers[1].arg[0] = {SVP_ARG_STRING, 0, 0, 0, 9, 0}; }},
      {"procedure 0 (open-read), follower 2: a command that may not be run ahead",
       [](File& f) {
         f.followers[2].arg[1].value = 4; /* F_SETFL */
       }},
      {"procedure 0 (open-read), follower 2: a command that may not be run ahead",
       [](File& f) { f.followers[2].arg[1] = {SVP_ARG_REG, 3, 0, 0, 0, 0}; }},
  };
  for (const auto& c : cases) {
    File file;
    c.breaks(file);
    const auto words = file.write();
    EXPECT_EQ(verdict(words.data(), words.size() * 8), c.message);
  }
}

TEST(Svp, ALoopIsTakenWithItsProcedure) {
  const File file = File::with_loop();
  const auto words = file.write();
  svp out;
  ASSERT_EQ(verdict(words.data(), words.size() * 8, &out), "");
  ASSERT_EQ(out.nloops, 1u);
  ASSERT_EQ(svp_loop_of(&out, 0), out.loops);
  EXPECT_EQ(svp_loop_of(&out, 1), nullptr);
  EXPECT_EQ(std::memcmp(out.loops, file.loops.data(), sizeof(svp_loop)), 0);
}

TEST(Svp, ALoopWithABitFlippedIsRefused) {
  const auto words = File::with_loop().write();
  const size_t size = words.size() * 8;
  for (size_t byte = 0; byte < size; byte++)
    for (int bit = 0; bit < 8; bit++) {
      auto copy = words;
      reinterpret_cast<unsigned char*>(copy.data())[byte] ^= 1 << bit;
      EXPECT_NE(verdict(copy.data(), size), "") << "byte " << byte << " bit " << bit;
    }
}

TEST(Svp, BrokenRulesOfLoopsAreNamed) {
  const std::string no_room = "procedure 0: its loop's records do not fit its staging area of 8192";
  const std::string not_its_own = "procedure 0: its loop's followers are none, past its own, or more than 8";
  const std::string unknown =
      "procedure 0: its loop has an unknown flag, or it does not run ahead, as mode 2";
  const std::string rows =
      "procedure 0 (open-read), trigger 0: argument 1: a row whose names would overlap, or lie too far apart";
  const std::string of_3 = "procedure 0 (open-read), follower 3: ",
                    of_4 = "procedure 0 (open-read), follower 4: ";
  const struct {
    std::string message;
    std::function<void(File&)> breaks;
  } cases[] = {
      {"a loop's procedure is 1, expected less than 1", [](File& f) { f.loops[0].proc = 1; }},
      {"procedure 0 has more loops than 1", [](File& f) { f.loops.push_back(f.loops[0]); }},
      {not_its_own, [](File& f) { f.loops[0].followers = 0; }},
      {not_its_own, [](File& f) { f.loops[0].followers = 3; }},
      {not_its_own, [](File& f) { f.loops[0].first = 6; }},
      {not_its_own, [](File& f) { f.loops[0].first = 0xffffffff; }},
      {not_its_own,
       [](File& f) {
         f.followers.resize(14, f.followers[3]);
         f.proc.followers = 14;
         f.loops[0].followers = SVP_LOOP_MAX + 1;
       }},
      {no_room, [](File& f) { f.loops[0].stride = 196; }},
      {no_room, [](File& f) { f.loops[0].stride = 16; }},
      {no_room, [](File& f) { f.loops[0].stride = 0xfffffff8; }},
      {no_room, [](File& f) { f.loops[0].records = 4100; }},
      {no_room, [](File& f) { f.loops[0].records = 0xfffffff8; }},
      {no_room, [](File& f) { f.loops[0].capacity = 0; }},
      {no_room, [](File& f) { f.loops[0].capacity = 21; }},
      {no_room, [](File& f) { f.loops[0].capacity = 0xffffffff; }},
      {unknown, [](File& f) { f.loops[0].flags = 2; }},
      {unknown, [](File& f) { f.loops[0].reserved[5] = 1; }},
      {unknown, [](File& f) { f.proc.mode = SVP_ANSWER; }},
      {of_3 + "argument 2: reaches past the loop's record",
       [](File& f) { f.followers[3].arg[2].value = 64; }},
      {of_4 + "argument 2: reaches past the loop's record", [](File& f) { f.followers[4].arg[2].size = 33; }},
      {of_3 + "argument 2: lies over the record's results",
       [](File& f) { f.followers[3].arg[2].value = 16; }},
      {of_3 + "argument 2: its place in the staging area is smaller than the structure",
       [](File& f) { f.followers[3].arg[2].size = 136; }},
      {of_3 + "argument 3: an entry's name, but this is no path of a loop's follower",
       [](File& f) { f.followers[3].arg[3] = {SVP_ARG_NAME, 0, 0, 0, 0, 0}; }},
      {of_3 + "argument 1: an entry's name, but this is no path of a loop's follower",
       [](File& f) { f.loops[0].first = 4, f.loops[0].followers = 1; }},
      {of_3 + "argument 1: an entry's name, but this is no path of a loop's follower",
       [](File& f) { f.loops.clear(); }},
      {of_4 + "argument 0: a field that its kind does not use is not 0",
       [](File& f) { f.followers[4].arg[0].value = 1; }},
      {"procedure 0 (open-read), trigger 0: argument 2: an entry, but the system call takes no path here",
       [](File& f) { f.triggers[0].arg[2] = {SVP_ARG_NAME, 0, 0, 0, 0, 0}; }},
      {"procedure 0 (open-read), trigger 0: argument 1: an entry, but the procedure has no loop",
       [](File& f) {
         f.triggers[0].arg[1] = {SVP_ARG_UNDER, 0, 0, 0, 0, 0};
         f.loops.clear();
       }},
      {of_3 + "argument 1: where a row's names lie is for triggers only",
       [](File& f) { f.followers[3].arg[1] = {SVP_ARG_ROW, 0, 0, 0, 16, 7}; }},
      {rows, [](File& f) { f.triggers[0].arg[1] = {SVP_ARG_ROW, 0, 0, 0, 0, 0}; }},
      {rows, [](File& f) { f.triggers[0].arg[1] = {SVP_ARG_ROW, 0, 0, 0, 7, 7}; }},
      {rows, [](File& f) { f.triggers[0].arg[1] = {SVP_ARG_ROW, 0, 0, 0, 64, 31}; }},
      {rows, [](File& f) { f.triggers[0].arg[1] = {SVP_ARG_ROW, 0, 0, 0, SVP_ROW_GAP + 1, 7}; }},
      {"", [](File& f) { f.triggers[0].arg[1] = {SVP_ARG_ROW, 0, 0, 0, SVP_ROW_GAP, 15}; }},
  };
  for (const auto& c : cases) {
    File file = File::with_loop();
    c.breaks(file);
    const auto words = file.write();
    EXPECT_EQ(verdict(words.data(), words.size() * 8), c.message);
  }
}

TEST(Svp, MessagesAreCutToTheBufferWhateverItsSize) {
  File file;
  file.followers[1].arg[2].value = 1;
  const auto words = file.write();
  for (size_t size = 0; size < 128; size++) {
    std::vector<char> message(size + 1, '#');
    svp out;
    EXPECT_EQ(svp_check(words.data(), words.size() * 8, &out, message.data(), size), -EINVAL);
    EXPECT_EQ(message[size], '#');
    if (size) {
      EXPECT_LT(std::strlen(message.data()), size);
    }
  }
}

TEST(Svp, ModesHaveTheNamesOfTheDocument) {
  EXPECT_STREQ(svp_mode_name(1), "?");
  EXPECT_STREQ(svp_mode_name(SVP_RUN_AHEAD), "run_ahead");
  EXPECT_STREQ(svp_mode_name(SVP_DEFER), "defer");
  EXPECT_STREQ(svp_mode_name(6), "prefetch");
  EXPECT_STREQ(svp_mode_name(7), "?");
}

}  // namespace
