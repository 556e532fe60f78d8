// SPDX-License-Identifier: MIT
// The options that `record` and `stat` share: who runs the command, and what watches it.
#pragma once

#include <optional>
#include <string>

#include "cli/base/options.h"
#include "common/result.h"
#include "tracer/record_options.h"
#include "tracer/spawn.h"

namespace sysvm {

struct TracedCommand {
  std::string user, btf;
  bool as_root = false;

  void add_to(Options& options);
  Result<Backend> backend() const;
  Result<std::optional<Identity>> identity()
      const;  // the user named, else who called sudo, else us (nothing)

 private:
  std::string backend_ = "auto";
};

}  // namespace sysvm
