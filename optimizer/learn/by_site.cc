// SPDX-License-Identifier: MIT
#include "optimizer/learn/by_site.h"

namespace sysvm {

std::optional<CodePlace> SiteIndex::site_of(const Trace& trace, const Event& e) {
  std::unique_ptr<MappingIndex>& index = mappings_[&trace];
  if (!index) index = std::make_unique<MappingIndex>(trace);
  if (!e.site()) return std::nullopt;
  const std::optional<Place> place = index->place(e.pid, e.site(), e.ts_ns);
  if (!place || place->build_id.empty() || place->build_id.size() > 2 * SVP_BUILD_ID_MAX) return std::nullopt;
  return CodePlace{place->build_id, place->offset};
}

std::vector<SiteGroup> SiteIndex::split(const std::vector<const Occurrence*>& occurrences) {
  std::map<std::string, SiteGroup> groups;
  for (const Occurrence* o : occurrences) {
    const std::optional<CodePlace> site = site_of(*o->stream->trace, *o->trigger);
    SiteGroup& group = groups[site ? site->build_id + "+" + std::to_string(site->offset) : ""];
    group.site = site;
    group.occurrences.push_back(o);
  }
  std::vector<SiteGroup> out;
  for (auto& [name, group] : groups) out.push_back(std::move(group));
  return out;
}

}  // namespace sysvm
