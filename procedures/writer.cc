// SPDX-License-Identifier: MIT
#include "procedures/writer.h"

#include <cstring>
#include <map>

#include "common/hex.h"

namespace sysvm {
namespace {

class Strings {  // each name once; offset 0 is ""
 public:
  uint32_t add(const std::string& text) {
    auto [at, fresh] = offsets_.try_emplace(text, static_cast<uint32_t>(bytes_.size()));
    if (fresh) {
      bytes_.insert(bytes_.end(), text.begin(), text.end());
      bytes_.push_back(0);
    }
    return at->second;
  }
  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_{0};
  std::map<std::string, uint32_t> offsets_{{"", 0}};
};

Result<svp_place> place_of(const std::string& build_id, uint64_t offset, const std::string& whose) {
  svp_place place{};
  if (build_id.empty()) return place;
  const std::optional<std::vector<uint8_t>> bytes = from_hex(build_id);
  if (!bytes || bytes->size() > SVP_BUILD_ID_MAX)
    return error("{}: build-id '{}': expected at most {} bytes in hexadecimal", whose, build_id,
                 SVP_BUILD_ID_MAX);
  std::memcpy(place.build_id, bytes->data(), bytes->size());
  place.build_id_len = static_cast<uint32_t>(bytes->size());
  place.offset = offset;
  return place;
}

Result<svp_place> place_of(const std::optional<CodePlace>& place, const std::string& whose) {
  return place ? place_of(place->build_id, place->offset, whose) : place_of("", 0, whose);
}

template <typename T>
void append(std::vector<uint8_t>& to, const T& value) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(&value);
  to.insert(to.end(), bytes, bytes + sizeof(T));
}

struct Sections {
  Strings strings;
  std::vector<uint8_t> code, data, procs, triggers, followers, loops, lists, items, paths;
};

Result<> add_procedure(const Procedure& from, Sections& to, uint32_t& ntriggers, uint32_t& nfollowers) {
  svp_proc proc{};
  proc.name = to.strings.add(from.name);
  proc.mode = from.mode;
  proc.code_offset = static_cast<uint32_t>(to.code.size());
  proc.code_size = static_cast<uint32_t>(from.code.size());
  proc.data_offset = static_cast<uint32_t>(to.data.size());
  proc.data_size = static_cast<uint32_t>(from.data.size());
  proc.first_trigger = ntriggers;
  proc.triggers = static_cast<uint32_t>(from.triggers.size());
  proc.first_follower = nfollowers;
  proc.followers = static_cast<uint32_t>(from.followers.size());
  proc.staging = from.staging;
  proc.trigger_result = from.trigger_result;
  proc.exe = TRY(place_of(from.exe, 0, from.name));
  proc.seen = from.seen;
  if (from.loop) {
    svp_loop loop = *from.loop;
    loop.proc = static_cast<uint32_t>(to.procs.size() / sizeof(svp_proc));
    append(to.loops, loop);
  }
  append(to.procs, proc);
  to.code.insert(to.code.end(), from.code.begin(), from.code.end());
  to.data.insert(to.data.end(), from.data.begin(), from.data.end());

  for (const Trigger& t : from.triggers) {
    svp_trigger out{};
    out.nr = t.nr;
    out.path_arg = static_cast<uint8_t>(t.path_arg);
    out.streak = t.streak;
    out.site = TRY(place_of(t.site, from.name));
    out.caller = TRY(place_of(t.caller, from.name));
    std::copy(t.arg.begin(), t.arg.end(), out.arg);
    append(to.triggers, out);
    ++ntriggers;
  }
  for (const Follower& f : from.followers) {
    svp_follower out{};
    out.nr = f.nr;
    out.result = f.result;
    out.nargs = f.nargs;
    std::copy(f.arg.begin(), f.arg.end(), out.arg);
    append(to.followers, out);
    ++nfollowers;
  }
  return Unit{};
}

Result<> add_list(const PrefetchList& from, Sections& to) {
  svp_list list{};
  list.name = to.strings.add(from.name);
  list.first_item = static_cast<uint32_t>(to.items.size() / sizeof(svp_item));
  list.items = static_cast<uint32_t>(from.items.size());
  list.seen = from.seen;
  list.waited_ns = from.waited_ns;
  list.command = from.command;
  list.exe = TRY(place_of(from.exe, 0, from.name));
  append(to.lists, list);
  for (const ListItem& i : from.items) {
    svp_item item{};
    item.path = static_cast<uint32_t>(to.paths.size());
    item.kind = i.kind;
    item.from = i.from;
    item.length = i.length;
    item.size = i.size;
    item.mtime = i.mtime;
    item.mtime_ns = i.mtime_ns;
    append(to.items, item);
    to.paths.insert(to.paths.end(), i.path.begin(), i.path.end());
    to.paths.push_back(0);
  }
  return Unit{};
}

std::vector<uint8_t> lay_out(const std::vector<std::pair<uint32_t, const std::vector<uint8_t>*>>& parts) {
  std::vector<svp_section> table;
  uint64_t at = sizeof(svp_header) + parts.size() * sizeof(svp_section);
  for (const auto& [kind, bytes] : parts) {
    svp_section section{};
    section.kind = kind;
    section.offset = at;
    section.size = bytes->size();
    section.checksum = svp_checksum(bytes->data(), bytes->size(), SVP_CHECKSUM_START);
    table.push_back(section);
    at = (at + bytes->size() + 7) / 8 * 8;
  }
  svp_header header{};
  std::memcpy(header.magic, SVP_MAGIC, sizeof(header.magic));
  header.version = SVP_VERSION;
  header.abi = SYSVM_ABI_VERSION;
  header.file_size = at;
  header.sections = static_cast<uint32_t>(parts.size());
  header.checksum = svp_checksum(&header, sizeof(header), SVP_CHECKSUM_START);
  header.checksum = svp_checksum(table.data(), table.size() * sizeof(svp_section), header.checksum);

  std::vector<uint8_t> file;
  append(file, header);
  for (const svp_section& section : table) append(file, section);
  for (const auto& [kind, bytes] : parts) {
    file.insert(file.end(), bytes->begin(), bytes->end());
    file.resize((file.size() + 7) / 8 * 8);
  }
  return file;
}

}  // namespace

Result<std::vector<uint8_t>> write_svp(const ProcedureFile& from) {
  Sections sections;
  uint32_t ntriggers = 0, nfollowers = 0;
  for (const Procedure& proc : from.procs) TRY(add_procedure(proc, sections, ntriggers, nfollowers));
  for (const PrefetchList& list : from.lists) TRY(add_list(list, sections));
  std::vector<uint8_t> notes(from.notes.begin(), from.notes.end());
  notes.push_back(0);

  std::vector<std::pair<uint32_t, const std::vector<uint8_t>*>> parts = {
      {SVP_STRINGS, &sections.strings.bytes()},
      {SVP_CODE, &sections.code},
      {SVP_DATA, &sections.data},
      {SVP_PROCS, &sections.procs},
      {SVP_TRIGGERS, &sections.triggers},
      {SVP_FOLLOWERS, &sections.followers},
      {SVP_NOTES, &notes}};
  if (!sections.loops.empty()) parts.push_back({SVP_LOOPS, &sections.loops});
  if (!from.lists.empty())
    parts.insert(parts.end(),
                 {{SVP_LISTS, &sections.lists}, {SVP_ITEMS, &sections.items}, {SVP_PATHS, &sections.paths}});
  std::vector<uint8_t> file = lay_out(parts);
  svp view;
  char message[256];
  if (svp_check(file.data(), file.size(), &view, message, sizeof(message)))
    return error("the procedure file would be refused: {}", message);
  return file;
}

}  // namespace sysvm
