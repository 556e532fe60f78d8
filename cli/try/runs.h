// SPDX-License-Identifier: MIT
// The runs of `sysvm try`: each with the same input, in the same place, its output kept, its end known.
//
// Tested by tests/cli/try_test.py.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/try/copy.h"
#include "cli/try/folder.h"
#include "cli/try/streams.h"
#include "common/result.h"
#include "tracer/spawn.h"

namespace sysvm {

struct TryRun {
  int wait_status = 0;   // as wait(2) gives it
  double wall_ms = 0;    // release to end; only of a run by plain()
  std::string out, err;  // paths of its output
  std::optional<TreeFacts> tree;

  int exit_code() const;  // 128 + n for signal n
};

// "" if nothing differs, else the first difference: status, standard output, standard error, tree.
std::string difference(const TryRun& a, const TryRun& b);

// Copies the run's output to ours.
void show_output(const TryRun& run);

class TryRuns {
 public:
  // Captures standard input. exit_code says what to exit with if there is an error.
  static Result<TryRuns> make(const std::vector<std::string>& command, const std::string& in_copy,
                              int& exit_code);
  TryRuns(TryRuns&&) = default;
  ~TryRuns();

  // One run that nobody watches, timed. environment: empty for ours.
  // through: words before the command, of a program that runs it.
  Result<TryRun> plain(const std::vector<std::string>& environment, int& exit_code,
                       const std::vector<std::string>& through = {});
  // One run that start() makes of the command; it gives the wait status.
  Result<TryRun> with(const std::vector<std::string>& environment,
                      const std::function<Result<int>(Command&)>& start,
                      const std::vector<std::string>& through = {});

  bool interrupted() const { return interrupted_; }  // ^C ended the last run: the user wants no more of them
  const std::string& folder() const { return folder_->path(); }  // private; goes with this object

 private:
  TryRuns() = default;

  std::optional<TryFolder> folder_;
  std::vector<std::string> argv_;
  std::optional<CapturedInput> input_;
  std::optional<FreshCopy> copy_;
  int count_ = 0;
  bool interrupted_ = false;
};

}  // namespace sysvm
