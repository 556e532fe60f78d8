// SPDX-License-Identifier: MIT
#include "optimizer/mine.h"

#include <fmt/format.h>
#include <string.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "optimizer/calls.h"
#include "optimizer/dataflow.h"
#include "optimizer/legality.h"
#include "optimizer/streams.h"

namespace sysvm {
namespace {

struct At {  // one occurrence
  const Stream* stream;
  size_t position;
};

struct Gram {
  uint64_t hash;
  size_t length;
  uint64_t count;
  At first;
  bool triggers;
  double score() const {
    return static_cast<double>(count) * static_cast<double>(length - 1) * (triggers ? 1.05 : 1.0);
  }
};

std::string token_text(const Event& e) {
  const CallTraits traits = traits_of(e);
  std::string text = traits.name;
  for (size_t i = 0; i < traits.nargs; ++i)
    if (traits.arg[i].kind == SYSVM_KIND_FLAGS) text += fmt::format(" {:x}", e.args[i] & 0xffffffffu);
  if (e.ret < 0)
    text += fmt::format(" {}", e.ret);
  else if (traits.result == SYSVM_RESULT_BYTES && e.ret == 0)
    text += " =0";
  return text;
}

class Miner {
 public:
  Miner(const std::vector<const Trace*>& traces, const MineOptions& options) : options_(options) {
    StreamCounts counts;
    streams_ = split_into_streams(traces, &counts);
    report_.calls = counts.calls;
    number_tokens();
  }

  MineReport run() {
    std::vector<Gram> grams = frequent();
    auto worse = [](const Gram& a, const Gram& b) { return a.score() < b.score(); };
    std::make_heap(grams.begin(), grams.end(), worse);
    while (!grams.empty() && report_.sequences.size() < options_.max_sequences) {
      std::pop_heap(grams.begin(), grams.end(), worse);
      Gram best = grams.back();
      grams.pop_back();
      const std::vector<At> where = occurrences(best);
      if (where.size() < options_.min_count) continue;
      best.count = where.size();
      if (!grams.empty() && best.score() < grams.front().score()) {  // less than it seemed: wait for its turn
        grams.push_back(best);
        std::push_heap(grams.begin(), grams.end(), worse);
        continue;
      }
      take(best, where);
    }
    return report_;
  }

 private:
  void number_tokens() {
    std::unordered_map<std::string, uint32_t> ids;
    for (const Stream& s : streams_) {
      std::vector<uint32_t>& tokens = tokens_.emplace_back();
      for (const Event* e : s.calls)
        tokens.push_back(
            ids.try_emplace(token_text(*e), static_cast<uint32_t>(ids.size() + 1)).first->second);
      taken_.emplace_back(tokens.size(), 0);
      std::vector<uint64_t>& prefix = prefix_.emplace_back(1, 0);
      for (uint32_t t : tokens) prefix.push_back(prefix.back() * kBase + scramble(t));
    }
    powers_.assign(1, 1);
    for (size_t i = 0; i <= options_.max_length; ++i) powers_.push_back(powers_.back() * kBase);
  }

  static uint64_t scramble(uint64_t x) {
    x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15ull;
    return (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9ull;
  }
  uint64_t hash(size_t stream, size_t at, size_t length) const {
    return prefix_[stream][at + length] - prefix_[stream][at] * powers_[length];
  }

  // Every n-gram that occurs often enough, not overlapping itself.
  std::vector<Gram> frequent() const {
    struct Count {
      uint64_t n = 0;
      size_t stream = SIZE_MAX, end = 0;  // of the last occurrence counted
      At first{nullptr, 0};
    };
    std::vector<Gram> out;
    std::unordered_map<uint64_t, Count> shorter;
    for (size_t length = 1; length <= options_.max_length; ++length) {
      std::unordered_map<uint64_t, Count> counts;
      for (size_t s = 0; s < streams_.size(); ++s)
        for (size_t i = 0; i + length <= tokens_[s].size(); ++i) {
          if (length > 1 &&
              (!shorter.count(hash(s, i, length - 1)) || !shorter.count(hash(s, i + 1, length - 1))))
            continue;
          Count& c = counts[hash(s, i, length)];
          if (c.stream == s && c.end > i) continue;
          if (!c.n) c.first = {&streams_[s], i};
          ++c.n;
          c.stream = s;
          c.end = i + length;
        }
      std::erase_if(counts, [&](const auto& entry) { return entry.second.n < options_.min_count; });
      if (counts.empty()) break;
      for (const auto& [h, c] : counts) {
        const size_t s = static_cast<size_t>(c.first.stream - streams_.data());
        if (length > 1 && !repeats_itself(s, c.first.position, length))
          out.push_back({h, length, c.n, c.first, may_trigger(*c.first.stream->calls[c.first.position])});
      }
      shorter = std::move(counts);
    }
    return out;
  }

  // Its end is its beginning: in a loop it would be more than one round. A run of one token is shown as a
  // pair.
  bool repeats_itself(size_t s, size_t at, size_t length) const {
    for (size_t period = length == 2 ? 2 : 1; period < length; ++period)
      if (hash(s, at, length - period) == hash(s, at + period, length - period)) return true;
    return false;
  }

  std::vector<At> occurrences(const Gram& g) const {
    std::vector<At> out;
    for (size_t s = 0; s < streams_.size(); ++s)
      for (size_t i = 0; i + g.length <= tokens_[s].size();) {
        const bool is_free =
            std::none_of(taken_[s].begin() + static_cast<long>(i),
                         taken_[s].begin() + static_cast<long>(i + g.length), [](char t) { return t; });
        if (is_free && hash(s, i, g.length) == g.hash) {
          out.push_back({&streams_[s], i});
          i += g.length;
        } else {
          ++i;
        }
      }
    return out;
  }

  void take(const Gram& g, const std::vector<At>& where) {
    for (const At& at : where) {
      const auto s = static_cast<size_t>(at.stream - streams_.data());
      std::fill_n(taken_[s].begin() + static_cast<long>(at.position), g.length, 1);
    }
    MinedSequence& out = report_.sequences.emplace_back();
    out.count = where.size();
    for (size_t k = 0; k < g.length; ++k) {
      out.calls.push_back(describe_call(where, k));
      if (k && out.calls.back().known) ++out.known;
    }
    report_.covered += g.length * out.count;
    report_.known += out.known * out.count;
  }

  static const Event& call(const At& at, size_t k) { return *at.stream->calls[at.position + k]; }

  template <typename Predicate>
  static bool all(const std::vector<At>& where, Predicate predicate) {
    return std::all_of(where.begin(), where.end(), predicate);
  }

  MinedCall describe_call(const std::vector<At>& where, size_t k) const {
    const Event& sample = call(where[0], k);
    const CallTraits traits = traits_of(sample);
    MinedCall out;
    out.name = traits.name.substr(0, traits.name.find(' '));
    out.known = true;
    for (size_t i = 0; i < traits.nargs; ++i) {
      out.args.push_back(argument(where, k, i, traits));
      // The size of a transfer that came to an end does not matter.
      const bool end = traits.arg[i].kind == SYSVM_KIND_SIZE && sample.ret == 0;
      out.known &= out.args.back() != "*" || end;
    }
    if (sample.ret < 0) {
      const char* name = strerrorname_np(static_cast<int>(-sample.ret));
      out.result = fmt::format("-{}", name ? name : std::to_string(-sample.ret));
    } else if (traits.result == SYSVM_RESULT_FD) {
      out.result = "fd";
    } else if (all(where, [&](const At& at) { return call(at, k).ret == sample.ret; })) {
      out.result = number_text(static_cast<uint64_t>(sample.ret), {});
    } else {
      out.result = "n";
    }
    return out;
  }

  std::string argument(const std::vector<At>& where, size_t k, size_t i, const CallTraits& traits) const {
    const uint16_t kind = traits.arg[i].kind;
    const Event& sample = call(where[0], k);
    if (kind == SYSVM_KIND_OUT || kind == SYSVM_KIND_OUTS || kind == SYSVM_KIND_OUTN) return "buf";
    if (kind == SYSVM_KIND_PATH || kind == SYSVM_KIND_STR) return string_argument_text(where, k, i, traits);
    if (kind == SYSVM_KIND_CMD && traits.name.find(' ') != std::string::npos)
      return traits.name.substr(traits.name.find(' ') + 1);
    if (kind == SYSVM_KIND_NONE) return "_";

    const bool descriptor = kind == SYSVM_KIND_FD || kind == SYSVM_KIND_DIRFD;
    auto same = [&](uint64_t a, uint64_t b) {
      return a == b || (descriptor && static_cast<uint32_t>(a) == static_cast<uint32_t>(b));
    };
    const bool constant = all(where, [&](const At& at) { return same(call(at, k).args[i], sample.args[i]); });
    if (constant && !descriptor) return number_text(sample.args[i], traits.arg[i]);
    for (size_t j = k; j-- > 0;) {
      if (traits_of(call(where[0], j)).result != SYSVM_RESULT_FD && descriptor) continue;
      if (sample.ret < 0 && sample.ret == call(where[0], j).ret) continue;
      if (all(where, [&](const At& at) {
            return same(call(at, k).args[i], static_cast<uint64_t>(call(at, j).ret));
          }))
        return fmt::format("#{}", j);
    }
    for (size_t j = 0; j < k; ++j) {
      const CallTraits other = traits_of(call(where[0], j));
      for (size_t a = 0; a < other.nargs; ++a) {
        const uint16_t theirs = other.arg[a].kind;
        if (descriptor != (theirs == SYSVM_KIND_FD || theirs == SYSVM_KIND_DIRFD) ||
            theirs == SYSVM_KIND_PATH)
          continue;
        if (all(where, [&](const At& at) { return same(call(at, k).args[i], call(at, j).args[a]); }))
          return fmt::format("={}.{}", j, a);
      }
    }
    return constant ? number_text(sample.args[i], traits.arg[i]) : "*";
  }

  std::string string_argument_text(const std::vector<At>& where, size_t k, size_t i,
                                   const CallTraits& traits) const {
    auto text = [&](const At& at) { return string_argument(*at.stream, call(at, k), traits, i); };
    const std::string* sample = text(where[0]);
    if (!sample) return "*";
    if (all(where, [&](const At& at) { return text(at) && *text(at) == *sample; }))
      return '"' + *sample + '"';
    for (size_t j = 0; j < k; ++j) {
      const CallTraits other = traits_of(call(where[0], j));
      for (size_t a = 0; a < other.nargs; ++a) {
        if (other.arg[a].kind != traits.arg[i].kind) continue;
        if (all(where, [&](const At& at) {
              const std::string* theirs = string_argument(*at.stream, call(at, j), other, a);
              return text(at) && theirs && *text(at) == *theirs;
            }))
          return fmt::format("={}.{}", j, a);
      }
    }
    return "*";
  }

  static constexpr uint64_t kBase = 0x9ddfea08eb382d69ull;
  MineOptions options_;
  MineReport report_;
  std::vector<Stream> streams_;
  std::vector<std::vector<uint32_t>> tokens_;
  std::vector<std::vector<char>> taken_;
  std::vector<std::vector<uint64_t>> prefix_;  // rolling hash of each stream
  std::vector<uint64_t> powers_;
};

}  // namespace

std::string MinedCall::text() const {
  std::string out = name + "(";
  for (size_t i = 0; i < args.size(); ++i) out += (i ? ", " : "") + args[i];
  return out + ") = " + result;
}

MineReport mine(const std::vector<const Trace*>& traces, const MineOptions& options) {
  return Miner(traces, options).run();
}

}  // namespace sysvm
