// SPDX-License-Identifier: MIT
#include "report/page.h"

#include "report/assets.h"
#include "report/text.h"

namespace sysvm::page {
namespace {

std::string command_of(const Facts& f) {
  std::string out;
  for (const std::string& word : f.info.header.command) out += (out.empty() ? "" : " ") + word;
  return out.empty() ? "a process" : out;
}

std::string part(std::string_view name, const Facts& f) {
  if (name == "title") return html(command_of(f), 80) + " - sysvm report";
  if (name == "command") return html(command_of(f));
  if (name == "script-hash") return kScriptHash;
  if (name == "style") return std::string(kStyle);
  if (name == "script") return std::string(kScript);
  if (name == "summary") return summary_html(f);
  if (name == "verdict") return verdict_html(f);
  if (name == "procedures") return procedures_html(f);
  if (name == "sequences") return f.mined ? sequences_html(*f.mined) : "<p>Not asked for.</p>\n";
  if (name == "calls") return calls_html(f);
  if (name == "folders") return folders_html(f);
  if (name == "files") return files_html(f);
  if (name == "threads") return threads_html(f);
  if (name == "processes") return processes_html(f);
  if (name == "losses") return losses_html(f);
  if (name == "data") return data_html(f);
  return "";
}

// The template is UTF-8, the page ASCII: what is not becomes &#...; where it stands.
std::string ascii(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      out += text[i];
      continue;
    }
    const size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    uint32_t code = c & (0x3fu >> more);
    for (size_t k = 0; k < more && i + 1 < text.size(); ++k)
      code = code << 6 | (static_cast<unsigned char>(text[++i]) & 0x3f);
    out += "&#" + std::to_string(code) + ";";
  }
  return out;
}

}  // namespace

void write_page(const Facts& facts, const Out& out) {
  constexpr std::string_view kBegin = "<!--@", kEnd = "-->";
  std::string_view left = kPage;
  while (true) {
    const size_t mark = left.find(kBegin);
    out(ascii(left.substr(0, mark)));
    if (mark == std::string_view::npos) return;
    left.remove_prefix(mark + kBegin.size());
    const size_t end = left.find(kEnd);
    const std::string text = part(left.substr(0, end), facts);
    // Scripts, styles and data are ASCII as they are; entities mean nothing in them.
    out(left.starts_with("script") || left.starts_with("style") || left.starts_with("data") ? text
                                                                                            : ascii(text));
    left.remove_prefix(end + kEnd.size());
  }
}

}  // namespace sysvm::page
