// SPDX-License-Identifier: MIT
#include "libsysvm/run/start.h"

#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace sysvm {
namespace {

constexpr uint32_t kVersion = 2;  // raise with every change of Start or of what a bundle holds
constexpr size_t kSizeMax = 1u << 20;
constexpr size_t kWatchedMax = 4096;

struct Head {
  char magic[8];
  uint64_t checksum, second_checksum;
  uint32_t version, fault;
};

class Writer {
 public:
  void number(uint64_t v) { out.append(reinterpret_cast<const char*>(&v), sizeof v); }
  void text(std::string_view t) {
    number(t.size());
    out.append(t);
  }
  std::string out;
};

class Reader {
 public:
  explicit Reader(std::string_view in) : in_(in) {}
  uint64_t number() {
    uint64_t v = 0;
    if (in_.size() < sizeof v) return good = false, 0;
    std::memcpy(&v, in_.data(), sizeof v);
    in_.remove_prefix(sizeof v);
    return v;
  }
  std::string text() {
    const uint64_t n = number();
    if (n > in_.size()) return good = false, "";
    std::string out(in_.substr(0, n));
    in_.remove_prefix(n);
    return out;
  }
  bool at_end() const { return in_.empty(); }
  bool good = true;

 private:
  std::string_view in_;
};

}  // namespace

uint64_t hash_of(std::string_view bytes, uint64_t start) {
  uint64_t h = 0xcbf29ce484222325u ^ start;
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t w;
    std::memcpy(&w, bytes.data() + i, sizeof w);
    h = ((h << 27 | h >> 37) ^ w) * 0x100000001b3u;
    h ^= h >> 29;
  }
  for (; i < bytes.size(); ++i)
    h = ((h << 27 | h >> 37) ^ static_cast<unsigned char>(bytes[i])) * 0x100000001b3u;
  h = (h ^ h >> 32) * 0x9e3779b97f4a7c15u;
  return h ^ h >> 29;
}

std::string hex_name(std::string_view bytes) {
  char name[40];
  std::snprintf(name, sizeof name, "%016llx%016llx", static_cast<unsigned long long>(hash_of(bytes)),
                static_cast<unsigned long long>(hash_of(bytes, 0x5bd1e995)));
  return name;
}

std::string start_name(std::string_view key) { return hex_name(key) + ".start"; }

std::string absolute_path(const std::string& path) {
  char folder[PATH_MAX];
  if (path.empty() || path[0] == '/' || !::getcwd(folder, sizeof folder)) return path;
  return std::string(folder) + "/" + path;
}

std::string install_prefix() {
  char link[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", link, sizeof link);
  if (n <= 0 || n == sizeof link) return "";
  std::string path(link, static_cast<size_t>(n));
  const auto up = [&] {
    path.resize(path.find_last_of('/') == std::string::npos ? 0 : path.find_last_of('/'));
  };
  up();  // the program's name
  if (path.ends_with("/libexec/sysvm")) up();
  up();
  return path;
}

std::string start_key(const ShimOptions& o, const std::string& command, const std::string& prefix) {
  Writer key;
  key.number(kVersion);
  key.number(static_cast<uint64_t>(o.engine));
  // Whether it pays depends on the engine that there is.
  key.number(o.engine == SYSVM_ENGINE_AUTO && ::access("/dev/sysvm", R_OK | W_OK) == 0);
  key.number(o.age_ms);
  key.number(o.strict | o.relaxed_age << 1 | o.allow_seccomp << 2 | o.symbols << 3);
  key.text(absolute_path(o.procedures));
  key.text(absolute_path(command));
  key.text(prefix);
  for (const char* name : {"LD_LIBRARY_PATH", "LD_PRELOAD"}) {
    const char* value = std::getenv(name);
    key.number(value != nullptr);
    key.text(value ? value : "");
    // What is relative in it depends on the working folder.
    if (value && *value && value[0] != '/') key.text(absolute_path("."));
  }
  return key.out;
}

std::string pack_start(const Start& start) {
  Writer to;
  Head head{{}, 0, 0, kVersion, start.fault};
  kStartMagic.copy(head.magic, sizeof head.magic);
  to.out.append(reinterpret_cast<const char*>(&head), sizeof head);
  to.text(start.key);
  to.text(start.message);
  to.text(start.bundle);
  to.text(start.library);
  to.number(start.watched.size());
  for (const WatchedFile& w : start.watched) {
    to.text(w.path);
    for (const uint64_t v : {w.state.dev, w.state.ino, w.state.size, w.state.mtime_ns, w.state.ctime_ns})
      to.number(v);
  }
  head.checksum = hash_of(to.out);
  head.second_checksum = hash_of(to.out, 1);
  std::memcpy(to.out.data(), &head, sizeof head);
  return to.out;
}

std::optional<Start> unpack_start(std::string_view bytes) {
  Head head;
  if (bytes.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, bytes.data(), sizeof head);
  if (std::string_view(head.magic, sizeof head.magic) != kStartMagic || head.version != kVersion)
    return std::nullopt;
  std::string copy(bytes);
  Head empty = head;
  empty.checksum = empty.second_checksum = 0;
  std::memcpy(copy.data(), &empty, sizeof empty);
  if (head.checksum != hash_of(copy) || head.second_checksum != hash_of(copy, 1)) return std::nullopt;
  Reader from(bytes.substr(sizeof head));
  Start out;
  out.fault = head.fault;
  out.key = from.text();
  out.message = from.text();
  out.bundle = from.text();
  out.library = from.text();
  const uint64_t n = from.number();
  if (!from.good || n > kWatchedMax) return std::nullopt;
  for (uint64_t i = 0; i < n; ++i) {
    WatchedFile w;
    w.path = from.text();
    for (uint64_t* v : {&w.state.dev, &w.state.ino, &w.state.size, &w.state.mtime_ns, &w.state.ctime_ns})
      *v = from.number();
    out.watched.push_back(std::move(w));
  }
  if (!from.good || !from.at_end() || out.bundle.find('/') != std::string::npos) return std::nullopt;
  return out;
}

bool still_holds(const Start& start) {
  for (const WatchedFile& w : start.watched)
    if (!(identity_of(w.path.c_str()) == w.state)) return false;
  return true;
}

std::optional<Start> kept_start(const PrivateFolder& folder, const std::string& key) {
  std::string bytes;
  if (!folder || !folder.read(start_name(key).c_str(), kSizeMax, bytes)) return std::nullopt;
  std::optional<Start> start = unpack_start(bytes);
  if (!start || start->key != key || !still_holds(*start)) return std::nullopt;
  return start;
}

}  // namespace sysvm
