// SPDX-License-Identifier: MIT
// Where arguments come from, and where a sequence is cut because they come from nowhere that is known.
#include <gtest/gtest.h>

#include "optimizer/learn/legality.h"
#include "optimizer/learn/occurrences.h"
#include "tests/optimizer/recording.h"

namespace sysvm {
namespace {

struct Found {
  std::vector<std::string> steps;
  std::string stop;
};

// What may follow the first call.
Found followed(const std::string& calls) {
  const PackedTrace trace = packed(recording(calls));
  const std::vector<Stream> streams = split_into_streams({&trace});
  Sources table;
  const Occurrence o = follow(streams.at(0), 0, table);
  Found found;
  found.stop = o.stop;
  for (const OccurrenceStep& s : o.steps) {
    std::string text = s.sources->key;
    if (s.calls.size() > 1) text += " x" + std::to_string(s.calls.size());
    found.steps.push_back(text);
  }
  return found;
}

using Steps = std::vector<std::string>;

TEST(Dataflow, TheTriggersResultIsItsDescriptor) {
  EXPECT_EQ(followed("openat(AT_FDCWD, \"f\", O_RDONLY) = 7\nfstat(7, buf) = 0\n").steps,
            (Steps{"fstat(fd, buf)"}));
}

TEST(Dataflow, ADescriptorFromElsewhereCuts) {
  const Found found = followed("openat(AT_FDCWD, \"f\", O_RDONLY) = 7\nfstat(5, buf) = 0\n");
  EXPECT_EQ(found.steps, Steps{});
  EXPECT_EQ(found.stop, "argument 0 of fstat is not known at the trigger");
}

// The source of a call's arguments behind the first calls of a recording, which are the trigger and its
// steps.
std::string explained(const std::string& calls) {
  const PackedTrace trace = packed(recording(calls));
  const std::vector<Stream> streams = split_into_streams({&trace});
  const auto& all = streams.at(0).calls;
  const FlowContext context{&streams[0], all[0], {all.begin() + 1, all.end() - 1}};
  return explain(context, *all.back()).key;
}

TEST(Dataflow, TheResultOfADupIsADescriptorOfLaterSteps) {
  const std::string dup = "openat(4, \"d\", O_RDONLY) = 3\nfcntl(3, F_DUPFD_CLOEXEC, 3) = 6\n";
  EXPECT_EQ(explained(dup), "fcntl(fd, F_DUPFD_CLOEXEC, 3)");
  EXPECT_EQ(explained(dup + "fstat(6, buf) = 0\n"), "fstat(#0, buf)");
  EXPECT_EQ(explained(dup + "fstat(3, buf) = 0\n"), "fstat(fd, buf)");
}

TEST(Dataflow, TheDirectoryOfTheTriggerIsItsArgument) {
  const std::string open = "openat(4, \"d\", O_RDONLY) = 3\n";
  EXPECT_EQ(explained(open + "fstat(4, buf) = 0\n"), "fstat($0, buf)");
  EXPECT_EQ(explained(open + "newfstatat(4, \"d\", buf, AT_SYMLINK_NOFOLLOW) = 0\n"),
            "newfstatat($0, path, buf, 0x100)");
}

TEST(Dataflow, ANumberThatIsUsedAgainIsTheNewestDescriptor) {
  EXPECT_EQ(
      explained("openat(4, \"d\", O_RDONLY) = 3\nfcntl(3, F_DUPFD_CLOEXEC, 3) = 4\nfstat(4, buf) = 0\n"),
      "fstat(#0, buf)");
}

TEST(Dataflow, AnotherNameIsVarying) {
  const Found found = followed(R"(openat(4, "d", O_RDONLY|O_DIRECTORY) = 3
newfstatat(4, "e", buf, AT_SYMLINK_NOFOLLOW) = 0
)");
  EXPECT_EQ(found.stop, "argument 1 of newfstatat is not known at the trigger");
}

TEST(Dataflow, FlagsAreConstantsOfTheStep) {
  EXPECT_NE(followed("openat(4, \"d\", O_RDONLY) = 3\nnewfstatat(3, \"\", buf, AT_EMPTY_PATH) = 0\n").steps,
            followed("openat(4, \"d\", O_RDONLY) = 3\nnewfstatat(3, \"\", buf, 0x1800) = 0\n").steps);
}

TEST(Dataflow, ReadsOfOneDescriptorAreOneRun) {
  EXPECT_EQ(followed(R"(openat(4, "f", O_RDONLY) = 3
read(3, buf, 4096) = 4096
read(3, buf, 4096) = 12
read(3, buf, 4096) = 0
lseek(3, 0, SEEK_CUR) = 4108
)")
                .steps,
            (Steps{"read(fd, buf, size) x3", "lseek(fd, 0, 1)"}));
}

TEST(Dataflow, QuietCallsAreSteppedOver) {
  EXPECT_EQ(followed(R"(openat(4, "f", O_RDONLY) = 3
brk(0) = 5000
mmap(0, 8192, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 4096
read(3, buf, 4096) = 12
)")
                .steps,
            (Steps{"read(fd, buf, size)"}));
}

// --- what may not follow

std::string stop_after_open(const std::string& call) {
  return followed("openat(4, \"f\", O_RDONLY) = 3\n" + call + "\n").stop;
}

TEST(Legality, AnOpenIsNeverAFollower) {
  EXPECT_EQ(stop_after_open("openat(4, \"f\", O_RDONLY) = 5"), "an open is a trigger, never a follower");
}
TEST(Legality, AWriteIsNot) {
  EXPECT_EQ(stop_after_open("write(3, buf, 1) = 1"), "write changes what others can see");
}
TEST(Legality, ALockIsNot) {
  EXPECT_EQ(stop_after_open("fcntl(3, F_SETLK, buf) = 0"), "fcntl F_SETLK waits for or tells another task");
}
TEST(Legality, AFileMappingIsNot) {
  EXPECT_EQ(stop_after_open("mmap(0, 100, PROT_READ, MAP_PRIVATE, 3, 0) = 4096"),
            "mmap changes the process itself");
}
TEST(Legality, SettingThePositionIsNot) {
  EXPECT_EQ(stop_after_open("lseek(3, 10, SEEK_SET) = 10"), "lseek sets the position");
  EXPECT_EQ(stop_after_open("lseek(3, 10, SEEK_CUR) = 10"), "lseek sets the position");
}
TEST(Legality, AStatThatFollowsLinksIsNot) {
  EXPECT_EQ(stop_after_open("newfstatat(4, \"f\", buf, 0) = 0"), "newfstatat may follow a symbolic link");
}
TEST(Legality, APathOfSeveralComponentsIsNot) {
  EXPECT_EQ(
      followed("openat(4, \"a/f\", O_RDONLY) = 3\nnewfstatat(4, \"a/f\", buf, AT_SYMLINK_NOFOLLOW) = 0\n")
          .stop,
      "the path has more than one component");
}
TEST(Legality, ACallOnAnotherDescriptorIsNot) {
  EXPECT_EQ(stop_after_open("read(4, buf, 10) = 10"), "read is not about the trigger's descriptor");
  EXPECT_EQ(stop_after_open("fstat(4, buf) = 0"), "fstat is not about the trigger's descriptor");
}
TEST(Legality, AStatxOfTheDescriptorIsUnlessItAsksAServer) {
  EXPECT_EQ(stop_after_open("statx(3, \"\", AT_EMPTY_PATH, 0, buf) = 0"),
            "the recording ends or is cut here");
  EXPECT_EQ(stop_after_open("statx(3, \"\", AT_EMPTY_PATH|AT_STATX_FORCE_SYNC, 0, buf) = 0"),
            "statx of \"\" with other flags");
}
TEST(Legality, BehindAReadOnlyReadsFollow) {
  const std::string read = "read(3, buf, 4096) = 4096\n";
  EXPECT_EQ(followed(read + read + read).steps, (Steps{"read($0, buf, size) x2"}));
  EXPECT_EQ(followed(read + "fcntl(3, F_DUPFD_CLOEXEC, 3) = 4\n").stop,
            "fcntl F_DUPFD_CLOEXEC could not be taken back: the trigger has not opened the descriptor");
}
TEST(Legality, TheEndOfFileIsFoundEvenBehindAWrite) {
  EXPECT_EQ(followed(R"(openat(4, "f", O_RDONLY) = 3
read(3, buf, 4096) = 12
write(1, buf, 12) = 12
read(3, buf, 4096) = 0
)")
                .steps,
            (Steps{"read(fd, buf, size) x2"}));
}
TEST(Legality, AFailedTriggerHasNoFollowers) {
  EXPECT_EQ(followed("openat(4, \"f\", O_RDONLY) = -2\nbrk(0) = 0\nfstat(3, buf) = 0\n").stop,
            "the trigger failed");
}
TEST(Legality, AnOpenForWritingIsNoTrigger) {
  const PackedTrace trace = packed(recording("openat(4, \"f\", O_WRONLY|O_CREAT) = 3\n"));
  EXPECT_FALSE(may_trigger(*trace.events.begin()));
}

// --- where streams are cut

size_t streams_of(const std::string& calls) {
  const PackedTrace trace = packed(recording(calls));
  return split_into_streams({&trace}).size();
}

TEST(Streams, ALostEventCuts) { EXPECT_EQ(streams_of("brk(0) = 1\n..\nbrk(0) = 1\n"), 2u); }
TEST(Streams, ASignalCuts) { EXPECT_EQ(streams_of("brk(0) = 1\n-- SIGALRM\nbrk(0) = 1\n"), 2u); }
TEST(Streams, AForkCuts) { EXPECT_EQ(streams_of("brk(0) = 1\nfork() = 12\nbrk(0) = 1\n"), 2u); }
TEST(Streams, AWholeRecordingIsOne) { EXPECT_EQ(streams_of("brk(0) = 1\nbrk(0) = 1\n"), 1u); }

}  // namespace
}  // namespace sysvm
