// SPDX-License-Identifier: MIT
#include "libsysvm/run/prepare.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "common/hex.h"
#include "common/read_file.h"
#include "libsysvm/shim/bundle/bundle.h"
#include "libsysvm/sites/cache.h"
#include "procedures/svp.h"

namespace sysvm {
namespace {

namespace fs = std::filesystem;

constexpr char kLibrary[] = "libsysvm-preload.so";
constexpr char kSymbolsLibrary[] = "libsysvm-preload-symbols.so";
constexpr unsigned kSitesOfALibc = 100;  // fewer seen: no C library that we know how to patch
constexpr size_t kObjectsMax = 512;      // of a procedure file's notes
constexpr size_t kNameMax = 200;         // of a program in them
constexpr time_t kDay = 24 * 3600;
constexpr time_t kKeptFor = 30 * kDay;  // a start that nobody used for so long goes
constexpr size_t kBundlesUnused = 64;   // bundles that no start names; processes may still run with them

// Beside the program as built (lib/) or as installed (lib/sysvm/).
Result<std::string> library_path(const char* name) {
  std::error_code failed;
  const fs::path prefix = install_prefix();
  for (const fs::path& folder : {prefix / "lib", prefix / "lib/sysvm"}) {
    const fs::path path = folder / name;
    if (fs::exists(path, failed)) {
      const std::string found = fs::canonical(path, failed);
      if (found.find_first_of(": \n") != std::string::npos)
        return error("{}: the loader cannot preload from a path with a space or colon", found);
      return found;
    }
  }
  return error("{}/lib/{}: not found; build sysvm", prefix.string(), name);
}

class Watch {
 public:
  explicit Watch(std::vector<WatchedFile>& to) : to_(to) {}
  void file(const std::string& path) {
    if (!path.empty() && seen_.insert(path).second) to_.push_back({path, identity_of(path.c_str())});
  }
  // A library that appears in a folder that is searched before may take another's place.
  void library(const std::string& path) {
    file(path);
    file(fs::path(path).parent_path());
  }

 private:
  std::vector<WatchedFile>& to_;
  std::set<std::string> seen_;
};

void watch_search_path(Watch& watch) {
  watch.file("/etc/ld.so.cache");
  watch.file("/etc/ld.so.preload");
  const char* value = std::getenv("LD_LIBRARY_PATH");
  std::string_view rest = value ? value : "";
  while (!rest.empty()) {
    const size_t n = rest.find_first_of(":;");
    const std::string folder(rest.substr(0, n));
    watch.file(folder.empty() ? absolute_path(".") : absolute_path(folder));
    rest.remove_prefix(n == std::string_view::npos ? rest.size() : n + 1);
  }
}

// Of the notes: nothing in them is believed.
nlohmann::json notes_of(const svp& view) {
  if (!view.notes_size) return nullptr;
  return nlohmann::json::parse(view.notes, view.notes + strnlen(view.notes, view.notes_size), nullptr,
                               /*allow_exceptions=*/false);
}

// Somebody else's text on a line of ours.
std::string one_line(std::string text) {
  if (text.size() > kNameMax) text = text.substr(0, kNameMax) + "...";
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) c = '?';
  return text;
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// Procedures are bound to an executable by its build-id. Where none is for this program, but some were made
// for a program of this name, it was built or updated since. Where the file names other programs alone, the
// command may start them. Without names (written by hand, --no-examples) nothing can be told but that.
void note_other_programs(const svp& view, const FoundCommand& command, const std::string& path,
                         Start& start) {
  const auto image = ElfImage::open(command.program);
  if (!image || view.nprocs == 0) return;
  const std::vector<uint8_t> id = (*image).build_id();
  const nlohmann::json notes = notes_of(view);
  std::set<std::string> bound, names;
  bool same_name = false;
  for (uint32_t i = 0; i < view.nprocs; ++i) {
    const svp_place& exe = view.procs[i].exe;
    if (exe.build_id_len == 0) return;
    if (exe.build_id_len == id.size() && std::equal(id.begin(), id.end(), exe.build_id)) return;
    const std::string text = to_hex({exe.build_id, exe.build_id_len});
    if (!bound.insert(text).second || !notes.is_object() || !notes.contains("programs") ||
        !notes["programs"].is_object() || !notes["programs"].contains(text) ||
        !notes["programs"][text].is_string())
      continue;
    const std::string name = notes["programs"][text];
    same_name |= file_name(name) == file_name(command.program);
    names.insert(one_line(name));
  }
  const auto others = [](size_t n) { return n > 1 ? fmt::format(" or {} others", n - 1) : std::string(); };
  const bool other = names.size() == bound.size() && !same_name;
  start.fault = other ? kForOther : kStale;
  if (other)
    start.message = fmt::format("{}: made for {}{}: none of its {} procedures is for {}", path,
                                *names.begin(), others(names.size()), view.nprocs, command.program);
  else
    start.message = fmt::format(
        "{}: {}none of its {} procedures is for {} (build-id {}, "
        "expected {}{}); record and compile again",
        path, same_name ? "made for another build of the program: " : "", view.nprocs, command.program,
        id.empty() ? "none" : to_hex(id), *bound.begin(), others(bound.size()));
}

bool patchable(const Analysis& a) {
  return std::count_if(a.sites.begin(), a.sites.end(),
                       [](const sysvm_site& s) { return !(s.flags & SITE_LEFT); }) >= kSitesOfALibc;
}

// Starts that were not used for long or hold no more, and bundles that none of the others names.
void clean_up(const PrivateFolder& folder) {
  struct Bundle {
    time_t written;
    std::string name;
    bool operator<(const Bundle& o) const { return written < o.written; }
  };
  std::vector<Bundle> bundles;
  std::set<std::string> named;
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder.path(), none))
    names.push_back(entry.path().filename());
  const time_t now = ::time(nullptr);
  for (const std::string& name : names) {
    struct stat st;
    if (::fstatat(folder.fd(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    std::string bytes;
    if (name.ends_with(".bundle")) {
      bundles.push_back({st.st_mtime, name});
    } else if (name.ends_with(".start")) {
      const auto start = folder.read(name.c_str(), 1u << 20, bytes) ? unpack_start(bytes) : std::nullopt;
      if (start && st.st_mtime + kKeptFor > now && still_holds(*start))
        named.insert(start->bundle);
      else
        ::unlinkat(folder.fd(), name.c_str(), 0);
    } else if (name.starts_with(".new-") && st.st_mtime + kDay < now) {
      ::unlinkat(folder.fd(), name.c_str(), 0);
    }
  }
  std::erase_if(bundles, [&](const Bundle& b) { return named.contains(b.name); });
  std::sort(bundles.rbegin(), bundles.rend());
  for (size_t i = 0; i < bundles.size(); ++i)
    if (i >= kBundlesUnused || bundles[i].written + kKeptFor < now)
      ::unlinkat(folder.fd(), bundles[i].name.c_str(), 0);
}

// What the recording saw executed, by the notes of the procedure file: libraries that are opened later, and
// the programs that this one starts. Nothing in the notes is believed: each path is only analysed, if it is
// an object file, and only opened if it is a regular one.
std::vector<std::string> recorded_objects(const std::string& procedures) {
  std::vector<std::string> out;
  std::error_code none;
  svp view;
  char why[8];
  if (procedures.empty() || svp_check(procedures.data(), procedures.size(), &view, why, sizeof why) != 0)
    return out;
  const nlohmann::json notes = notes_of(view);
  if (!notes.is_object() || !notes.contains("objects") || !notes["objects"].is_array()) return out;
  for (const auto& path : notes["objects"])
    if (path.is_string() && out.size() < kObjectsMax)
      if (std::string text = path;
          text.starts_with('/') && text.size() < PATH_MAX && fs::is_regular_file(text, none))
        out.push_back(std::move(text));
  return out;
}

void add_objects(BundleInput& input, const FoundCommand& command, const std::string& procedures,
                 Watch& watch) {
  const SiteCache cache = SiteCache::at_default_place();
  std::vector<std::string> paths = loaded_objects(command);
  for (size_t i = 1; i < paths.size(); ++i) watch.library(paths[i]);  // the first is the program
  for (std::string& path : recorded_objects(procedures)) {
    watch.file(path);
    paths.push_back(std::move(path));
  }
  const auto add = [&](Analysis&& a) {
    if (std::none_of(input.objects.begin(), input.objects.end(), [&](const Analysis& b) {
          return std::memcmp(&a.object.identity, &b.object.identity, sizeof a.object.identity) == 0;
        }))
      input.objects.push_back(std::move(a));
  };
  for (const std::string& path : paths)
    if (auto found = cache.get(path)) add(*std::move(found));
  // Everything met in earlier runs: the command's children may need it.
  for (Analysis& kept : cache.all()) add(std::move(kept));
  // In an order of their own, so that the bundles of all commands are one while nothing new is met.
  std::sort(input.objects.begin(), input.objects.end(), [](const Analysis& a, const Analysis& b) {
    return std::memcmp(&a.object.identity, &b.object.identity, sizeof a.object.identity) < 0;
  });
  watch.file(cache.folder());  // changes whenever an analysis is kept
}

}  // namespace

Result<std::string> check_procedures(const std::string& path) {
  if (path.empty()) return std::string();
  const std::vector<uint8_t> bytes = TRY(read_whole_file(path, SVP_FILE_MAX));
  svp view;
  char message[256];
  if (svp_check(bytes.data(), bytes.size(), &view, message, sizeof message) != 0)
    return error("{}: {}", path, message);
  return std::string(bytes.begin(), bytes.end());
}

Prepared prepare_start(const FoundCommand& command, const ShimOptions& options, const PrivateFolder& folder,
                       const Judge& judge) {
  Prepared out;
  Start& start = out.start;
  Watch watch(start.watched);
  start.key = start_key(options, command.path, install_prefix());
  for (const std::string& script : command.scripts) watch.file(absolute_path(script));
  watch.file(absolute_path(command.path));
  watch.file(absolute_path(command.program));
  const auto give_up = [&](StartFault fault, std::string message) {
    start.fault = fault;
    start.message = std::move(message);
    if (fault != kBadProcedures && folder)
      (void)folder.write(start_name(start.key).c_str(), pack_start(start));
    return std::move(out);
  };

  watch.file(absolute_path(options.procedures));
  const auto procedures = check_procedures(options.procedures);
  if (!procedures) return give_up(kBadProcedures, procedures.message());
  if (!command.plain.empty())
    return give_up(kPlainProgram, fmt::format("{}: {}; it runs plainly, and so does what it starts",
                                              command.program, command.plain));
  svp view;
  char why[256];
  if (!(*procedures).empty() &&
      svp_check((*procedures).data(), (*procedures).size(), &view, why, sizeof why) == 0) {
    note_other_programs(view, command, options.procedures, start);
    if (options.engine == SYSVM_ENGINE_AUTO && judge.why_not && view.notes_size) {
      watch.file(judge.costs_file);
      const std::string_view notes(view.notes, strnlen(view.notes, view.notes_size));
      if (std::string reason = judge.why_not(notes); !reason.empty())
        return start.fault == kStale ? give_up(kStale, start.message)
                                     : give_up(kDoesNotPay, std::move(reason));
    }
  }

  BundleInput& input = out.input;
  input.engine = static_cast<uint32_t>(options.engine);
  input.strict = options.strict;
  input.age_ms = options.age_ms;
  input.relaxed_age = options.relaxed_age;
  input.allow_seccomp = options.allow_seccomp;
  input.svp = svp_without_notes(*procedures);
  watch_search_path(watch);
  add_objects(input, command, *procedures, watch);
  const bool by_symbols =
      options.symbols || std::none_of(input.objects.begin(), input.objects.end(), patchable);
  if (by_symbols && !options.symbols) {
    start.fault = kNoPatch;
    start.message = fmt::format(
        "the C library of {} cannot be patched; calls are seen by symbol only, and all are "
        "forwarded",
        command.program);
  }
  const auto library = library_path(by_symbols ? kSymbolsLibrary : kLibrary);
  if (!library) return give_up(kPlainProgram, library.message());
  input.library_path = start.library = *library;
  watch.file(start.library);
  for (const char* path : kGconvCaches) watch.file(path);
  if (!folder) return out;

  // Named by what it holds: many starts share one, and nobody overwrites what a running process reads.
  const std::string name = hex_name(make_bundle(input)) + ".bundle";
  input.bundle_path = folder.path() + "/" + name;
  if (input.bundle_path.size() >= BUNDLE_PATH_MAX) return out;
  const std::string bytes = make_bundle(input);
  std::string there;
  if ((folder.read(name.c_str(), BUNDLE_MAX, there) && there == bytes) || folder.write(name.c_str(), bytes)) {
    start.bundle = name;
    watch.file(input.bundle_path);
    if (folder.write(start_name(start.key).c_str(), pack_start(start))) clean_up(folder);
  }
  return out;
}

Start prepare_once(const FoundCommand& command, const ShimOptions& options, const PrivateFolder& folder,
                   std::string* bundle, const Judge& judge) {
  constexpr int kWaits = 100, kWaitUs = 50'000;  // then without the lock: a stopped process may hold it
  UniqueFd lock;
  if (folder) {
    lock.reset(::openat(folder.fd(), ".lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    for (int i = 0; lock && i < kWaits && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0; ++i) ::usleep(kWaitUs);
    if (auto start = kept_start(folder, start_key(options, command.path, install_prefix())))
      return *std::move(start);
  }
  Prepared made = prepare_start(command, options, folder, judge);
  if (made.start.bundle.empty() && !made.start.library.empty()) *bundle = make_bundle(made.input);
  return std::move(made.start);
}

}  // namespace sysvm
