// SPDX-License-Identifier: MIT
// What one `sysvm run` leaves to the next of the same command with the same options: which bundle to use, and
// the files that it was made from, each with its state. As long as all of them are as they were, a start is a
// handful of stat calls and an exec; else everything is made anew (prepare.h).
//
// Kept below the cache folder `starts`, next to the bundles themselves; named by a hash of the key, which is
// in the file as well. A damaged, foreign or stale one counts as absent. No fmt, no iostreams: the front
// program is static and small.
// Tested by tests/run/start_test.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libsysvm/sites/identity.h"
#include "libsysvm/sites/private_folder.h"
#include "libsysvm/sysvm.h"

namespace sysvm {

struct ShimOptions {
  std::string procedures;  // path of a procedure file, or empty: every call is forwarded
  enum ::sysvm_engine engine = SYSVM_ENGINE_AUTO;
  bool strict = false;  // no late close
  uint32_t age_ms = 10;
  bool relaxed_age = false;  // what was fetched ahead survives other calls that only look
  bool allow_seccomp = false;
  bool symbols = false;  // interpose by symbol even where the C library could be patched: every call is
                         // forwarded
};

struct WatchedFile {
  std::string path;
  sysvm_identity state;
};

enum StartFault : uint32_t {
  kNoFault = 0,
  kBadProcedures = 1,  // the procedure file is missing or damaged
  kStale = 2,          // made for another build of the program
  kPlainProgram = 3,   // the shim cannot be loaded into it
  kNoPatch = 4,        // its C library cannot be patched: seen by symbol only
  kDoesNotPay = 5,     // with the engine that is here the procedures would make it slower: it runs plainly
  kForOther = 6,       // made for other programs; those that the command starts may be among them
};

// Nothing is wrong: said only where somebody asks.
constexpr bool is_quiet(uint32_t fault) { return fault == kDoesNotPay || fault == kForOther; }

struct Start {
  std::string key;
  uint32_t fault = kNoFault;
  std::string message;  // what is wrong, for people; said at each run, unless it is no fault (is_quiet)
  std::string bundle;   // its name in the folder; empty: no use, the command runs plainly
  std::string library;  // what LD_PRELOAD gets
  std::vector<WatchedFile> watched;

  bool operator==(const Start&) const = delete;
};

// Everything that decides the start and is no file: options, command, folders, the loader's environment.
std::string start_key(const ShimOptions& options, const std::string& command, const std::string& prefix);

inline constexpr std::string_view kStartMagic = "SYSVSTR1";  // what a packed one begins with

std::string start_name(std::string_view key);  // of its file
std::string pack_start(const Start& start);
std::optional<Start> unpack_start(std::string_view bytes);

// The start that is kept for the key, if all its files are as they were.
std::optional<Start> kept_start(const PrivateFolder& folder, const std::string& key);
bool still_holds(const Start& start);

std::string absolute_path(const std::string& path);  // "": stays
// Where sysvm lies: what has bin/, lib/ and libexec/ in it; by /proc/self/exe.
std::string install_prefix();

uint64_t hash_of(std::string_view bytes, uint64_t start = 0);
std::string hex_name(std::string_view bytes);  // 32 digits

}  // namespace sysvm
