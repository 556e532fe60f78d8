// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/try/report.h"

namespace sysvm {
namespace {

TryReport sample() {
  TryReport r;
  r.command = {"grep", "-r", "x\xff"};
  r.engine = "user";
  r.engine_note = "why";
  r.identical = true;
  r.compared = {"stdout", "stderr", "exit_status"};
  r.exit_status = 1;
  r.syscalls = 1234567;
  r.entries_before = 1234000;
  r.entries_after = 308500;
  r.plain_ms = 12.5;
  r.sysvm_ms = 13;
  r.plain_runs = r.sysvm_runs = 2;
  r.procedures = {{"openat: read", "run_ahead", 1000, 2, 1}};
  return r;
}

TEST(TryReport, JsonHasTheFieldsOfTheSchema) {
  const auto j = nlohmann::json::parse(to_json(sample()));
  EXPECT_EQ(j["schema"], 1);
  EXPECT_EQ(j["command"].size(), 3u);
  EXPECT_EQ(j["engine"], "user");
  EXPECT_EQ(j["identical"], true);
  EXPECT_EQ(j["exit_status"], 1);
  EXPECT_EQ(j["syscalls"], 1234567);
  EXPECT_EQ(j["entries"]["before"], 1234000);
  EXPECT_EQ(j["entries"]["after"], 308500);
  EXPECT_EQ(j["wall_ms"]["plain"], 12.5);
  EXPECT_EQ(j["wall_ms"]["sysvm"], 13.0);
  const auto& p = j["procedures"][0];
  EXPECT_EQ(p["name"], "openat: read");
  EXPECT_EQ(p["mode"], "run_ahead");
  EXPECT_EQ(p["hits"], 1000);
  EXPECT_EQ(p["misses"], 2);
  EXPECT_EQ(p["undone"], 1);
}

TEST(TryReport, TheVerdictIsOfWhatWasMeasuredAndComesFirst) {
  TryReport r = sample();
  const auto verdict = [&] {
    const std::string table = to_table(r);
    const size_t at = table.find("  verdict ");
    EXPECT_LT(at, table.find("  identical ")) << table;
    return table.substr(at, table.find('\n', at) - at);
  };
  EXPECT_NE(verdict().find("slower here: 0.5 ms (4.0 %) more with the user engine"), std::string::npos)
      << verdict();
  r.noise_ms = 0.6;
  EXPECT_NE(verdict().find("nothing to gain here: +0.5 ms (+4.0 %)"), std::string::npos) << verdict();
  EXPECT_EQ(nlohmann::json::parse(to_json(r))["verdict"], "nothing to gain");
  r.sysvm_ms = 10;
  EXPECT_NE(verdict().find("faster here: 2.5 ms (20.0 %) less"), std::string::npos) << verdict();
  EXPECT_EQ(nlohmann::json::parse(to_json(r))["verdict"], "faster");
  r.plain_ms = r.sysvm_ms = r.noise_ms = 0;
  EXPECT_EQ(verdict().find("nan"), std::string::npos) << verdict();
}

TEST(TryReport, WhatWasPredictedStandsBesideIt) {
  TryReport r = sample();
  r.entries_predicted = 305415;
  r.predicted = "slower: about 1 ms more";
  r.why = {"4100 of 5000 calls are write"};
  const std::string table = to_table(r);
  EXPECT_NE(table.find("305,415 crossings (-1.0 % of those after); slower: about 1 ms more"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("4100 of 5000 calls are write"), std::string::npos) << table;
  EXPECT_EQ(nlohmann::json::parse(to_json(r))["predicted"]["entries"], 305415);
}

TEST(TryReport, WhatCannotBeKnownIsNullWithItsReason) {
  TryReport r = sample();
  r.identical.reset();
  r.reason = "two plain runs differ";
  const auto j = nlohmann::json::parse(to_json(r));
  EXPECT_TRUE(j["identical"].is_null());
  EXPECT_EQ(j["reason"], "two plain runs differ");
  EXPECT_NE(to_table(r).find("not known: two plain runs differ"), std::string::npos);
}

TEST(TryReport, TableGroupsDigitsAndPrintsTheFactor) {
  const std::string table = to_table(sample());
  EXPECT_NE(table.find("1,234,000 before, 308,500 after: 4.00 times fewer"), std::string::npos) << table;
  EXPECT_NE(table.find("1,234,567 calls"), std::string::npos) << table;
}

TEST(TryReport, TableSaysWhenThereIsNothingToGain) {
  TryReport r = sample();
  r.procedures.clear();
  EXPECT_NE(to_table(r).find("no procedures"), std::string::npos);
}

TEST(TryReport, TableSaysWhenThereAreMoreEntries) {
  TryReport r = sample();
  r.entries_before = 100;
  r.entries_after = 150;
  EXPECT_NE(to_table(r).find("100 before, 150 after: 1.50 times MORE"), std::string::npos) << to_table(r);
}

TEST(TryReport, ADifferenceIsLoud) {
  TryReport r = sample();
  r.identical = false;
  r.reason = "stdout: 3 and 4 bytes";
  EXPECT_NE(to_table(r).find("NO: stdout: 3 and 4 bytes"), std::string::npos);
}

}  // namespace
}  // namespace sysvm
