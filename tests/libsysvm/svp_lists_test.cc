// SPDX-License-Identifier: MIT
// Lists in a procedure file: each rule of docs/svp-format.md that a list, an item or a path can break, and
// that what was written comes back, as bytes and as text.
#include "procedures/svp_lists.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "libsysvm/run/bundle.h"
#include "procedures/reader.h"
#include "procedures/text.h"
#include "procedures/writer.h"

namespace sysvm {
namespace {

ProcedureFile good() {
  ProcedureFile file;
  PrefetchList list{"python3.11", "ab12", 0x1234, 2, 81200000, {}};
  list.items.push_back({SVP_ITEM_NAME, "/etc/ld.so.preload", 0, 0, 0, 0, 0});
  list.items.push_back({SVP_ITEM_FILE, "lib/abc \"x\".py", 4096, 2426, 6522, 1700000000, 123456789});
  list.items.push_back({SVP_ITEM_DIRECTORY, "/usr/lib/python3.11", 0, 0, 0, 0, 0});
  file.lists = {list, list};
  file.lists[1].items[1].mtime = -7;
  return file;
}

std::vector<uint8_t> bytes_of(const ProcedureFile& file) {
  const Result<std::vector<uint8_t>> bytes = write_svp(file);
  EXPECT_TRUE(bytes) << bytes.message();
  return bytes ? *bytes : std::vector<uint8_t>();
}

bool same(const ProcedureFile& a, const ProcedureFile& b) { return bytes_of(a) == bytes_of(b); }

TEST(SvpLists, ComeBackAsTheyWereWritten) {
  const Result<ProcedureFile> back = read_svp(bytes_of(good()));
  ASSERT_TRUE(back) << back.message();
  ASSERT_EQ(back->lists.size(), 2u);
  EXPECT_EQ(back->lists[1].items[1].path, "lib/abc \"x\".py");
  EXPECT_EQ(back->lists[1].items[1].mtime, -7);
  EXPECT_EQ(back->lists[0].waited_ns, 81200000u);
  EXPECT_TRUE(same(good(), *back));
}

TEST(SvpLists, ComeBackFromText) {
  const std::string text = to_text(good());
  EXPECT_NE(text.find("list \"python3.11\" prefetch {"), std::string::npos) << text;
  EXPECT_NE(text.find("4096+2426 of 6522 modified 1700000000.123456789"), std::string::npos) << text;
  const Result<ProcedureFile> back = from_text(text, "text");
  ASSERT_TRUE(back) << back.message();
  EXPECT_TRUE(same(good(), *back));
}

TEST(SvpLists, BrokenTextIsNamedByItsLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"list \"a\" fuse {\n}\n", "text:1: expected 'prefetch'"},
      {"list \"a\" prefetch {\n name \"/x\"\n", "text:2: list \"a\" has no closing"},
      {"list \"a\" prefetch {\n trigger x\n}\n", "text:2: 'trigger': expected seen"},
      {"list \"a\" prefetch {\n file \"/x\" 0+1\n}\n", "text:2: expected 'of '"},
      {"list \"a\" prefetch {\n name \"/x\" 7\n}\n", "text:2: '7' was not expected"},
  };
  for (const auto& [text, message] : cases) {
    const Result<ProcedureFile> file = from_text(text, "text");
    ASSERT_FALSE(file) << text;
    EXPECT_NE(file.message().find(message), std::string::npos) << file.message();
  }
}

// A file with one thing changed, its checksums made right again.
std::string refusal(const std::function<void(uint8_t* lists, uint8_t* items, uint8_t* paths)>& change) {
  const std::vector<uint8_t> bytes = bytes_of(good());
  std::vector<uint64_t> words((bytes.size() + 7) / 8);
  auto* base = reinterpret_cast<uint8_t*>(words.data());
  std::memcpy(base, bytes.data(), bytes.size());
  auto* head = reinterpret_cast<svp_header*>(base);
  auto* table = reinterpret_cast<svp_section*>(head + 1);
  uint8_t* part[3] = {};
  for (uint32_t i = 0; i < head->sections; ++i)
    if (table[i].kind >= SVP_LISTS && table[i].kind <= SVP_PATHS)
      part[table[i].kind - SVP_LISTS] = base + table[i].offset;
  change(part[0], part[1], part[2]);
  for (uint32_t i = 0; i < head->sections; ++i)
    table[i].checksum = svp_checksum(base + table[i].offset, table[i].size, SVP_CHECKSUM_START);
  head->checksum = 0;
  head->checksum = svp_checksum(table, head->sections * sizeof *table,
                                svp_checksum(head, sizeof *head, SVP_CHECKSUM_START));
  svp view;
  char message[256];
  return svp_check(base, bytes.size(), &view, message, sizeof message) ? message : "";
}

TEST(SvpLists, BrokenRulesAreNamed) {
  using List = svp_list;
  using Item = svp_item;
  const struct {
    std::function<void(List*, Item*, char*)> change;
    const char* message;
  } cases[] = {
      {[](List*, Item*, char*) {}, ""},
      {[](List* l, Item*, char*) { l[0].name = 1 << 20; }, "list 0: its name"},
      {[](List* l, Item*, char*) { l[1].reserved = 1; }, "list 1: reserved"},
      {[](List* l, Item*, char*) { l[1].first_item = 2; }, "list 1: its items do not follow"},
      {[](List* l, Item*, char*) { l[1].items = 4; }, "list 1: its items do not follow those of the list"},
      {[](List* l, Item*, char*) { l[1].items = 2; }, "nothing that belongs to no list"},
      {[](List* l, Item*, char*) { l[0].exe.build_id_len = 21; }, "list 0: the executable"},
      {[](List* l, Item*, char*) { l[0].exe.build_id[19] = 1; }, "list 0: the executable"},
      {[](List* l, Item*, char*) { l[0].exe.offset = 1; }, "list 0: the executable"},
      {[](List*, Item* i, char*) { i[2].path++; }, "item 2: its path does not follow"},
      {[](List*, Item*, char* p) { p[0] = 0; }, "item 0: its path is empty"},
      {[](List*, Item* i, char*) { i[0].kind = 0; }, "item 0: unknown kind"},
      {[](List*, Item* i, char*) { i[0].kind = 4; }, "item 0: unknown kind"},
      {[](List*, Item* i, char*) { i[1].reserved = 1; }, "item 1: a reserved field"},
      {[](List*, Item* i, char*) { i[1].mtime_ns = 1000000000; }, "item 1: a reserved field"},
      {[](List*, Item* i, char*) { i[0].length = 1; }, "item 0: a field that its kind does not use"},
      {[](List*, Item* i, char*) { i[2].size = 1; }, "item 2: a field that its kind does not use"},
      {[](List*, Item* i, char*) { i[1].length = 0; }, "item 1: its part is empty"},
      {[](List*, Item* i, char*) { i[1].length = 2427; }, "item 1: its part is empty, too long, or past"},
      {[](List*, Item* i, char*) { i[1].from = ~0ull; }, "item 1: its part is empty, too long, or past"},
      {[](List*, Item* i, char*) { i[1].size = ~0ull, i[1].length = SVP_LENGTH_MAX + 1; },
       "item 1: its part is empty, too long"},
  };
  for (const auto& c : cases) {
    const std::string message = refusal([&](uint8_t* lists, uint8_t* items, uint8_t* paths) {
      c.change(reinterpret_cast<List*>(lists), reinterpret_cast<Item*>(items),
               reinterpret_cast<char*>(paths));
    });
    if (*c.message)
      EXPECT_NE(message.find(c.message), std::string::npos) << message << "\nexpected: " << c.message;
    else
      EXPECT_EQ(message, "");
  }
}

TEST(SvpLists, TooManyAreRefused) {
  ProcedureFile file;
  file.lists.assign(SVP_MAX_LISTS + 1, {"x", "", 0, 1, 0, {}});
  Result<std::vector<uint8_t>> bytes = write_svp(file);
  ASSERT_FALSE(bytes);
  EXPECT_NE(bytes.message().find("lists: 65, expected at most 64"), std::string::npos) << bytes.message();
  file.lists.resize(1);
  file.lists[0].items.assign(SVP_MAX_ITEMS + 1, {SVP_ITEM_NAME, "x", 0, 0, 0, 0, 0});
  bytes = write_svp(file);
  ASSERT_FALSE(bytes);
  EXPECT_NE(bytes.message().find("items of lists: 65537"), std::string::npos) << bytes.message();
  file.lists[0].items.assign(1, {SVP_ITEM_NAME, std::string(SVP_PATH_MAX, 'x'), 0, 0, 0, 0, 0});
  EXPECT_FALSE(write_svp(file));
  file.lists[0].items[0].path = std::string("a\0b", 3);
  EXPECT_FALSE(write_svp(file));
}

TEST(SvpLists, TheProcessesDoNotGetThem) {
  const std::vector<uint8_t> bytes = bytes_of(good());
  const std::string rest = svp_without_notes(std::string(bytes.begin(), bytes.end()));
  const Result<ProcedureFile> file = read_svp({reinterpret_cast<const uint8_t*>(rest.data()), rest.size()});
  ASSERT_TRUE(file) << file.message();
  EXPECT_TRUE(file->lists.empty());
  EXPECT_EQ(rest.find("python3.11/"), std::string::npos);
  EXPECT_LT(rest.size(), bytes.size());
}

}  // namespace
}  // namespace sysvm
