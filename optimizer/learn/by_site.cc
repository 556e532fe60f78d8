// SPDX-License-Identifier: MIT
#include "optimizer/learn/by_site.h"

namespace sysvm {

SiteIndex::Site SiteIndex::site_of(const PackedTrace& trace, const PackedEvent& e) {
  std::unique_ptr<MappingIndex>& index = mappings_[&trace];
  if (!index) index = std::make_unique<MappingIndex>(trace);
  const Mapping* m = e.site() ? index->find(e.pid(), e.site(), e.ts_ns()) : nullptr;
  if (!m || m->build_id.size() > 2 * SVP_BUILD_ID_MAX) return {};
  return {m->build_id, e.site() - m->start + m->offset};
}

std::vector<SiteGroup> SiteIndex::split(const std::vector<const Occurrence*>& occurrences) {
  std::map<Site, std::vector<const Occurrence*>> groups;
  for (const Occurrence* o : occurrences) {
    const Site site = site_of(*o->stream->trace, *o->trigger);
    groups[site.first.empty() ? Site() : site].push_back(o);
  }
  std::vector<SiteGroup> out;
  for (auto& [site, group] : groups) {
    SiteGroup& to = out.emplace_back();
    if (!site.first.empty()) to.site = CodePlace{std::string(site.first), site.second};
    to.occurrences = std::move(group);
  }
  return out;
}

}  // namespace sysvm
