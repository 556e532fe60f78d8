// SPDX-License-Identifier: MIT
#include "libsysvm/sites/cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <filesystem>

namespace sysvm {
namespace {

namespace fs = std::filesystem;

constexpr char kMagic[8] = {'S', 'Y', 'S', 'V', 'M', 'S', 'T', '1'};
constexpr uint32_t kVersion = 8;  // Raise with every change of table.h or of what analyse.cc finds.
constexpr uint64_t kSizeMax = 16u << 20;
// Of a file that is another one now, or damaged: it may be there again from another root, but not for ever.
constexpr time_t kStaleFor = 30 * 24 * 3600;
constexpr size_t kStaleKept = 2000;
constexpr time_t kLeftFor = 24 * 3600;

struct FileHeader {
  char magic[8];
  uint32_t version;
  uint32_t path_size;
  uint64_t checksum;  // FNV-1a of the file with this field 0
  sysvm_object object;
};

uint64_t fnv1a(const std::string& bytes, uint64_t hash = 0xcbf29ce484222325ull) {
  for (const unsigned char c : bytes) hash = (hash ^ c) * 0x100000001b3ull;
  return hash;
}

}  // namespace

SiteCache SiteCache::at_default_place() { return SiteCache(PrivateFolder::at_default_place("sites", true)); }

std::string SiteCache::name_for(const sysvm_object& object) const {
  std::string name;
  for (uint32_t i = 0; i < object.build_id_len; ++i) name += fmt::format("{:02x}", object.build_id[i]);
  // Without a build-id the place in the file system has to do; with one, the same build may lie in two
  // places.
  const sysvm_identity& id = object.identity;
  return fmt::format("{}-{:x}-{:x}", name.empty() ? "none" : name, id.dev, id.ino);
}

bool SiteCache::store(const Analysis& analysis) const {
  if (!folder_) return false;
  FileHeader header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  header.path_size = static_cast<uint32_t>(analysis.path.size());
  header.object = analysis.object;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.append(reinterpret_cast<const char*>(analysis.sites.data()),
               analysis.sites.size() * sizeof(sysvm_site));
  bytes += analysis.path;
  header.checksum = fnv1a(bytes);
  std::memcpy(bytes.data() + offsetof(FileHeader, checksum), &header.checksum, sizeof header.checksum);

  return folder_.write(name_for(analysis.object).c_str(), bytes);
}

std::optional<Analysis> SiteCache::load(const std::string& name) const {
  std::string bytes;
  if (!folder_ || !folder_.read(name.c_str(), kSizeMax, bytes) || bytes.size() < sizeof(FileHeader))
    return std::nullopt;
  FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  std::memset(bytes.data() + offsetof(FileHeader, checksum), 0, sizeof header.checksum);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.version != kVersion ||
      header.checksum != fnv1a(bytes) ||
      bytes.size() != sizeof header + uint64_t{header.object.sites} * sizeof(sysvm_site) + header.path_size)
    return std::nullopt;
  Analysis out;
  out.object = header.object;
  out.sites.resize(header.object.sites);
  if (!out.sites.empty())
    std::memcpy(out.sites.data(), bytes.data() + sizeof header, out.sites.size() * sizeof(sysvm_site));
  out.path = bytes.substr(bytes.size() - header.path_size);
  return out;
}

Result<Analysis> SiteCache::get(const std::string& path) const {
  ElfImage image = TRY(ElfImage::open(path));
  sysvm_object key{};
  key.identity = image.identity();
  const auto id = image.build_id();
  key.build_id_len = static_cast<uint32_t>(id.size());
  std::copy(id.begin(), id.end(), key.build_id);
  if (folder_)
    if (auto kept = load(name_for(key)); kept && kept->object.identity == key.identity)
      return *std::move(kept);
  Analysis made = analyse(image);
  store(made);
  return made;
}

std::vector<Analysis> SiteCache::all() const {
  std::vector<Analysis> out;
  std::error_code none;
  if (!folder_) return out;
  std::vector<std::string> names;  // first all of them: descriptors may be few
  for (const auto& entry : fs::directory_iterator(folder_.path(), none))
    names.push_back(entry.path().filename());
  for (const std::string& name : names) {
    struct stat st;
    if (name[0] == '.') {  // a run that was killed left it
      if (name.starts_with(".new-") && ::fstatat(folder_.fd(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
          st.st_mtime + kLeftFor < ::time(nullptr))
        ::unlinkat(folder_.fd(), name.c_str(), 0);
      continue;
    }
    auto kept = load(name);
    if (kept && ::stat(kept->path.c_str(), &st) == 0 && kept->object.identity == identity_of(st)) {
      out.push_back(*std::move(kept));
    } else if (names.size() > kStaleKept ||
               (::fstatat(folder_.fd(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                st.st_mtime + kStaleFor < ::time(nullptr))) {
      ::unlinkat(folder_.fd(), name.c_str(), 0);
    }
  }
  return out;
}

}  // namespace sysvm
