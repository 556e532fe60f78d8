// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "common/numbers.h"
#include "report/page.h"
#include "report/text.h"
#include "traces/own_time.h"
#include "traces/strace_text.h"

namespace sysvm::page {
namespace {

constexpr size_t kMostFiles = 1000, kMostFolders = 200, kMostThreads = 500, kMostProcesses = 500,
                 kMostErrnos = 4;

// A cell with a number: shown as text, sorted by its value.
std::string cell(double value, const std::string& text) {
  return fmt::format("<td data-v=\"{:.6g}\">{}", value, text);
}
std::string count_cell(uint64_t n) {
  return cell(static_cast<double>(n), n ? thousands(n) : "<span class=zero>0</span>");
}
std::string time_cell(double ns) { return cell(ns, ns ? time_text(ns) : "<span class=zero>0</span>"); }
std::string name_cell(std::string_view name, size_t most = kLongest) {
  return "<th scope=row><bdi>" + html(name, most) + "</bdi>";
}

std::string share_cell(double part, double whole) {
  const double share = whole > 0 ? part / whole : 0;
  return fmt::format(
      "<td data-v=\"{:.6g}\" class=share><span class=bar style=\"--share:{:.2f}%\"></span>{:.1f} %", share,
      100 * share, 100 * share);
}

constexpr char kWords = '<';  // begins the head of a column of words
// sort: the column, from 0, that the rows are in order of.
std::string table(std::string_view id, std::string_view caption, const std::vector<std::string_view>& heads,
                  size_t sort, const std::string& rows) {
  std::string out = fmt::format(
      "<div class=scroll tabindex=0 role=region aria-label=\"{}\"><table id=\"{}\"><thead><tr>", caption, id);
  for (size_t i = 0; i < heads.size(); ++i)
    out += fmt::format("<th scope=col{}{}>{}", i && i == sort ? " aria-sort=descending" : "",
                       heads[i].starts_with(kWords) ? " class=words" : "",
                       heads[i].substr(heads[i].starts_with(kWords)));
  return out + "</tr></thead><tbody>\n" + rows + "</tbody></table></div>\n";
}

std::string rest(size_t all, size_t shown, std::string_view of) {
  return all > shown ? fmt::format("<p class=note>and {} more {}</p>\n", thousands(all - shown), of) : "";
}

// How the calls are spread over durations: a column for each power of two, logarithmic.
std::string spark(const Quantiles& times) {
  constexpr int kFrom = 7, kTo = 34;  // 64 ns ... 8.6 s
  const auto powers = times.powers();
  uint64_t columns[kTo - kFrom + 1] = {}, most = 1;
  for (int k = 0; k < 65; ++k) columns[std::clamp(k, kFrom, kTo) - kFrom] += powers[static_cast<size_t>(k)];
  for (const uint64_t n : columns) most = std::max(most, n);
  std::string path;
  for (int i = 0; i <= kTo - kFrom; ++i)
    if (columns[i]) {
      const int high =
          2 + static_cast<int>(14.0 * static_cast<double>(columns[i]) / static_cast<double>(most));
      path += fmt::format("M{} 16v-{}h3v{}z", 4 * i, high, high);
    }
  return fmt::format(
      "<td class=spark><svg viewBox=\"0 0 112 16\" width=112 height=16 aria-hidden=true><path "
      "d=\"{}\"/></svg>",
      path);
}

std::string errnos(const CallRow& row) {
  std::vector<std::pair<int, uint64_t>> all(row.errnos.begin(), row.errnos.end());
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string out;
  for (size_t i = 0; i < std::min(all.size(), kMostErrnos); ++i)
    out += fmt::format("{}{} {}", i ? ", " : "", errno_name(all[i].first), thousands(all[i].second));
  return out + (all.size() > kMostErrnos ? ", \u2026" : "");
}

}  // namespace

std::string summary_html(const Facts& f) {
  const TraceHeader& h = f.info.header;
  uint64_t lost = 0;
  for (const Loss& l : f.info.losses) lost += l.count;
  std::string out = "<dl class=facts>\n";
  const auto fact = [&](std::string_view name, const std::string& value, std::string_view more = "") {
    out += fmt::format("<div><dt>{}<dd>{}{}</div>\n", name, value,
                       more.empty() ? "" : fmt::format(" <small>{}</small>", more));
  };
  const auto wall = static_cast<double>(f.wall_ns());
  const auto share = [&](uint64_t ns) {
    return wall > 0 ? fmt::format("{:.1f} % of the recording", 100 * static_cast<double>(ns) / wall) : "";
  };
  fact("first call to last", time_text(wall));
  fact("calls", thousands(f.calls), f.signals ? fmt::format("and {} signals", thousands(f.signals)) : "");
  fact("in calls", time_text(static_cast<double>(f.in_calls_ns)),
       f.threads.size() > 1 ? "all threads together" : share(f.in_calls_ns));
  fact("waiting", time_text(static_cast<double>(f.waiting_ns)), "in poll, futex, wait \u2026");
  fact("threads", thousands(f.threads.size()),
       fmt::format("{} process image{}", thousands(f.info.processes.size()),
                   f.info.processes.size() == 1 ? "" : "s"));
  fact("places", thousands(f.places.size()), "files and directories");
  const bool whole = !lost && !f.missing && f.info.stats && f.info.damage.empty();
  fact("complete", whole ? "<span class=good>yes</span>" : "<span class=bad>no</span>",
       whole ? "no loss, no hole in a thread\u2019s numbering"
             : fmt::format("{} lost, {} missing{}", thousands(lost), thousands(f.missing),
                           f.info.stats ? "" : "; the recording was not closed"));
  out += "</dl>\n<p class=origin>Recorded by " + html(h.tool) + " (" + html(h.backend) + ") on " +
         html(h.host) + ", " + html(h.kernel) + " " + html(h.arch);
  if (h.call_cost_ns)
    out += fmt::format("; tracing added about {} ns to each call, which is in the times", h.call_cost_ns);
  if (!h.filter.empty()) out += "; only " + html(h.filter);
  out += ".</p>\n";
  if (!f.info.damage.empty()) out += fmt::format("<p class=bad>damage: {}</p>\n", html(f.info.damage));
  return out;
}

std::string calls_html(const Facts& f) {
  std::vector<const CallRow*> rows;
  for (const CallRow& row : f.names.rows())
    if (row.calls) rows.push_back(&row);
  if (rows.empty()) return "<p>None.</p>\n";
  std::stable_sort(rows.begin(), rows.end(),
                   [](const CallRow* a, const CallRow* b) { return a->total_ns > b->total_ns; });
  std::string out;
  for (const CallRow* row : rows) {
    Quantiles times = row->times;
    const auto at = times.at({0.5, 0.9, 0.99, 0.999});
    out += fmt::format("<tr data-kind={}>", static_cast<int>(row->category)) + name_cell(row->name) +
           count_cell(row->calls) + time_cell(static_cast<double>(row->total_ns)) +
           share_cell(static_cast<double>(row->total_ns), static_cast<double>(f.in_calls_ns)) +
           time_cell(static_cast<double>(row->total_ns) / static_cast<double>(row->calls));
    for (const uint64_t ns : at) out += time_cell(static_cast<double>(ns));
    out += time_cell(static_cast<double>(row->longest_ns)) + spark(times) + count_cell(row->errors) +
           "<td class=words>" + errnos(*row) + "</tr>\n";
  }
  return table("calls-table", "calls",
               {"call", "calls", "total", "share", "mean", "p50", "p90", "p99", "p99.9", "longest", "spread",
                "errors", "<which"},
               2, out);
}

std::string verdict_html(const Facts& f) {
  const Worth& w = f.worth;
  if (!w.why_not.empty()) return "<p class=verdict>Not known: " + html(w.why_not) + ".</p>\n";
  const Verdict& v = w.verdict;
  std::string out = "<p class=verdict><b>With the module</b> " + html(prediction_text(v.kernel, v.wall_ns)) +
                    ".<br><b>With the user engine</b> " + html(prediction_text(v.user, v.wall_ns)) +
                    ".</p>\n";
  out += fmt::format(
      "<p>{} calls become {} entries: {}. An entry costs {:.0f} ns ({}); starting the shim costs {}.</p>\n",
      thousands(w.replay.calls), thousands(w.replay.entries), times_fewer(w.replay.calls, w.replay.entries),
      w.cost.crossing_ns, html(w.cost.source_and_age()), time_text(v.start_ns));
  for (const std::string& why : v.why) out += "<p class=note>" + html(why, 2 * kLongest) + "</p>\n";
  return out;
}

std::string procedures_html(const Facts& f) {
  const Worth& w = f.worth;
  if (!w.why_not.empty()) return "";
  if (w.procedures.empty()) return "<p>No procedure pays here.</p>\n";
  std::string out;
  for (const ProcedureWorth& p : w.procedures) {
    const ReplayedProcedure& c = p.counts;
    const double saved = p.saved_ns.at(w.cost.crossing_ns);
    out +=
        fmt::format("<tr data-zero=\"{:.6g}\" data-slope=\"{:.6g}\">", p.saved_ns.at_zero, p.saved_ns.slope) +
        name_cell(c.name) + fmt::format("<td class=words>{}", html(c.mode)) + count_cell(c.runs) +
        count_cell(c.hits) + count_cell(c.misses) + count_cell(c.undone) +
        fmt::format("<td class=saves data-v=\"{:.6g}\">{}", saved, time_text(saved)) +
        (p.saved_ns.slope > 0 ? cell(-p.saved_ns.at_zero / p.saved_ns.slope,
                                     fmt::format("{:.0f} ns", -p.saved_ns.at_zero / p.saved_ns.slope))
                              : cell(0, "\u2013")) +
        "<td class=words><bdi>" + html(p.trigger) + "</bdi></tr>\n";
  }
  return table(
      "procedures-table", "procedures",
      {"procedure", "<mode", "runs", "hits", "misses", "undone", "saves", "break-even", "<begins at"}, 6,
      out);
}

std::string sequences_html(const MineReport& mined) {
  if (mined.sequences.empty()) return "<p>None repeats.</p>\n";
  std::string out = "<ol class=sequences>\n";
  for (const MinedSequence& s : mined.sequences) {
    out += fmt::format("<li><p><b>{} {}</b>, {} calls", thousands(s.count),
                       s.loop ? "rounds of a loop" : "times", thousands(s.events));
    if (s.calls.size() > 1)
      out += fmt::format("; of the {} after the first {} {} all inputs known when it begins",
                         s.calls.size() - 1, s.known, s.known == 1 ? "has" : "have");
    out += "</p><pre>";
    for (size_t i = 0; i < s.calls.size(); ++i)
      out += fmt::format("{:>2} {} ", i, i && s.calls[i].known ? "\u2713" : " ") + html(s.calls[i].text()) +
             "\n";
    out += "</pre>\n";
  }
  return out +
         "</ol>\n<p class=note>#0: the result of call 0; =0.1: equals argument 1 of call 0; buf: a buffer "
         "that the call fills; *: varies; \u2713: known at the beginning.</p>\n";
}

std::string folders_html(const Facts& f) {
  std::vector<Folder> folders(f.folders.begin() + (f.folders.empty() ? 0 : 1), f.folders.end());
  std::erase_if(folders, [](const Folder& one) { return one.files < 2; });
  std::stable_sort(folders.begin(), folders.end(),
                   [](const Folder& a, const Folder& b) { return a.cost.ns > b.cost.ns; });
  if (folders.empty()) return "";
  std::string out;
  for (size_t i = 0; i < std::min(folders.size(), kMostFolders); ++i) {
    const Folder& one = folders[i];
    out += "<tr>" + name_cell(one.path) + count_cell(one.files) + count_cell(one.cost.calls) +
           time_cell(static_cast<double>(one.cost.ns)) +
           share_cell(static_cast<double>(one.cost.ns), static_cast<double>(f.in_calls_ns - f.waiting_ns)) +
           cell(static_cast<double>(one.cost.bytes), bytes_text(one.cost.bytes)) +
           count_cell(one.cost.errors) + "</tr>\n";
  }
  return table("folders-table", "directories with all below",
               {"directory, with all below", "paths", "calls", "time", "share without waits", "bytes",
                "errors"},
               3, out) +
         rest(folders.size(), kMostFolders, "directories");
}

std::string files_html(const Facts& f) {
  const std::vector<Place> places = f.places.costliest(kMostFiles);
  if (places.empty()) return "<p>No call was about a file or a directory.</p>\n";
  std::string out;
  for (const Place& one : places)
    out += "<tr>" + name_cell(one.path) + count_cell(one.cost.calls) + count_cell(one.cost.opens) +
           time_cell(static_cast<double>(one.cost.ns)) +
           share_cell(static_cast<double>(one.cost.ns), static_cast<double>(f.in_calls_ns - f.waiting_ns)) +
           cell(static_cast<double>(one.cost.bytes), bytes_text(one.cost.bytes)) +
           count_cell(one.cost.errors) + "</tr>\n";
  return table("files-table", "paths",
               {"path", "calls", "opens", "time", "share without waits", "bytes", "errors"}, 3, out) +
         rest(f.places.size(), places.size(), "paths, each cheaper");
}

std::string threads_html(const Facts& f) {
  std::vector<std::pair<int32_t, ThreadRow>> rows(f.threads.begin(), f.threads.end());
  if (rows.empty()) return "<p>None.</p>\n";
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second.events > b.second.events; });
  std::string out;
  for (size_t i = 0; i < std::min(rows.size(), kMostThreads); ++i) {
    const auto& [tid, t] = rows[i];
    out += fmt::format("<tr><th scope=row data-v={}>{}", tid, tid) + cell(t.pid, std::to_string(t.pid)) +
           count_cell(t.events) +
           fmt::format("<td data-v={}>{}", t.missing,
                       t.missing ? fmt::format("<span class=bad>{}</span>", thousands(t.missing))
                                 : "<span class=zero>0</span>") +
           time_cell(static_cast<double>(t.in_calls_ns)) + time_cell(static_cast<double>(t.waiting_ns)) +
           time_cell(t.events ? static_cast<double>(t.last_ns - t.first_ns) : 0) + "</tr>\n";
  }
  return table("threads-table", "threads",
               {"thread", "process", "events", "missing", "in calls", "of it waiting", "from first to last"},
               2, out) +
         rest(rows.size(), kMostThreads, "threads");
}

std::string processes_html(const Facts& f) {
  if (f.info.processes.empty()) return "<p>None.</p>\n";
  std::string out;
  for (size_t i = 0; i < std::min(f.info.processes.size(), kMostProcesses); ++i) {
    const Process& p = f.info.processes[i];
    std::string words;
    for (const std::string& word : p.argv) words += (words.empty() ? "" : " ") + word;
    out += "<tr>" + name_cell(p.exe.empty() ? "?" : p.exe) + "<td class=words>" + (p.execed ? "" : "fork") +
           cell(p.pid, std::to_string(p.pid)) + cell(p.parent, std::to_string(p.parent)) +
           "<td class=words>" + ended(p) + "<td class=words><bdi>" + html(words) + "</bdi></tr>\n";
  }
  return table("processes-table", "processes", {"image", "", "process", "parent", "<ended", "<command"}, 0,
               out) +
         rest(f.info.processes.size(), kMostProcesses, "images");
}

std::string losses_html(const Facts& f) {
  if (f.info.losses.empty()) return "";
  const auto since = [&](uint64_t ns) { return static_cast<double>(static_cast<int64_t>(ns - f.first_ns)); };
  std::string out;
  for (const Loss& l : f.info.losses)
    out += fmt::format("<tr><th scope=row>{}", to_string(l.reason)) + count_cell(l.count) +
           time_cell(since(l.from_ns)) + time_cell(since(l.to_ns)) + "</tr>\n";
  return "<h3>Losses</h3>\n" + table("losses-table", "losses", {"reason", "events", "from", "to"}, 1, out);
}

}  // namespace sysvm::page
