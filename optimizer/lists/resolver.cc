// SPDX-License-Identifier: MIT
#include "optimizer/lists/resolver.h"

#include <climits>
#include <cstdlib>

namespace sysvm {

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
