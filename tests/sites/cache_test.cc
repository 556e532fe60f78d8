// SPDX-License-Identifier: MIT
// The cache of analyses: private, checked, and never a reason to fail.
#include "libsysvm/sites/cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace sysvm {
namespace {

namespace fs = std::filesystem;

class Cache : public ::testing::Test {
 protected:
  Cache() {
    root_ = ::testing::TempDir() + "/cache-XXXXXX";
    (void)mkdtemp(root_.data());
  }
  ~Cache() override { fs::remove_all(root_); }

  std::string folder() const { return root_ + "/sysvm/sites"; }
  std::string kept_file() const {
    for (const auto& e : fs::directory_iterator(folder())) return e.path();
    return "";
  }
  std::string kept_name() const { return fs::path(kept_file()).filename(); }

  std::string root_;
};

constexpr char kLoader[] = "/lib64/ld-linux-x86-64.so.2";

TEST_F(Cache, KeepsAnAnalysisPrivately) {
  const SiteCache cache(folder());
  const auto first = cache.get(kLoader);
  ASSERT_TRUE(first) << first.message();
  struct stat st;
  ASSERT_EQ(stat(folder().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0700u);
  ASSERT_EQ(stat(kept_file().c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600u);
  const auto all = cache.all();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].path, kLoader);
  ASSERT_EQ(all[0].sites.size(), (*first).sites.size());
  EXPECT_EQ(
      0, std::memcmp(all[0].sites.data(), (*first).sites.data(), all[0].sites.size() * sizeof(sysvm_site)));
}

TEST_F(Cache, TakesADamagedFileForAbsent) {
  const SiteCache cache(folder());
  ASSERT_TRUE(cache.get(kLoader));
  const std::string file = kept_file();
  std::ifstream in(file, std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  for (size_t i = 0; i < good.size(); i += good.size() / 50) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    std::ofstream(file, std::ios::binary) << bad;
    EXPECT_FALSE(cache.load(kept_name())) << "byte " << i;
  }
  std::ofstream(file, std::ios::binary) << good.substr(0, good.size() / 2);
  EXPECT_FALSE(cache.load(kept_name())) << "cut";
  ASSERT_TRUE(cache.get(kLoader));
  EXPECT_TRUE(cache.load(kept_name())) << "made again";
}

TEST_F(Cache, DoesNotTrustAFileThatOthersCanWrite) {
  const SiteCache cache(folder());
  ASSERT_TRUE(cache.get(kLoader));
  chmod(kept_file().c_str(), 0666);
  EXPECT_FALSE(cache.load(kept_name()));
}

TEST_F(Cache, DoesNotTrustAFileOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  const SiteCache cache(folder());
  ASSERT_TRUE(cache.get(kLoader));
  ASSERT_EQ(chown(kept_file().c_str(), 65534, 65534), 0);
  EXPECT_FALSE(cache.load(kept_name()));
  EXPECT_TRUE(cache.all().empty());
}

TEST_F(Cache, RemovesWhatAKilledRunLeft) {
  ASSERT_TRUE(SiteCache(folder()).get(kLoader));
  for (const char* name : {"/.new-1-0", "/.new-2-0"}) std::ofstream(folder() + name) << "part";
  fs::last_write_time(folder() + "/.new-1-0", fs::file_time_type::clock::now() - std::chrono::hours(48));
  EXPECT_EQ(SiteCache(folder()).all().size(), 1u);
  EXPECT_FALSE(fs::exists(folder() + "/.new-1-0"));
  EXPECT_TRUE(fs::exists(folder() + "/.new-2-0")) << "somebody may be writing it";
}

// An analysis is given to nobody once its file is another one; it goes when it is old.
TEST_F(Cache, ForgetsFilesThatHaveChanged) {
  const std::string object = root_ + "/object";
  fs::copy_file(kLoader, object);
  ASSERT_TRUE(SiteCache(folder()).get(object));
  ASSERT_EQ(SiteCache(folder()).all().size(), 1u);
  std::ofstream(object, std::ios::app) << "x";
  EXPECT_TRUE(SiteCache(folder()).all().empty());
  EXPECT_TRUE(fs::exists(kept_file()));
  fs::last_write_time(kept_file(), fs::file_time_type::clock::now() - std::chrono::hours(24 * 40));
  EXPECT_TRUE(SiteCache(folder()).all().empty());
  EXPECT_EQ(kept_file(), "");
}

TEST_F(Cache, DoesNotUseAFolderThatOthersCanWrite) {
  ASSERT_TRUE(SiteCache(folder()).get(kLoader));
  for (const std::string& part : {folder(), root_ + "/sysvm"}) {
    chmod(part.c_str(), 0770);
    EXPECT_TRUE(SiteCache(folder()).all().empty()) << part;
    EXPECT_TRUE(SiteCache(folder()).get(kLoader)) << part;
    chmod(part.c_str(), 0700);
  }
  chmod(root_.c_str(), 0777);  // without the sticky bit: others can put another folder in its place
  EXPECT_TRUE(SiteCache(folder()).all().empty());
  chmod(root_.c_str(), 0700);
  EXPECT_EQ(SiteCache(folder()).all().size(), 1u);
}

TEST_F(Cache, FollowsNoLinkToAFolderOrAFile) {
  ASSERT_TRUE(SiteCache(folder()).get(kLoader));
  const std::string file = kept_file(), name = kept_name();
  fs::rename(file, root_ + "/moved");
  fs::create_symlink(root_ + "/moved", file);
  EXPECT_FALSE(SiteCache(folder()).load(name));
  fs::remove(file);
  fs::rename(root_ + "/moved", file);
  ASSERT_TRUE(SiteCache(folder()).load(name));
  fs::rename(folder(), root_ + "/sites");
  fs::create_directory_symlink(root_ + "/sites", folder());
  EXPECT_FALSE(SiteCache(folder()).load(name));
}

TEST_F(Cache, WorksWithoutAPlaceToKeepAnything) {
  const SiteCache cache("");
  EXPECT_TRUE(cache.get(kLoader));
  const SiteCache nowhere("/proc/nowhere/at/all");
  EXPECT_TRUE(nowhere.get(kLoader));
}

}  // namespace
}  // namespace sysvm
