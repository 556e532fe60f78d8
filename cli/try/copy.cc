// SPDX-License-Identifier: MIT
#include "cli/try/copy.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "common/unique_fd.h"

extern char** environ;

namespace sysvm {
namespace {

namespace fs = std::filesystem;

uint64_t fnv1a(const char* bytes, size_t n, uint64_t hash) {
  for (size_t i = 0; i < n; ++i) hash = (hash ^ static_cast<unsigned char>(bytes[i])) * 0x100000001b3ull;
  return hash;
}

Result<uint64_t> hash_file(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (fd.get() < 0) return error("{}: cannot be read to compare it: {}", path, strerror(errno));
  uint64_t hash = 0xcbf29ce484222325ull;
  std::vector<char> buffer(1 << 18);
  for (;;) {
    const ssize_t n = read(fd.get(), buffer.data(), buffer.size());
    if (n < 0) return error("{}: cannot be read to compare it: {}", path, strerror(errno));
    if (n == 0) return hash;
    hash = fnv1a(buffer.data(), static_cast<size_t>(n), hash);
  }
}

Result<> run_cp(const std::string& from, const std::string& to) {
  const std::string source = from + "/.";
  const char* argv[] = {"cp", "-a", "--", source.c_str(), to.c_str(), nullptr};
  pid_t pid;
  int status = 0;
  if (const int e = posix_spawnp(&pid, "cp", nullptr, nullptr, const_cast<char**>(argv), environ))
    return error("cp: {}", strerror(e));
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return error("cp -a {} {}: failed with wait status {:#x}", source, to, status);
  return Unit{};
}

}  // namespace

Result<FreshCopy> FreshCopy::of(const std::string& source, const std::string& parent) {
  std::error_code e;
  const std::string real = fs::canonical(source, e);
  if (e) return error("--in-copy {}: {}", source, e.message());
  if (!fs::is_directory(real, e)) return error("--in-copy {}: not a directory", source);
  return FreshCopy(
      real, parent + "/" + (fs::path(real).filename().empty() ? "copy" : fs::path(real).filename().string()));
}

Result<> FreshCopy::renew() {
  remove_tree(path_);
  if (mkdir(path_.c_str(), 0700)) return error("{}: {}", path_, strerror(errno));
  return run_cp(source_, path_);
}

Result<TreeFacts> FreshCopy::facts() const { return tree_facts(path_); }

Result<TreeFacts> tree_facts(const std::string& top) {
  TreeFacts facts;
  std::vector<std::string> pending{"."};
  while (!pending.empty()) {
    const std::string key = pending.back();
    pending.pop_back();
    const std::string path = top + "/" + key;
    struct stat st;
    if (lstat(path.c_str(), &st)) return error("{}: {}", path, strerror(errno));
    std::string fact = fmt::format("mode {:o}", st.st_mode);
    std::error_code e;
    if (S_ISLNK(st.st_mode)) {
      fact += ", link to " + fs::read_symlink(path, e).string();
    } else if (S_ISREG(st.st_mode)) {
      fact += fmt::format(", {} bytes, content {:016x}", st.st_size, st.st_size ? TRY(hash_file(path)) : 0);
    } else if (S_ISDIR(st.st_mode)) {
      for (fs::directory_iterator it(path, e), end; !e && it != end; it.increment(e))
        pending.push_back(key + "/" + it->path().filename().string());
    }
    if (e) return error("{}: {}", path, e.message());
    facts.emplace(key.size() > 2 ? key.substr(2) : key, std::move(fact));
  }
  return facts;
}

std::string first_difference(const TreeFacts& a, const TreeFacts& b, const std::string& name_a,
                             const std::string& name_b) {
  auto i = a.begin();
  auto k = b.begin();
  while (i != a.end() || k != b.end()) {
    if (k == b.end() || (i != a.end() && i->first < k->first))
      return fmt::format("{}: only after {}", i->first, name_a);
    if (i == a.end() || k->first < i->first) return fmt::format("{}: only after {}", k->first, name_b);
    if (i->second != k->second)
      return fmt::format("{}: {} after {}, {} after {}", i->first, i->second, name_a, k->second, name_b);
    ++i, ++k;
  }
  return "";
}

void remove_tree(const std::string& top) {
  std::error_code e;
  // A directory without write or search permission cannot be emptied by its owner; ask again after opening
  // them.
  for (fs::recursive_directory_iterator it(top, fs::directory_options::skip_permission_denied, e), end;
       !e && it != end; it.increment(e))
    if (it->is_directory(e) && !it->is_symlink(e))
      fs::permissions(it->path(), fs::perms::owner_all, fs::perm_options::add | fs::perm_options::nofollow,
                      e);
  fs::remove_all(top, e);
}

}  // namespace sysvm
