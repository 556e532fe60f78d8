// SPDX-License-Identifier: MIT
#include "libsysvm/sites/cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "common/unique_fd.h"

namespace sysvm {
namespace {

namespace fs = std::filesystem;

constexpr char kMagic[8] = {'S', 'Y', 'S', 'V', 'M', 'S', 'T', '1'};
constexpr uint32_t kVersion = 6;  // Raise with every change of table.h or of what analyse.cc finds.
constexpr uint64_t kSizeMax = 16u << 20;

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

// Every folder that is missing is made, for the user alone.
bool make_private_folder(const fs::path& folder) {
  std::error_code ignored;
  fs::create_directories(folder.parent_path().parent_path(), ignored);
  for (const fs::path& p : {folder.parent_path(), folder})
    if (::mkdir(p.c_str(), 0700) != 0 && errno != EEXIST) return false;
  return true;
}

}  // namespace

SiteCache SiteCache::at_default_place() {
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg && xdg[0] == '/')
    return SiteCache(std::string(xdg) + "/sysvm/sites");
  if (const char* home = std::getenv("HOME"); home && home[0] == '/')
    return SiteCache(std::string(home) + "/.cache/sysvm/sites");
  return SiteCache("");
}

std::string SiteCache::file_for(const sysvm_object& object) const {
  std::string name;
  for (uint32_t i = 0; i < object.build_id_len; ++i) name += fmt::format("{:02x}", object.build_id[i]);
  // Without a build-id the place in the file system has to do; with one, the same build may lie in two places.
  const sysvm_identity& id = object.identity;
  return fmt::format("{}/{}-{:x}-{:x}", folder_, name.empty() ? "none" : name, id.dev, id.ino);
}

bool SiteCache::store(const Analysis& analysis) const {
  if (folder_.empty() || !make_private_folder(folder_)) return false;
  FileHeader header{};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kVersion;
  header.path_size = static_cast<uint32_t>(analysis.path.size());
  header.object = analysis.object;
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes.append(reinterpret_cast<const char*>(analysis.sites.data()), analysis.sites.size() * sizeof(sysvm_site));
  bytes += analysis.path;
  header.checksum = fnv1a(bytes);
  std::memcpy(bytes.data() + offsetof(FileHeader, checksum), &header.checksum, sizeof header.checksum);

  std::string temporary = folder_ + "/.new-XXXXXX";
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (!fd) return false;
  if (::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      ::rename(temporary.c_str(), file_for(analysis.object).c_str()) != 0) {
    ::unlink(temporary.c_str());
    return false;
  }
  return true;
}

std::optional<Analysis> SiteCache::load(const std::string& file) const {
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat st;
  if (!fd || ::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode) || st.st_uid != ::geteuid() || st.st_mode & 022 ||
      st.st_size < static_cast<off_t>(sizeof(FileHeader)) || st.st_size > static_cast<off_t>(kSizeMax))
    return std::nullopt;
  std::string bytes(static_cast<size_t>(st.st_size), '\0');
  if (::read(fd.get(), bytes.data(), bytes.size()) != st.st_size) return std::nullopt;
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
  if (!folder_.empty())
    if (auto kept = load(file_for(key)); kept && kept->object.identity == key.identity) return *std::move(kept);
  Analysis made = analyse(image);
  store(made);
  return made;
}

std::vector<Analysis> SiteCache::all() const {
  std::vector<Analysis> out;
  std::error_code none;
  if (folder_.empty()) return out;
  for (const auto& entry : fs::directory_iterator(folder_, none))
    if (entry.path().filename().native()[0] != '.')
      if (auto kept = load(entry.path())) out.push_back(*std::move(kept));
  return out;
}

}  // namespace sysvm
