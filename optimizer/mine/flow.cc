// SPDX-License-Identifier: MIT
#include "optimizer/mine/flow.h"

#include <fmt/format.h>
#include <string.h>

#include <cstring>

namespace sysvm {
namespace {

enum class Kind : uint8_t {
  kConst,
  kText,
  kResult,
  kArg,
  kTextOf,
  kSize,
  kSizePlusOne,
  kLeft,
  kMode,
  kReady,
  kEntry,
  kSame,
  kStep
};

struct Source {
  Kind kind = Kind::kConst;
  uint8_t call = 0, arg = 0;
  uint64_t value = 0;
  uint32_t text = kNoString;
};

bool is_text(uint16_t kind) { return kind == SYSVM_KIND_PATH || kind == SYSVM_KIND_STR; }
bool is_fd(uint16_t kind) { return kind == SYSVM_KIND_FD || kind == SYSVM_KIND_DIRFD; }
bool is_filled(uint16_t kind) {
  return kind == SYSVM_KIND_OUT || kind == SYSVM_KIND_OUTS || kind == SYSVM_KIND_OUTN;
}
bool narrow(uint16_t kind) {
  return is_fd(kind) || kind == SYSVM_KIND_FLAGS || kind == SYSVM_KIND_MODE || kind == SYSVM_KIND_CMD;
}
bool tells_size(uint32_t nr) {
  return nr == SYSVM_NR_stat || nr == SYSVM_NR_lstat || nr == SYSVM_NR_fstat || nr == SYSVM_NR_newfstatat;
}

class Flow {
 public:
  Flow(const Compact& recording, const std::vector<std::string>& strings, const Repeats& repeats,
       const Repeat& repeat)
      : recording_(recording), strings_(strings), repeats_(repeats), repeat_(repeat) {
    for (uint32_t token : repeat.tokens) traits_.push_back(&recording.tokens()[token]);
    calls_.resize(traits_.size());
    now_.resize(traits_.size());
  }

  void run(PartSequence& out) {
    std::vector<Placed> placed;
    size_t run = 0, run_begins = 0;  // of a loop
    const size_t n = repeat_.where.size(), learned = n < 10 ? n : n - n / 5;
    size_t known_before = 0;
    for (size_t o = 0; o < n; ++o) {
      if (o == learned) known_before = known();
      const bool again = repeat_.loop && o != run_begins;
      if (repeat_.loop && !again) run_begins += repeat_.rounds[run++];
      const Position from = repeat_.where[o];
      repeats_.layout(repeat_, from, again, placed);
      for (const Placed& p : placed)
        see(p.token, recording_.calls()[recording_.streams()[from.stream][p.at]], p);
    }
    if (learned < n) {
      out.held_out = n - learned;
      out.failed = known_before - std::min(known_before, known());
    }
    for (size_t k = 0; k < traits_.size(); ++k) out.calls.push_back(call(k));
  }

 private:
  struct Explained {
    uint64_t count = 0;
    std::vector<std::vector<Source>> sources;  // by argument: what none of them contradicts
  };

  const CallTraits& traits(size_t k) const { return traits_[k]->traits; }
  uint16_t kind(size_t k, size_t i) const { return traits(k).arg[i].kind; }

  // The index of a string argument among those of its call.
  size_t text_index(size_t k, size_t i) const {
    size_t which = 0;
    for (size_t j = 0; j < i; ++j) which += is_text(kind(k, j));
    return which;
  }
  uint32_t text(const CompactCall& call, size_t k, size_t i) const {
    const size_t which = text_index(k, i);
    return which < 2 ? call.text[which] : kNoString;
  }
  bool same_text(uint32_t a, uint32_t b) const {
    return a != kNoString && b != kNoString && (a == b || strings_[a] == strings_[b]);
  }

  static bool same(uint64_t a, uint64_t b, bool is_narrow) {
    return a == b || (is_narrow && static_cast<uint32_t>(a) == static_cast<uint32_t>(b));
  }

  // The next call of number k: what it says of its sources.
  void see(size_t k, const CompactCall& call, const Placed& placed) {
    Calls& all = calls_[k];
    const CompactCall* before = now_[k];
    now_[k] = &call;
    all.again += placed.again && !placed.inner;
    if (!before) all.ret = call.ret;
    all.differs |= call.ret != all.ret;
    Explained& here = placed.inner ? all.inner : all.first;
    if (here.count++) {
      for (size_t i = 0; i < here.sources.size(); ++i)
        if (!here.sources[i].empty())
          std::erase_if(here.sources[i], [&](Source& s) { return !holds(s, k, i, *before, placed.again); });
    } else {
      here.sources.resize(traits(k).nargs);
      for (size_t i = 0; i < traits(k).nargs; ++i) propose(k, i, here.sources[i]);
    }
  }

  // Where a descriptor or number could come from, the likeliest first.
  void propose(size_t k, size_t i, std::vector<Source>& out) const {
    const uint16_t what = kind(k, i);
    if (is_filled(what) || what == SYSVM_KIND_NONE || named_command(k, i)) return;
    const uint64_t value = now_[k]->args[i];
    if (is_text(what)) {
      const uint32_t t = text(*now_[k], k, i);
      if (t == kNoString) return;
      out.push_back({Kind::kText, 0, 0, 0, t});
      for (size_t j = 0; j < k; ++j)
        for (size_t a = 0; a < traits(j).nargs; ++a)
          if (kind(j, a) == what && same_text(t, text(*now_[j], j, a)))
            out.push_back({Kind::kTextOf, static_cast<uint8_t>(j), static_cast<uint8_t>(a), 0, 0});
      if (next_entry(k, i)) out.push_back({Kind::kEntry, 0, 0, 0, 0});
      out.push_back({Kind::kSame, 0, 0, 0, 0});
      return;
    }
    const bool fd = is_fd(what);
    const Source constant{Kind::kConst, 0, 0, value, 0};
    if (!fd) out.push_back(constant);
    for (size_t j = k; j-- > 0;) {
      const bool makes_fd = traits(j).result == SYSVM_RESULT_FD;
      if (fd != makes_fd || now_[j]->ret < 0) continue;
      if (same(value, static_cast<uint64_t>(now_[j]->ret), fd))
        out.push_back({Kind::kResult, static_cast<uint8_t>(j), 0, 0, 0});
    }
    for (size_t j = 0; j < k; ++j)
      for (size_t a = 0; a < traits(j).nargs; ++a) {
        if (fd != is_fd(kind(j, a)) || is_text(kind(j, a)) || is_filled(kind(j, a))) continue;
        if (same(value, now_[j]->args[a], fd))
          out.push_back({Kind::kArg, static_cast<uint8_t>(j), static_cast<uint8_t>(a), 0, 0});
        if (!fd && value && value == now_[j]->args[a] - static_cast<uint64_t>(now_[j]->ret) &&
            now_[j]->ret > 0)
          out.push_back({Kind::kLeft, static_cast<uint8_t>(j), static_cast<uint8_t>(a), 0, 0});
      }
    for (size_t j = 0; j < k && !fd; ++j)
      if (tells_size(traits(j).nr) && now_[j]->ret == 0) {
        if (value == now_[j]->args[5]) out.push_back({Kind::kSize, static_cast<uint8_t>(j), 0, 0, 0});
        if (value == now_[j]->args[5] + 1)
          out.push_back({Kind::kSizePlusOne, static_cast<uint8_t>(j), 0, 0, 0});
      }
    for (size_t j = 0; j < k && what == SYSVM_KIND_MODE; ++j)
      if (tells_size(traits(j).nr) && now_[j]->ret == 0 && value == (now_[j]->args[4] & 07777))
        out.push_back({Kind::kMode, static_cast<uint8_t>(j), 0, 0, 0});
    for (size_t j = 0; j < k && fd; ++j)
      if (ready(*now_[j], j, value)) out.push_back({Kind::kReady, static_cast<uint8_t>(j), 0, 0, 0});
    if (fd) out.push_back(constant);
    out.push_back({Kind::kSame, 0, 0, 0, 0});
    if (!fd && repeat_.where.size() > 2)
      out.push_back({Kind::kStep, 0, 0, 0, 0});  // its step is seen at the second
  }

  bool next_entry(size_t k, size_t i) const {
    return kind(k, i) == SYSVM_KIND_PATH && text_index(k, i) == 0 && now_[k]->data == kNextEntry;
  }

  bool named_command(size_t k, size_t i) const {
    return kind(k, i) == SYSVM_KIND_CMD && traits(k).name.find(' ') != std::string::npos;
  }

  // The descriptor is the datum of one of the events that epoll_wait gave.
  bool ready(const CompactCall& call, size_t k, uint64_t fd) const {
    const uint32_t nr = traits(k).nr;
    if ((nr != SYSVM_NR_epoll_wait && nr != SYSVM_NR_epoll_pwait) || call.data == kNoString) return false;
    const std::string& bytes = strings_[call.data];
    for (size_t at = 0; at + 12 <= bytes.size(); at += 12) {
      uint32_t low;
      std::memcpy(&low, bytes.data() + at + 4, 4);
      if (low == static_cast<uint32_t>(fd)) return true;
    }
    return false;
  }

  bool holds(Source& s, size_t k, size_t i, const CompactCall& before, bool again) const {
    const bool is_narrow = narrow(kind(k, i));
    const uint64_t value = now_[k]->args[i];
    const CompactCall* other = now_[s.call];
    switch (s.kind) {
      case Kind::kConst: return same(value, s.value, is_narrow);
      case Kind::kText: return same_text(text(*now_[k], k, i), s.text);
      case Kind::kResult: return other->ret >= 0 && same(value, static_cast<uint64_t>(other->ret), is_narrow);
      case Kind::kArg: return same(value, other->args[s.arg], is_narrow);
      case Kind::kTextOf: return same_text(text(*now_[k], k, i), text(*now_[s.call], s.call, s.arg));
      case Kind::kSize: return value == other->args[5];
      case Kind::kSizePlusOne: return value == other->args[5] + 1;
      case Kind::kLeft: return value == other->args[s.arg] - static_cast<uint64_t>(other->ret);
      case Kind::kMode: return value == (other->args[4] & 07777);
      case Kind::kReady: return ready(*other, s.call, value);
      case Kind::kEntry: return next_entry(k, i);
      case Kind::kSame:
        if (!again) return true;
        s.value = 1;  // seen in a round after the first
        return is_text(kind(k, i)) ? same_text(text(*now_[k], k, i), text(before, k, i))
                                   : same(value, before.args[i], is_narrow);
      case Kind::kStep: {
        if (repeat_.loop && !again) return true;
        const uint64_t step = value - before.args[i];
        if (!s.value) s.value = step;
        return step && step == s.value;
      }
    }
    return false;
  }

  size_t known() const {
    size_t n = 0;
    for (const Calls& all : calls_)
      for (const auto& arg : all.first.sources) n += !arg.empty();
    return n;
  }

  std::string text_of(const Source& s, size_t k, size_t i) const {
    switch (s.kind) {
      case Kind::kConst: return number_text(s.value, traits(k).arg[i]);
      case Kind::kText: return '"' + strings_[s.text] + '"';
      case Kind::kResult: return fmt::format("#{}", s.call);
      case Kind::kArg:
      case Kind::kTextOf: return fmt::format("={}.{}", s.call, s.arg);
      case Kind::kSize: return fmt::format("#{}.st_size", s.call);
      case Kind::kSizePlusOne: return fmt::format("#{}.st_size+1", s.call);
      case Kind::kLeft: return fmt::format("={}.{}-#{}", s.call, s.arg, s.call);
      case Kind::kMode: return fmt::format("#{}.st_mode", s.call);
      case Kind::kReady: return fmt::format("#{}.ready", s.call);
      case Kind::kEntry: return "d_name";
      case Kind::kSame: return "same";
      case Kind::kStep: return fmt::format("{:+}", static_cast<int64_t>(s.value));
    }
    return "";
  }

  std::vector<std::string> texts_of(const Explained& here, size_t k, size_t i) const {
    std::vector<std::string> out;
    if (i < here.sources.size())
      for (const Source& s : here.sources[i])
        if ((s.kind != Kind::kStep && s.kind != Kind::kSame) || s.value) out.push_back(text_of(s, k, i));
    return out;
  }

  PartCall call(size_t k) const {
    PartCall out;
    out.name = traits(k).name.substr(0, traits(k).name.find(' '));
    for (size_t i = 0; i < traits(k).nargs; ++i) {
      std::vector<std::string> fixed;
      if (is_filled(kind(k, i)))
        fixed = {"buf"};
      else if (kind(k, i) == SYSVM_KIND_NONE)
        fixed = {"_"};
      else if (named_command(k, i))
        fixed = {traits(k).name.substr(traits(k).name.find(' ') + 1)};
      out.sources.push_back(fixed.empty() ? texts_of(calls_[k].first, k, i) : fixed);
      out.inner_sources.push_back(fixed.empty() ? texts_of(calls_[k].inner, k, i) : fixed);
      out.told.push_back(!out.sources.back().empty());
      out.size_at_end.push_back(kind(k, i) == SYSVM_KIND_SIZE && traits_[k]->sample.ret == 0);
    }
    out.result = result(k);
    out.count = calls_[k].first.count;
    out.again = calls_[k].again;
    out.inner = calls_[k].inner.count;
    return out;
  }

  std::string result(size_t k) const {
    const int64_t ret = traits_[k]->sample.ret;
    if (ret < 0) {
      const char* name = strerrorname_np(static_cast<int>(-ret));
      return fmt::format("-{}", name ? name : std::to_string(-ret));
    }
    if (traits(k).result == SYSVM_RESULT_FD) return "fd";
    return calls_[k].differs ? "n" : number_text(static_cast<uint64_t>(calls_[k].ret), {});
  }

  const Compact& recording_;
  const std::vector<std::string>& strings_;
  const Repeats& repeats_;
  const Repeat& repeat_;
  std::vector<const Token*> traits_;
  struct Calls {
    Explained first, inner;  // those in an inner loop's rounds after its first have sources of their own
    uint64_t again = 0;
    int64_t ret = 0;  // of the first
    bool differs = false;
  };
  std::vector<Calls> calls_;             // by their number in the sequence, as all that follows
  std::vector<const CompactCall*> now_;  // the last one that was seen
};

}  // namespace

void explain_flow(const Compact& recording, const std::vector<std::string>& strings, const Repeats& repeats,
                  const Repeat& repeat, PartSequence& out) {
  Flow(recording, strings, repeats, repeat).run(out);
}

}  // namespace sysvm
