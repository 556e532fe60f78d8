// SPDX-License-Identifier: MIT
// What the pictures are drawn from: small things as JSON, the spans as columns of LEB128 numbers
// (web/unpack.js), deflated. Times are
// differences, so most numbers take a byte or two. Tested by tests/report/page_test.py, which unpacks them.
#include <zlib.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "report/page.h"
#include "report/text.h"

namespace sysvm::page {
namespace {

using Json = nlohmann::json;
constexpr size_t kMostSteps = 600, kMostFolders = 1000, kFolderName = 80;
constexpr double kLeastShare = 0.0005;

class Packer {
 public:
  void number(uint64_t n) {
    for (; n >= 128; n >>= 7) raw_ += static_cast<char>(n | 128);
    raw_ += static_cast<char>(n);
  }
  void text(std::string_view s) { raw_ += s; }
  size_t size() const { return raw_.size(); }
  std::string base64() const;

 private:
  std::string raw_;
};

std::string Packer::base64() const {
  uLongf size = compressBound(raw_.size());
  std::string packed(size, '\0');
  if (compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(raw_.data()),
                raw_.size(), 4) != Z_OK)
    return "";
  packed.resize(size);
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve(packed.size() * 4 / 3 + 4);
  for (size_t i = 0; i < packed.size(); i += 3) {
    uint32_t three = 0;
    for (size_t k = 0; k < 3; ++k)
      three = three << 8 | (i + k < packed.size() ? static_cast<unsigned char>(packed[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += i + k <= packed.size() ? kDigits[three >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string program_of(const TraceInfo& info, int32_t pid) {
  const Process* last = nullptr;
  for (const Process& p : info.processes)
    if (p.pid == pid && (!last || !p.exe.empty())) last = &p;
  if (!last) return "";
  const std::string& name = !last->exe.empty() || last->argv.empty() ? last->exe : last->argv[0];
  return visible(std::string_view(name).substr(name.rfind('/') + 1), 40);
}

Json pack_spans(const Facts& f, Packer& packer) {
  const bool joined = f.spans.grain_ns() > 0;
  Json columns = Json::object(), lanes = Json::array();
  for (const Lane& lane : f.spans.lanes())
    lanes.push_back({lane.tid, lane.pid, lane.spans.size(), program_of(f.info, lane.pid)});
  const auto column = [&](const char* name, auto write) {
    const size_t from = packer.size();
    for (const Lane& lane : f.spans.lanes()) {
      uint64_t before = f.first_ns;
      for (const Span& span : lane.spans) {
        write(span, before);
        before = span.end_ns;
      }
    }
    columns[name] = {from, packer.size()};
  };
  column("gap", [&](const Span& s, uint64_t before) { packer.number(s.start_ns - before); });
  column("length", [&](const Span& s, uint64_t) { packer.number(s.end_ns - s.start_ns); });
  column("name", [&](const Span& s, uint64_t) { packer.number(s.name); });
  column("flags", [&](const Span& s, uint64_t) { packer.number(s.flags); });
  column("error", [&](const Span& s, uint64_t) { packer.number(s.error); });
  column("place", [&](const Span& s, uint64_t) { packer.number(s.place); });
  if (joined) {
    column("busy", [&](const Span& s, uint64_t) { packer.number(s.busy_ns); });
    column("calls", [&](const Span& s, uint64_t) { packer.number(s.calls); });
  }
  const size_t from = packer.size();
  for (const std::string& name : f.spans.names()) {  // "visible" text has no line feed
    packer.text(name);
    packer.text("\n");
  }
  return {{"count", f.spans.size()},
          {"lanes", lanes},
          {"columns", columns},
          {"places", {from, packer.size()}},
          {"grain_ns", f.spans.grain_ns()},
          {"unnamed", f.spans.unnamed()},
          {"left_out", f.spans.left_out()}};
}

Json worth_json(const Worth& w) {
  if (!w.why_not.empty()) return nullptr;
  return {{"wall_ns", w.verdict.wall_ns},
          {"start_ns", w.verdict.start_ns},
          {"crossing_ns", w.cost.crossing_ns},
          {"calls", w.replay.calls},
          {"entries", w.replay.entries},
          {"measured", w.cost.age_s >= 0},
          {"kernel", {w.kernel.at_zero, w.kernel.slope}},
          {"user", {w.user.at_zero, w.user.slope}}};
}

}  // namespace

std::string data_html(const Facts& f) {
  Packer packer;
  Json data;
  data["schema"] = 1;
  data["wall_ns"] = f.wall_ns();
  data["in_calls_ns"] = f.in_calls_ns;
  data["touched"] = f.places.first_touches();
  data["categories"] = kCategoryNames;
  data["calls"] = Json::array();
  for (const CallRow& row : f.names.rows())
    data["calls"].push_back({visible(row.name), static_cast<int>(row.category)});
  data["spans"] = pack_spans(f, packer);
  data["flow"] = Json::array();
  for (const Step& s : f.flow.steps(kLeastShare, kMostSteps))
    data["flow"].push_back(
        {s.name == Flow::kMore ? -1 : static_cast<int64_t>(s.name), s.parent, s.times, s.calls, s.ns});
  data["folders"] = Json::array();
  for (size_t i = 0; i < std::min(f.folders.size(), kMostFolders); ++i) {
    const Folder& one = f.folders[i];
    data["folders"].push_back({visible(one.name, kFolderName), one.parent, one.files, one.cost.calls,
                               one.cost.ns, one.cost.bytes, one.cost.errors});
  }
  data["worth"] = worth_json(f.worth);
  std::string out = "<script type=\"application/json\" id=facts>";
  out += inert(data.dump(-1, ' ', true, Json::error_handler_t::replace));
  out += "</script>\n<script type=\"text/plain\" id=packed>";
  out += packer.base64();
  return out + "</script>\n";
}

}  // namespace sysvm::page
