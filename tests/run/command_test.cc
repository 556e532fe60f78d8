// SPDX-License-Identifier: MIT
// Which commands can run under the shim, and the words for those that cannot.
#include "libsysvm/run/command.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace sysvm {
namespace {

class CommandTest : public ::testing::Test {
 protected:
  CommandTest() {
    folder_ = ::testing::TempDir() + "/command-XXXXXX";
    (void)mkdtemp(folder_.data());
  }
  ~CommandTest() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text, int mode) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    chmod(path.c_str(), static_cast<mode_t>(mode));
    return path;
  }
  std::string folder_;
};

TEST_F(CommandTest, FindsAProgramByPath) {
  const auto found = find_command("env");
  ASSERT_TRUE(std::holds_alternative<FoundCommand>(found));
  EXPECT_EQ(std::get<FoundCommand>(found).plain, "");
  EXPECT_EQ(std::get<FoundCommand>(found).loader, "/lib64/ld-linux-x86-64.so.2");
}

TEST_F(CommandTest, SaysWhyACommandCannotBeRun) {
  const std::string data = write("data", "x", 0644);
  const struct {
    std::string word;
    int code;
  } cases[] = {
      {"nonexistent-command", 127}, {folder_ + "/none", 127}, {"", 127}, {folder_, 126}, {data, 126}};
  for (const auto& c : cases) {
    const auto found = find_command(c.word);
    ASSERT_TRUE(std::holds_alternative<CommandError>(found)) << c.word;
    EXPECT_EQ(std::get<CommandError>(found).exit_code, c.code) << c.word;
  }
}

TEST_F(CommandTest, LooksAtAScriptsInterpreter) {
  const auto found = find_command(write("script", "#! /bin/sh -e\ntrue\n", 0755));
  ASSERT_TRUE(std::holds_alternative<FoundCommand>(found));
  EXPECT_EQ(std::get<FoundCommand>(found).program, "/bin/sh");
  EXPECT_EQ(std::get<FoundCommand>(found).plain, "");
}

TEST_F(CommandTest, KnowsWhatHasToRunPlainly) {
  std::ifstream in("/usr/bin/env", std::ios::binary);
  std::string env((std::istreambuf_iterator<char>(in)), {});
  const auto plain = [&](const std::string& path) {
    return std::get<FoundCommand>(find_command(path)).plain;
  };
  EXPECT_EQ(plain(write("setuid", env, 04755)), "setuid or setgid");
  std::string narrow = env;
  narrow[4] = 1;  // ELFCLASS32
  EXPECT_EQ(plain(write("narrow", narrow, 0755)), "not a 64-bit x86 program");
  std::string other = env;
  const std::string loader = "/lib64/ld-linux-x86-64.so.2";
  other.replace(other.find(loader), loader.size(),
                std::string("/lib/ld-musl-x86_64.so.1\0\0\0", loader.size()));
  EXPECT_NE(plain(write("musl", other, 0755)).find("loaded by /lib/ld-musl-x86_64.so.1"), std::string::npos);
}

TEST_F(CommandTest, ListsWhatTheLoaderWouldMap) {
  const auto objects = loaded_objects(std::get<FoundCommand>(find_command("env")));
  const auto has = [&](const std::string& part) {
    return std::any_of(objects.begin(), objects.end(),
                       [&](const auto& o) { return o.find(part) != std::string::npos; });
  };
  EXPECT_TRUE(has("/env"));
  EXPECT_TRUE(has("ld-linux-x86-64"));
  EXPECT_TRUE(has("libc.so.6"));
}

}  // namespace
}  // namespace sysvm
