// SPDX-License-Identifier: MIT
// What one run leaves to the next: read back as written, refused with any byte changed, gone when a file has
// changed.
#include "libsysvm/run/start.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "libsysvm/run/launch.h"

extern char** environ;

namespace sysvm {
namespace {

Start sample() {
  Start s;
  s.key = std::string("key\0with zeros", 14);
  s.fault = kStale;
  s.message = "made for another build";
  s.bundle = "abc.bundle";
  s.library = "/usr/lib/sysvm/libsysvm-preload.so";
  s.watched = {{"/bin/true", {1, 2, 3, 4, 5}}, {"/not/there", {}}};
  return s;
}

TEST(Start, IsReadAsWritten) {
  const Start s = sample();
  const auto back = unpack_start(pack_start(s));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->key, s.key);
  EXPECT_EQ(back->fault, s.fault);
  EXPECT_EQ(back->message, s.message);
  EXPECT_EQ(back->bundle, s.bundle);
  EXPECT_EQ(back->library, s.library);
  ASSERT_EQ(back->watched.size(), 2u);
  EXPECT_EQ(back->watched[0].path, "/bin/true");
  EXPECT_EQ(back->watched[0].state, s.watched[0].state);
}

TEST(Start, IsRefusedWithAnyByteChangedCutOrAdded) {
  const std::string good = pack_start(sample());
  for (size_t i = 0; i < good.size(); ++i)
    for (const int bit : {0, 7}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ 1 << bit);
      EXPECT_FALSE(unpack_start(bad)) << "byte " << i << " bit " << bit;
    }
  for (size_t n = 0; n < good.size(); ++n) EXPECT_FALSE(unpack_start(good.substr(0, n))) << n;
  EXPECT_FALSE(unpack_start(good + '\0'));
}

// Its bundle is opened by name in the private folder: a name with a way out of it is none.
TEST(Start, IsRefusedWithABundleElsewhere) {
  Start s = sample();
  s.bundle = "../elsewhere";
  EXPECT_FALSE(unpack_start(pack_start(s)));
}

TEST(Start, DoesNotHoldWhenAFileHasChanged) {
  std::string folder = ::testing::TempDir() + "/start-XXXXXX";
  ASSERT_TRUE(mkdtemp(folder.data()));
  const std::string path = folder + "/file", other = folder + "/absent";
  std::ofstream(path) << "one";
  Start s;
  s.watched = {{path, identity_of(path.c_str())}, {other, identity_of(other.c_str())}};
  EXPECT_TRUE(still_holds(s));
  std::ofstream(other) << "appeared";
  EXPECT_FALSE(still_holds(s)) << "a file that was not there";
  std::filesystem::remove(other);
  EXPECT_TRUE(still_holds(s));
  // Same size, and its old time back: only the time of change is another.
  struct stat before;
  ASSERT_EQ(stat(path.c_str(), &before), 0);
  usleep(20'000);  // the clock of file times ticks at least every 10 ms
  std::ofstream(path) << "two";
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  EXPECT_EQ(identity_of(path.c_str()).mtime_ns, s.watched[0].state.mtime_ns);
  EXPECT_FALSE(still_holds(s)) << "its contents";
  std::filesystem::remove_all(folder);
}

TEST(Start, HasAKeyForEverythingThatDecidesIt) {
  std::set<std::string> keys;
  ShimOptions o;
  const auto add = [&](const char* what) {
    EXPECT_TRUE(keys.insert(start_key(o, "/bin/true", "/usr")).second) << what;
  };
  add("as it is");
  o.strict = true, add("strict");
  o.relaxed_age = true, add("relaxed");
  o.allow_seccomp = true, add("seccomp");
  o.symbols = true, add("symbols");
  o.age_ms = 11, add("age");
  o.engine = SYSVM_ENGINE_USER, add("engine");
  o.procedures = "/x.svp", add("procedures");
  EXPECT_TRUE(keys.insert(start_key(o, "/bin/false", "/usr")).second) << "command";
  EXPECT_TRUE(keys.insert(start_key(o, "/bin/true", "/usr/local")).second) << "prefix";
  setenv("LD_LIBRARY_PATH", "/somewhere", 1);
  add("the loader's folders");
  unsetenv("LD_LIBRARY_PATH");
}

class EnvironmentTest : public ::testing::Test {
 protected:
  std::vector<std::string> with(std::vector<std::string> variables) {
    std::vector<char*> pointers;
    for (std::string& v : variables) pointers.push_back(v.data());
    pointers.push_back(nullptr);
    char** const before = environ;
    environ = pointers.data();
    const std::vector<std::string> out = Environment("/ours.so", "/b").strings();
    plain_ = Environment("", "").strings();
    environ = before;
    return out;
  }
  std::vector<std::string> plain_;
  const std::string ours_ = "SYSVM_BUNDLE=/b\n/ours.so";
};

TEST_F(EnvironmentTest, KeepsTheOrderAndOtherLibrariesFirst) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(with({"A=1", "B=2"}), (Words{"A=1", "B=2", "LD_PRELOAD=/ours.so", ours_}));
  EXPECT_EQ(plain_, (Words{"A=1", "B=2"}));
  EXPECT_EQ(with({"A=1", "LD_PRELOAD=/x.so", "B=2"}),
            (Words{"A=1", "LD_PRELOAD=/x.so:/ours.so", "B=2", "SYSVM_BUNDLE=", ours_}));
  EXPECT_EQ(plain_, (Words{"A=1", "LD_PRELOAD=/x.so", "B=2"}));
  EXPECT_EQ(with({"SYSVM_BUNDLE=/old\n/old.so", "A=1"}), (Words{"A=1", "LD_PRELOAD=/ours.so", ours_}));
  EXPECT_EQ(with({"LD_PRELOAD="}), (Words{"LD_PRELOAD=:/ours.so", "SYSVM_BUNDLE=", ours_}));
  EXPECT_EQ(with({}), (Words{"LD_PRELOAD=/ours.so", ours_}));
}

}  // namespace
}  // namespace sysvm
