// SPDX-License-Identifier: MIT
// The shim's bundle: what make_bundle writes is accepted, and nothing else.
#include "libsysvm/run/bundle.h"

#include <gtest/gtest.h>

#include <cstring>

#include "libsysvm/run/memory.h"
#include "libsysvm/shim/bundle/bundle_check.h"

namespace sysvm {
namespace {

std::string sample() {
  BundleInput input;
  input.svp = "not checked here";
  input.stats_path = "/tmp/x/stats";
  input.library_path = "/usr/lib/sysvm/libsysvm-preload.so";
  input.bundle_path = "/tmp/x/bundle";
  Analysis a;
  a.object.verdict = OBJECT_PATCHED;
  a.object.build_id_len = 20;
  sysvm_site site{};
  site.patch = 0x1000;
  site.syscall = 0x1005;
  site.expect_len = 7;
  site.code_len = 5;
  a.sites.push_back(site);
  site.flags = SITE_LEFT;
  a.sites.push_back(site);
  a.object.sites = 2;
  input.objects = {a, a};
  return make_bundle(input);
}

bool valid(const std::string& bytes) {
  std::vector<uint64_t> aligned(bytes.size() / 8 + 1);
  std::memcpy(aligned.data(), bytes.data(), bytes.size());
  return bundle_is_valid(reinterpret_cast<const sysvm_bundle*>(aligned.data()), bytes.size());
}

TEST(Bundle, IsAcceptedAsWritten) {
  const std::string bytes = sample();
  ASSERT_TRUE(valid(bytes));
  sysvm_bundle head;
  std::memcpy(&head, bytes.data(), sizeof head);
  EXPECT_EQ(head.objects, 2u);
  EXPECT_EQ(head.sites, 4u);
  const auto* objects = reinterpret_cast<const sysvm_object*>(bytes.data() + head.objects_offset);
  EXPECT_EQ(objects[1].first_site, 2u);
}

// A kept bundle becomes one that counts: only its two paths and the checksum differ.
TEST(Bundle, IsAcceptedInAnotherPlace) {
  std::string bytes = sample();
  ASSERT_TRUE(place_bundle(bytes, "/proc/1/fd/7", "/proc/1/fd/8"));
  ASSERT_TRUE(valid(bytes));
  sysvm_bundle head;
  std::memcpy(&head, bytes.data(), sizeof head);
  EXPECT_STREQ(head.bundle_path, "/proc/1/fd/7");
  EXPECT_STREQ(head.stats_path, "/proc/1/fd/8");
  EXPECT_FALSE(place_bundle(bytes, std::string(BUNDLE_PATH_MAX, '/'), ""));
  std::string cut = bytes.substr(0, 100);
  EXPECT_FALSE(place_bundle(cut, "/a", "/b"));
}

TEST(Bundle, IsRefusedWithAnyByteFlipped) {
  const std::string bytes = sample();
  for (size_t i = 0; i < bytes.size(); ++i)
    for (const int bit : {0, 7}) {
      std::string bad = bytes;
      bad[i] = static_cast<char>(bad[i] ^ (1 << bit));
      EXPECT_FALSE(valid(bad)) << "byte " << i << " bit " << bit;
    }
}

TEST(Bundle, IsRefusedWhenCut) {
  const std::string bytes = sample();
  for (size_t size = 0; size < bytes.size(); size += 8) EXPECT_FALSE(valid(bytes.substr(0, size))) << size;
}

// A forger can make the checksum right; then the ranges must hold.
TEST(Bundle, IsRefusedWithARangeThatLiesOutside) {
  struct Change {
    const char* name;
    void (*make)(sysvm_bundle*, sysvm_object*, sysvm_site*);
  };
  const Change changes[] = {
      {"objects", [](sysvm_bundle* b, sysvm_object*, sysvm_site*) { b->objects = 1u << 20; }},
      {"objects overflow", [](sysvm_bundle* b, sysvm_object*, sysvm_site*) { b->objects = ~0ull / 8; }},
      {"sites offset", [](sysvm_bundle* b, sysvm_object*, sysvm_site*) { b->sites_offset = ~7ull; }},
      {"svp", [](sysvm_bundle* b, sysvm_object*, sysvm_site*) { b->svp_size = b->file_size + 1; }},
      {"misaligned", [](sysvm_bundle* b, sysvm_object*, sysvm_site*) { b->sites_offset += 4; }},
      {"first site", [](sysvm_bundle*, sysvm_object* o, sysvm_site*) { o->first_site = 5; }},
      {"site count", [](sysvm_bundle*, sysvm_object* o, sysvm_site*) { o->sites = 5; }},
      {"build-id", [](sysvm_bundle*, sysvm_object* o, sysvm_site*) { o->build_id_len = 21; }},
      {"code", [](sysvm_bundle*, sysvm_object*, sysvm_site* s) { s->code_len = SITES_CODE_MAX + 1; }},
      {"expected bytes", [](sysvm_bundle*, sysvm_object*, sysvm_site* s) { s->expect_len = 200; }},
      {"patch after the syscall", [](sysvm_bundle*, sysvm_object*, sysvm_site* s) { s->patch = 0x2000; }},
      {"fix", [](sysvm_bundle*, sysvm_object*, sysvm_site* s) { s->fixes = 1, s->fix[0].at = 40; }},
      {"path without an end", [](sysvm_bundle* b, sysvm_object*,
                                 sysvm_site*) { std::memset(b->stats_path, '/', sizeof b->stats_path); }},
      {"relative path", [](sysvm_bundle* b, sysvm_object*, sysvm_site*) { b->bundle_path[0] = 'x'; }},
  };
  for (const Change& change : changes) {
    std::string bytes = sample();
    auto* head = reinterpret_cast<sysvm_bundle*>(bytes.data());
    change.make(head, reinterpret_cast<sysvm_object*>(bytes.data() + head->objects_offset),
                reinterpret_cast<sysvm_site*>(bytes.data() + head->sites_offset % bytes.size() / 8 * 8));
    head->checksum = bundle_checksum(head, bytes.size());
    EXPECT_FALSE(valid(bytes)) << change.name;
  }
}

}  // namespace
}  // namespace sysvm
