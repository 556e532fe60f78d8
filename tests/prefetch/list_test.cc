// SPDX-License-Identifier: MIT
// Lists of paths, as the words of a command line and the lists of a procedure file give them to the walk:
// what they name may be anything. Each test fails without the rule that it is named after.
#include <string>
#include <vector>

#include "walk_tree.h"

namespace {

walk_item item(walk_kind kind, const std::string& name, uint64_t length = 4096) {
  return {kind, name.c_str(), 0, kind == WALK_FILE ? length : 0, false, 0, 0, 0};
}

// As it is now.
walk_item checked(const std::string& folder, const std::string& name) {
  struct stat st {};
  EXPECT_EQ(::stat((folder + "/" + name).c_str(), &st), 0);
  return {WALK_FILE,
          name.c_str(),
          0,
          4096,
          true,
          static_cast<uint64_t>(st.st_size),
          st.st_mtim.tv_sec,
          static_cast<uint32_t>(st.st_mtim.tv_nsec)};
}

class List : public Tree {
 protected:
  Done read_ahead(const std::vector<walk_item>& items, walk_atime atime = WALK_ATIME_RELATIVE,
                  const std::function<void(struct walk*)>& prepare = {}) const {
    const int fd = ::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    const Done done = walk_only([&](struct walk* w) {
      if (prepare) prepare(w);
      EXPECT_EQ(walk_list(w, fd, atime, items.data(), static_cast<unsigned>(items.size())), items.size());
    });
    ::close(fd);
    EXPECT_TRUE(done.ended);
    EXPECT_EQ(done.stats.listed, items.size());
    return done;
  }
};

TEST_F(List, OnlyRegularFilesAreOpened) {
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0600), 0);
  ASSERT_EQ(::symlink("behind", at("link").c_str()), 0);
  folder("folder");
  file("behind");
  file("file");
  const Watch fifo(at("fifo")), behind(at("behind")), inside(at("folder"));
  const Watch file_watch(at("file"));
  const std::vector<std::string> names{"fifo", "link", "folder", "/dev/null", "file", "not there"};
  std::vector<walk_item> items;
  for (const std::string& name : names) items.push_back(item(WALK_FILE, name));
  const Done done = read_ahead(items);
  EXPECT_EQ(done.stats.files, 1u);
  EXPECT_EQ(fifo.events() + behind.events() + inside.events(), 0);
  EXPECT_GT(file_watch.events(), 0);
}

TEST_F(List, OnlyDirectoriesAreReadForTheirDirents) {
  ASSERT_EQ(::mkfifo(at("fifo").c_str(), 0600), 0);
  folder("behind");
  ASSERT_EQ(::symlink("behind", at("link").c_str()), 0);
  folder("folder");
  file("file");
  const Watch fifo(at("fifo")), behind(at("behind")), file_watch(at("file")), inside(at("folder"));
  const std::vector<std::string> names{"fifo", "link", "folder", "file", "/proc", "not there"};
  std::vector<walk_item> items;
  for (const std::string& name : names) items.push_back(item(WALK_DIRENTS, name));
  EXPECT_EQ(read_ahead(items).stats.directories, 1u);
  EXPECT_EQ(fifo.events() + behind.events() + file_watch.events(), 0);
  EXPECT_GT(inside.events(), 0);
}

TEST_F(List, WhatIsOnlyLookedAtIsNotOpened) {
  folder("folder");
  file("file");
  const Watch file_watch(at("file")), inside(at("folder"));
  const std::vector<std::string> names{"folder", "file", "not there", "/dev/null"};
  std::vector<walk_item> items;
  for (const std::string& name : names) items.push_back(item(WALK_NAME, name));
  const Done done = read_ahead(items);
  EXPECT_EQ(done.stats.files + done.stats.directories, 0u);
  EXPECT_EQ(file_watch.events() + inside.events(), 0);
}

TEST_F(List, AFileThatIsNotWhatItWasIsLeftAlone) {
  file("same");
  file("longer");
  file("newer");
  const std::string same = "same", longer = "longer", newer = "newer";
  const std::vector<walk_item> items{checked(root_, same), checked(root_, longer), checked(root_, newer)};
  file("longer", 20000);
  set_times(at("longer"), 1000, items[1].mtime);  // to the second as it was
  set_times(at("newer"), 1000, 2000);
  const Watch longer_watch(at("longer")), newer_watch(at("newer"));
  const Done done = read_ahead(items);
  EXPECT_EQ(done.stats.files, 1u);
  EXPECT_EQ(done.stats.changed, 2u);
  EXPECT_EQ(done.stats.bytes, 4096u);
  EXPECT_EQ(longer_watch.events() + newer_watch.events(), 0);
}

TEST_F(List, NoAtimeMoves) {
  folder("folder");
  file("file");
  for (const char* name : {"folder", "file"}) set_times(at(name), 1000, 2000);
  const timespec before = atime_of(at("folder")), of_file = atime_of(at("file"));
  const std::string folder_name = "folder", file_name = "file";
  read_ahead({item(WALK_DIRENTS, folder_name), item(WALK_FILE, file_name)});
  EXPECT_EQ(atime_of(at("folder")).tv_sec, before.tv_sec);
  EXPECT_EQ(atime_of(at("file")).tv_sec, of_file.tv_sec);
}

TEST_F(List, WithALeaseSomewhereNoFileIsRead) {
  file("file");
  const Watch watch(at("file"));
  const std::string name = "file";
  const Done done = read_ahead({item(WALK_FILE, name)}, WALK_ATIME_RELATIVE,
                               [](struct walk* w) { walk_leases(w, nullptr, 0, true); });
  EXPECT_EQ(done.stats.files, 0u);
  EXPECT_EQ(watch.events(), 0);
}

TEST_F(List, WhatDoesNotFitIsLeftToTheCaller) {
  const std::string name(3000, 'n');
  const std::vector<walk_item> items(30, item(WALK_NAME, name));
  const int fd = ::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  const Done done = walk_only([&](struct walk* w) {
    const unsigned taken = walk_list(w, fd, WALK_ATIME_RELATIVE, items.data(), 30);
    EXPECT_GT(taken, 5u);
    EXPECT_LT(taken, 30u);
  });
  EXPECT_TRUE(done.ended);
  ::close(fd);
}

}  // namespace
