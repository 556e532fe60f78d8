// SPDX-License-Identifier: MIT
#include "optimizer/lists/resolver.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>

#include "common/unique_fd.h"

namespace sysvm {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kGap = 256 << 10;  // less is read in one go with what lies around it
constexpr size_t kKnownMost = 1 << 16;

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

void absolute(std::string_view folder, std::string_view path, std::string& to) {
  to.clear();
  const auto add = [&](std::string_view all) {
    while (!all.empty()) {
      const std::string_view part = all.substr(0, all.find('/'));
      all.remove_prefix(std::min(part.size() + 1, all.size()));
      if (!part.empty() && part != ".") (to += '/') += part;
    }
  };
  if (!path.starts_with('/')) add(folder);
  add(path);
  if (to.empty()) to = "/";
}

const std::vector<FilePart>& Resolver::in_memory(const std::string& path, FilePart part) {
  if (parts_.size() == kKnownMost) parts_.clear();
  const auto [at, fresh] = parts_.try_emplace({path, part});
  if (fresh) at->second = sysvm::in_memory(path, part);
  return at->second;
}

const std::string& Resolver::directory(const std::string& path) {
  const auto [at, fresh] = directories_.try_emplace(path);
  if (!fresh) return at->second;
  char real[PATH_MAX];
  if (::realpath(path.c_str(), real)) at->second = real;
  return at->second;
}

const std::optional<ResolvedFile>& Resolver::resolve(const std::string& path, bool follow) {
  auto& known = follow ? followed_ : not_followed_;
  if (known.size() == kKnownMost) known.clear();
  const auto [at, fresh] = known.try_emplace(path);
  if (fresh) at->second = found(path, follow);
  return at->second;
}

std::optional<ResolvedFile> Resolver::found(const std::string& path, bool follow) {
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
