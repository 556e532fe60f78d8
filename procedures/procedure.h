// SPDX-License-Identifier: MIT
// A procedure file in memory, as the compiler makes it and the tools show it: owning, growable, with names
// instead of section offsets. The bytes are procedures/svp.h; svp_writer.h and svp_reader.h go back and
// forth, svp_text.h prints it and reads it back. Tested by tests/optimizer/svp_file_test.cc.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "procedures/svp_lists.h"

namespace sysvm {

struct CodePlace {       // a code address as build-id and offset in the file
  std::string build_id;  // hexadecimal
  uint64_t offset = 0;
  bool operator==(const CodePlace&) const = default;
};

using ProcArgs = std::array<svp_arg, 6>;

struct Trigger {
  uint32_t nr = 0;
  uint32_t path_arg = 6;  // 6: none
  uint8_t streak = 0;     // 0, or which of several in a row
  std::optional<CodePlace> site, caller;
  ProcArgs arg{};
};

struct Follower {
  uint32_t nr = 0;
  uint8_t result = 0;
  uint8_t nargs = 0;
  ProcArgs arg{};
};

struct Procedure {
  std::string name;
  svp_mode mode = SVP_RUN_AHEAD;
  uint64_t seen = 0;
  uint32_t staging = 0;
  uint8_t trigger_result = 0;
  std::string exe;  // build-id in hexadecimal, "": any executable
  std::vector<Trigger> triggers;
  std::vector<Follower> followers;
  std::optional<svp_loop> loop;  // over a directory's entries; `proc` is set when the file is written
  std::vector<uint8_t> data;
  std::vector<uint8_t> code;

  bool of_loop(size_t follower) const { return loop && follower - loop->first < loop->followers; }
};

struct ListItem {  // struct svp_item
  svp_item_kind kind = SVP_ITEM_NAME;
  std::string path;
  uint64_t from = 0, length = 0, size = 0;
  int64_t mtime = 0;
  uint32_t mtime_ns = 0;
};

struct PrefetchList {  // struct svp_list
  std::string name;
  std::string exe;  // build-id in hexadecimal, "": any executable
  uint64_t command = 0, seen = 0, waited_ns = 0;
  std::vector<ListItem> items;
};

struct ProcedureFile {
  std::vector<Procedure> procs;
  std::string notes;  // JSON, may be empty
  std::vector<PrefetchList> lists = {};
};

}  // namespace sysvm
