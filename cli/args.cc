// SPDX-License-Identifier: MIT
#include "cli/args.h"

namespace sysvm {

SplitArgs split_args(const std::vector<std::string>& words, const std::set<std::string>& with_value) {
  SplitArgs out;
  size_t i = 0;
  for (; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (word == "--") {
      ++i;
      break;
    }
    if (word.size() < 2 || word[0] != '-') break;
    out.own.push_back(word);
    if (with_value.count(word) && i + 1 < words.size()) out.own.push_back(words[++i]);
  }
  out.command.assign(words.begin() + static_cast<long>(i), words.end());
  return out;
}

}  // namespace sysvm
