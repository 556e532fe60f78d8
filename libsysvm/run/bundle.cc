// SPDX-License-Identifier: MIT
#include "libsysvm/run/bundle.h"

#include <sys/stat.h>

#include <cstring>

#include "libsysvm/shim/bundle/bundle_check.h"
#include "procedures/svp_lists.h"

namespace sysvm {
namespace {

void put_path(char (&to)[BUNDLE_PATH_MAX], const std::string& path) {
  std::strncpy(to, path.c_str(), sizeof to - 1);
}

void pad(std::string& bytes) { bytes.resize((bytes.size() + 7) & ~size_t{7}); }

}  // namespace

std::string svp_without_notes(const std::string& svp) {
  svp_header header;
  if (svp.size() < sizeof header) return svp;
  std::memcpy(&header, svp.data(), sizeof header);
  std::vector<svp_section> sections(header.sections);
  std::memcpy(sections.data(), svp.data() + sizeof header, sections.size() * sizeof(svp_section));
  std::erase_if(sections, [](const svp_section& s) {
    return s.kind == SVP_NOTES || (s.kind >= SVP_LISTS && s.kind <= SVP_PATHS);
  });

  const size_t table = sections.size() * sizeof(svp_section);
  std::string out(sizeof header + table, '\0');
  for (svp_section& s : sections) {
    pad(out);
    const size_t at = out.size();
    out.append(svp, s.offset, s.size);
    s.offset = at;
  }
  pad(out);
  std::memcpy(out.data() + sizeof header, sections.data(), table);
  header.sections = static_cast<uint32_t>(sections.size());
  header.file_size = out.size();
  header.checksum = 0;
  header.checksum = svp_checksum(&header, sizeof header, SVP_CHECKSUM_START);
  header.checksum = svp_checksum(sections.data(), table, header.checksum);
  std::memcpy(out.data(), &header, sizeof header);
  return out;
}

std::string make_bundle(const BundleInput& input) {
  sysvm_bundle head{};
  head.magic = BUNDLE_MAGIC;
  head.engine = input.engine;
  head.strict = input.strict;
  head.age_ms = input.age_ms;
  head.relaxed_age = input.relaxed_age;
  head.allow_seccomp = input.allow_seccomp;
  put_path(head.stats_path, input.stats_path);
  put_path(head.library_path, input.library_path);
  put_path(head.bundle_path, input.bundle_path);
  for (const char* path : kGconvCaches) {
    struct stat st;
    if (::stat(path, &st) == 0) {
      head.gconv_cache = identity_of(st);
      break;
    }
  }

  std::vector<sysvm_object> objects;
  std::vector<sysvm_site> sites;
  for (const Analysis& a : input.objects) {
    sysvm_object o = a.object;
    o.first_site = static_cast<uint32_t>(sites.size());
    o.sites = static_cast<uint32_t>(a.sites.size());
    objects.push_back(o);
    sites.insert(sites.end(), a.sites.begin(), a.sites.end());
  }
  std::string bytes(sizeof head, '\0');
  const auto append = [&](const void* data, size_t size) {
    const size_t at = bytes.size();
    bytes.append(static_cast<const char*>(data), size);
    pad(bytes);
    return at;
  };
  head.svp_offset = append(input.svp.data(), input.svp.size());
  head.svp_size = input.svp.size();
  head.objects_offset = append(objects.data(), objects.size() * sizeof(sysvm_object));
  head.objects = objects.size();
  head.sites_offset = append(sites.data(), sites.size() * sizeof(sysvm_site));
  head.sites = sites.size();
  head.file_size = bytes.size();
  std::memcpy(bytes.data(), &head, sizeof head);
  head.checksum = bundle_checksum(reinterpret_cast<const sysvm_bundle*>(bytes.data()), bytes.size());
  std::memcpy(bytes.data(), &head, sizeof head);
  return bytes;
}

}  // namespace sysvm
