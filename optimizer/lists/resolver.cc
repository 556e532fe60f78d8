// SPDX-License-Identifier: MIT
#include "optimizer/lists/resolver.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "common/unique_fd.h"

namespace sysvm {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kGap = 256 << 10;  // less is read in one go with what lies around it

}  // namespace

std::vector<FilePart> in_memory(const std::string& path, FilePart part) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY));
  const uint64_t start = part.from / kPage * kPage, size = part.from + part.length - start;
  void* at = fd && size ? ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), static_cast<off_t>(start))
                        : MAP_FAILED;
  if (at == MAP_FAILED) return {part};
  std::vector<unsigned char> pages((size + kPage - 1) / kPage);
  const bool told = ::mincore(at, size, pages.data()) == 0;
  ::munmap(at, size);
  if (!told) return {part};
  std::vector<FilePart> out;
  for (size_t i = 0; i < pages.size(); ++i) {
    if (!(pages[i] & 1)) continue;
    const uint64_t from = std::max(part.from, start + i * kPage),
                   end = std::min(part.from + part.length, start + (i + 1) * kPage);
    if (!out.empty() && from - (out.back().from + out.back().length) < kGap)
      out.back().length = end - out.back().from;
    else
      out.push_back({from, end - from});
  }
  return out;
}

std::string absolute(const std::string& folder, const std::string& path) {
  const std::string all = path.starts_with('/') ? path : folder + "/" + path;
  std::string out;
  for (size_t at = 0; at < all.size();) {
    const size_t end = std::min(all.find('/', at), all.size());
    const std::string part = all.substr(at, end - at);
    if (!part.empty() && part != ".") out += "/" + part;
    at = end + 1;
  }
  return out.empty() ? "/" : out;
}

const std::string& Resolver::directory(const std::string& path) {
  const auto [at, fresh] = directories_.try_emplace(path);
  if (!fresh) return at->second;
  char real[PATH_MAX];
  if (::realpath(path.c_str(), real)) at->second = real;
  return at->second;
}

std::optional<ResolvedFile> Resolver::resolve(const std::string& path, bool follow) {
  const size_t slash = path.rfind('/');
  const std::string name = path.substr(slash + 1);
  ResolvedFile out;
  if (name.empty() || name == "..") {
    out.path = directory(path);
    if (out.path.empty()) return std::nullopt;
  } else {
    const std::string& folder = directory(slash ? path.substr(0, slash) : "/");
    if (folder.empty()) return std::nullopt;
    out.path = (folder == "/" ? "" : folder) + "/" + name;
  }
  struct stat st;
  if (::lstat(out.path.c_str(), &st) != 0) return out;
  if (S_ISLNK(st.st_mode) && follow) {
    const std::string& target = directory(out.path);  // any file will do
    if (target.empty() || ::lstat(target.c_str(), &st) != 0) return out;
    out.path = target;
  }
  out.st = st;
  return out;
}

}  // namespace sysvm
