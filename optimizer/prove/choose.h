// SPDX-License-Identifier: MIT
// From a class of triggers, or the shape of a loop, to what is kept of it.
//
// One procedure serves all places of the program that make the call; or there is one for each place, where
// that saves more: a procedure that misses often is switched off by the shim. Tested by
// tests/optimizer/compile_test.cc.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"
#include "optimizer/base/names.h"
#include "optimizer/base/options.h"
#include "optimizer/learn/by_site.h"
#include "optimizer/learn/classes.h"
#include "optimizer/prove/attempt.h"
#include "optimizer/prove/kept.h"
#include "optimizer/prove/trial.h"

namespace sysvm {

class Chooser {
 public:
  Chooser(const CompileOptions& options, const BuildNames& names, Kept& kept)
      : options_(options), names_(names), trials_(options_.cost, !options.strict), kept_(kept) {}

  Result<> add(const TriggerClass& of);
  // The trigger is the first call about one of the names that nothing else answers.
  Result<> add_loop(const std::string& exe, const LoopShape& shape,
                    const std::vector<const Stream*>& streams);

 private:
  void take(const TriggerClass& of, Attempt& found, const SiteGroup& group);

  const CompileOptions& options_;
  const BuildNames& names_;
  Trials trials_;
  SiteIndex sites_;
  Kept& kept_;
};

}  // namespace sysvm
