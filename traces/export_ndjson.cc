// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "traces/export.h"
#include "traces/in_order.h"
#include "traces/strace_text.h"

namespace sysvm {

namespace {

using Json = nlohmann::ordered_json;

Json number(uint64_t n) {
  if (n > (1ull << 53)) return std::to_string(n);
  return n;
}

Json number(int64_t n) {
  if (n > (1ll << 53) || n < -(1ll << 53)) return std::to_string(n);
  return n;
}

std::string line(const Json& j) { return j.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace

std::string ndjson_header(const TraceInfo& info, uint64_t first_ns) {
  const TraceHeader& h = info.header;
  return line(Json{{"schema", 1},
                   {"kind", "sysvm.dump"},
                   {"first_ns", number(first_ns)},
                   {"boottime_ns", number(h.boottime_ns)},
                   {"realtime_ns", number(h.realtime_ns)},
                   {"host", h.host},
                   {"kernel", h.kernel},
                   {"arch", h.arch},
                   {"backend", h.backend},
                   {"command", h.command}});
}

std::string ndjson_event(const TraceInfo& info, const Event& e) {
  Json j;
  j["ts_ns"] = number(e.ts_ns);
  j["dur_ns"] = number(e.dur_ns);
  j["pid"] = e.pid;
  j["tid"] = e.tid;
  j["seq"] = e.seq;
  if (e.has(kSignal)) {
    j["signal"] = signal_name(static_cast<int>(e.args[0]));
    return line(j);
  }
  j["call"] = call_label(info, e);
  const CallInfo* call = e.has(kCompat) ? nullptr : info.call(e.nr);
  j["args"] = Json::array();
  for (size_t i = 0; i < (call ? std::min<size_t>(call->args.size(), 6) : 6); ++i)
    j["args"].push_back(e.knows(i) ? number(e.args[i]) : Json());
  j["ret"] = e.has(kNoExit) || e.has(kUnknownRet) ? Json() : number(e.ret);
  if (e.has(kUnknownRet) && e.ret < 0)
    j["error"] = "unknown";
  else if (e.failed())
    j["error"] = errno_name(static_cast<int>(-e.ret));
  if (e.path[0]) j["path"] = info.strings[e.path[0]];
  if (e.path[1]) j["path2"] = info.strings[e.path[1]];
  if (e.has(kHasStat))
    j["stat"] = {{"mode", e.st_mode},
                 {"size", number(e.st_size)},
                 {"dev", number(e.st_dev)},
                 {"ino", number(e.st_ino)}};
  if (e.has(kHasData)) j["data"] = {{"kind", to_string(e.data_kind)}, {"hex", hex(info.strings[e.data])}};
  if (e.flags) j["flags"] = e.flags;
  if (e.ip) j["ip"] = number(e.ip);
  if (e.caller) j["caller"] = number(e.caller);
  return line(j);
}

Result<TraceInfo> export_ndjson(const std::string& path, const Output& out) {
  bool first = true, ok = true;
  auto info = for_each_in_order(
      path, [](const TraceInfo&) {},
      [&](const Event& e, const TraceInfo& so_far) {
        if (std::exchange(first, false)) ok = out(ndjson_header(so_far, e.ts_ns) + "\n");
        return ok && (ok = out(ndjson_event(so_far, e) + "\n"));
      });
  if (info && first) ok = out(ndjson_header(*info, 0) + "\n");
  if (info && ok)
    for (const Loss& l : info->losses)
      if (!out(line(Json{{"lost", number(l.count)},
                         {"reason", to_string(l.reason)},
                         {"from_ns", number(l.from_ns)},
                         {"to_ns", number(l.to_ns)}}) +
               "\n"))
        break;
  return info;
}

}  // namespace sysvm
