// SPDX-License-Identifier: MIT
#include "optimizer/lists/touched.h"

#include <sys/stat.h>

#include <algorithm>
#include <optional>

namespace sysvm {
namespace {

constexpr size_t kWalkLeast = 2048;        // items of what may be a walk
constexpr double kWalkShare = 0.9;         // of its items lie in directories that were read before
constexpr uint64_t kMappedMost = 8 << 20;  // of a mapping: who knows what of it was touched
constexpr size_t kPartsMost = 16;

bool is_listed(std::string_view path) {
  for (const std::string_view no : {"/proc", "/sys", "/dev", "/run"})
    if (path.starts_with(no) && (path.size() == no.size() || path[no.size()] == '/')) return false;
  return path != "/" && path.size() < SVP_PATH_MAX;
}

// Below the working directory a name counts from there, so that the list serves a copy elsewhere, too.
std::string named_from(const std::string& folder, const std::string& path) {
  if (folder.size() > 1 && path.size() > folder.size() + 1 && path.starts_with(folder) &&
      path[folder.size()] == '/')
    return path.substr(folder.size() + 1);
  return path;
}

// Of a mapped file: what lies in memory soon after it was recorded from cold caches.
std::vector<FilePart> touched_parts(Resolver& resolver, const std::string& path, FilePart part) {
  std::vector<FilePart> parts = resolver.in_memory(path, part);
  uint64_t sum = 0;
  for (const FilePart& p : parts) sum += p.length;
  if (parts.empty() || parts.size() > kPartsMost || sum > part.length / 10 * 9)
    parts = {{part.from, std::min(part.length, kMappedMost)}};
  return parts;
}

}  // namespace

Touched& TouchedFiles::touch(std::string_view path) {
  const auto known = index_.find(path);
  if (known != index_.end()) return *known->second;
  if (full()) return nobodys_;
  Touched& t = touched_.emplace_back();
  t.path = path;
  index_.emplace(t.path, &t);
  in_read_ += read_.contains(path.substr(0, std::max<size_t>(path.rfind('/'), 1)));
  return t;
}

void TouchedFiles::part(std::string_view path, uint64_t from, uint64_t length, bool mapped) {
  Touched& t = touch(path);
  t.mapped = t.end ? t.mapped && mapped : mapped;
  if (t.kind != SVP_ITEM_DIRECTORY) t.kind = SVP_ITEM_FILE;
  t.from = t.end ? std::min(t.from, from) : from;
  t.end = std::max(t.end, from + length);
}

void TouchedFiles::read_directory(std::string_view path) {
  Touched& t = touch(path);
  t.kind = SVP_ITEM_DIRECTORY;
  if (&t != &nobodys_) read_.insert(t.path);
}

bool TouchedFiles::walks() const {
  return touched_.size() >= kWalkLeast &&
         static_cast<double>(in_read_) >= kWalkShare * static_cast<double>(touched_.size());
}

std::vector<ListItem> TouchedFiles::items(const std::string& folder, Resolver& resolver) const {
  std::vector<ListItem> out;
  std::unordered_set<std::string> there;
  for (const Touched& t : touched_) {
    if (out.size() >= kItemsMost) break;
    const std::optional<ResolvedFile>& file = resolver.resolve(t.path, t.follow);
    if (!file || !is_listed(file->path) || !there.insert(file->path).second) continue;
    ListItem item;
    item.path = named_from(folder, file->path);
    const bool regular = file->st && S_ISREG(file->st->st_mode);
    const uint64_t size = regular ? static_cast<uint64_t>(file->st->st_size) : 0;
    if (t.kind == SVP_ITEM_DIRECTORY && file->st && S_ISDIR(file->st->st_mode)) {
      item.kind = SVP_ITEM_DIRECTORY;
    } else if (t.kind == SVP_ITEM_FILE && regular && t.from < size) {
      item.kind = SVP_ITEM_FILE;
      item.size = size;
      item.mtime = file->st->st_mtim.tv_sec;
      item.mtime_ns = static_cast<uint32_t>(file->st->st_mtim.tv_nsec);
      const FilePart part{t.from, std::min({t.end - t.from, size - t.from, uint64_t{SVP_LENGTH_MAX}})};
      for (const FilePart& p : t.mapped ? touched_parts(resolver, file->path, part) : std::vector{part}) {
        item.from = p.from;
        item.length = p.length;
        out.push_back(item);
      }
      continue;
    }
    out.push_back(std::move(item));
  }
  return out;
}

}  // namespace sysvm
