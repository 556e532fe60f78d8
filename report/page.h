// SPDX-License-Identifier: MIT
// A recording as one HTML file that needs nothing else: pictures for a browser with JavaScript, tables for
// any.
//
// The template (web/page.html) says what stands where; its marks <!--@name--> are filled here. Scripts and
// styles are in the
// file; its content security policy lets no other script run, by the hash of its own, and nothing be loaded.
// What came from the traced
// program is escaped by text.h alone. Tested by tests/report/ (structure, hostile names, data) and, in a
// browser, by
// `make check-report`.
#pragma once

#include <functional>
#include <string_view>

#include "optimizer/mine/mine.h"
#include "report/facts.h"

namespace sysvm::page {

using Out = std::function<void(std::string_view)>;

void write_page(const Facts& facts, const Out& out);

// Parts of it.
std::string summary_html(const Facts& facts);
std::string verdict_html(const Facts& facts);
std::string calls_html(const Facts& facts);
std::string procedures_html(const Facts& facts);
std::string sequences_html(const MineReport& mined);
std::string folders_html(const Facts& facts);
std::string files_html(const Facts& facts);
std::string threads_html(const Facts& facts);
std::string processes_html(const Facts& facts);
std::string losses_html(const Facts& facts);
std::string data_html(const Facts& facts);  // for the pictures (data.cc)

}  // namespace sysvm::page
