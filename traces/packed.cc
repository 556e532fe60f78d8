// SPDX-License-Identifier: MIT
#include "traces/packed.h"

#include <algorithm>
#include <new>

namespace sysvm {
namespace {

constexpr size_t kBlock = 1u << 18;  // words: a megabyte
constexpr size_t kLongest = 9 + 12 + 1 + 1 + 1 + 2 + 7;
constexpr uint32_t kNone = UINT32_MAX;

uint64_t hash_of(const EventKind& k) {
  uint64_t h = (k.ip ^ static_cast<uint64_t>(static_cast<uint32_t>(k.nr)) << 48) * 0x9e3779b97f4a7c15ull;
  h = (h ^ h >> 29 ^ k.caller) * 0xbf58476d1ce4e5b9ull;
  h = (h ^ h >> 31 ^ static_cast<uint64_t>(static_cast<uint32_t>(k.tid)) << 32 ^ k.flags) *
      0x94d049bb133111ebull;
  return h ^ h >> 32;
}

bool same(const EventKind& a, const EventKind& b) {
  return a.nr == b.nr && a.tid == b.tid && a.pid == b.pid && a.flags == b.flags && a.ip == b.ip &&
         a.caller == b.caller;
}

bool earlier(const PackedEvent& a, const PackedEvent& b) {
  if (a.ts_ns() != b.ts_ns()) return a.ts_ns() < b.ts_ns();
  return std::pair(a.tid(), a.seq()) < std::pair(b.tid(), b.seq());
}

}  // namespace

std::array<uint64_t, 6> PackedEvent::args() const {
  std::array<uint64_t, 6> out{};
  const uint32_t* at = rest();
  for (uint32_t i = 0, n = shape_ >> kArgs & 7; i < n; ++i) {
    out[i] = *at++;
    if (shape_ >> i & 1) out[i] |= uint64_t{*at++} << 32;
  }
  return out;
}

Event PackedEvent::event() const {
  Event e;
  e.ts_ns = ts_ns();
  e.dur_ns = dur_ns();
  e.pid = pid();
  e.tid = tid();
  e.seq = seq();
  e.nr = nr();
  e.ret = ret();
  e.args = args();
  e.flags = flags();
  e.path = {path(0), path(1)};
  e.ip = ip();
  e.caller = caller();
  e.st_mode = st_mode();
  e.st_size = st_size();
  e.st_dev = st_dev();
  e.st_ino = st_ino();
  e.data_kind = data_kind();
  e.data = data();
  return e;
}

void PackedEvents::grow_table() {
  table_.assign(std::max<size_t>(64, table_.size() * 2), kNone);
  for (const EventKind& kind : kinds_) {
    size_t at = hash_of(kind) & (table_.size() - 1);
    while (table_[at] != kNone) at = (at + 1) & (table_.size() - 1);
    table_[at] = kind.number;
  }
}

const EventKind* PackedEvents::kind_of(const Event& e) {
  const EventKind kind{e.nr, e.pid, e.tid, e.flags, e.ip, e.caller, static_cast<uint32_t>(kinds_.size())};
  if (2 * kinds_.size() >= table_.size()) grow_table();
  size_t at = hash_of(kind) & (table_.size() - 1);
  for (; table_[at] != kNone; at = (at + 1) & (table_.size() - 1))
    if (same(kinds_[table_[at]], kind)) return &kinds_[table_[at]];
  table_[at] = kind.number;
  kinds_.push_back(kind);
  return &kinds_.back();
}

void PackedEvents::add(const Event& e) {
  if (blocks_.empty() || kBlock - blocks_.back().used < kLongest)
    blocks_.push_back({std::make_unique_for_overwrite<uint32_t[]>(kBlock), 0});
  Block& block = blocks_.back();
  uint32_t* const from = block.words.get() + block.used;
  uint32_t* to = from + sizeof(PackedEvent) / sizeof(uint32_t);
  uint32_t shape = 0;
  size_t nargs = e.args.size();
  while (nargs && !e.args[nargs - 1]) --nargs;
  for (size_t i = 0; i < nargs; ++i) {
    *to++ = static_cast<uint32_t>(e.args[i]);
    if (!(e.args[i] >> 32)) continue;
    *to++ = static_cast<uint32_t>(e.args[i] >> 32);
    shape |= 1u << i;
  }
  shape |= static_cast<uint32_t>(nargs) << PackedEvent::kArgs;
  const auto put = [&](uint64_t value) {
    *to++ = static_cast<uint32_t>(value);
    *to++ = static_cast<uint32_t>(value >> 32);
  };
  if (e.ret != static_cast<int32_t>(e.ret)) {
    shape |= PackedEvent::kWideRet;
    *to++ = static_cast<uint32_t>(static_cast<uint64_t>(e.ret) >> 32);
  }
  if (e.dur_ns >> 32) {
    shape |= PackedEvent::kWideDur;
    *to++ = static_cast<uint32_t>(e.dur_ns >> 32);
  }
  if (e.path[1] != kNoString) {
    shape |= PackedEvent::kPath1;
    *to++ = e.path[1];
  }
  if (e.data != kNoString || e.data_kind != DataKind::kNone) {
    shape |= PackedEvent::kData;
    *to++ = e.data;
    *to++ = static_cast<uint32_t>(e.data_kind);
  }
  if (e.st_mode || e.st_size || e.st_dev || e.st_ino) {
    shape |= PackedEvent::kStat;
    *to++ = e.st_mode;
    put(e.st_size);
    put(e.st_dev);
    put(e.st_ino);
  }
  auto* packed = new (from) PackedEvent;
  packed->kind_ = kind_of(e);
  packed->ts_ns_ = e.ts_ns;
  packed->dur_ = static_cast<uint32_t>(e.dur_ns);
  packed->seq_ = e.seq;
  packed->ret_ = static_cast<uint32_t>(e.ret);
  packed->path_ = e.path[0];
  packed->shape_ = shape | static_cast<uint32_t>(to - from) << PackedEvent::kWords;
  block.used = static_cast<size_t>(to - block.words.get());
  ++size_;
}

// A call is written when it returned, so those that took long (a shell's wait4) lie behind others that began
// later. They are few: they are taken out, and merged with the rest, which is in order (Iterator).
void PackedEvents::sort_by_time() {
  const PackedEvent* last = nullptr;
  for (Block& block : blocks_)
    for (size_t at = 0; at < block.used;) {
      auto* e = reinterpret_cast<PackedEvent*>(block.words.get() + at);
      at += e->words();
      if (last && earlier(*e, *last)) {
        e->shape_ |= PackedEvent::kLate;
        late_.push_back(e);
      } else {
        last = e;
      }
    }
  std::stable_sort(late_.begin(), late_.end(),
                   [](const PackedEvent* a, const PackedEvent* b) { return earlier(*a, *b); });
}

uint64_t PackedEvents::first_ns() const { return empty() ? 0 : begin()->ts_ns(); }

uint64_t PackedEvents::last_ns() const {
  const PackedEvent* last = late_.empty() ? nullptr : late_.back();
  // Of the main row the last that is not late: it stands in the last block, or near it.
  for (size_t block = blocks_.size(); block-- > 0;) {
    const PackedEvent* found = nullptr;
    for (size_t at = 0; at < blocks_[block].used;) {
      const auto* e = reinterpret_cast<const PackedEvent*>(blocks_[block].words.get() + at);
      at += e->words();
      if (!(e->shape_ & PackedEvent::kLate)) found = e;
    }
    if (!found) continue;
    if (!last || earlier(*last, *found)) last = found;
    break;
  }
  return last ? last->ts_ns() + last->dur_ns() : 0;
}

PackedEvents::Iterator::Iterator(const PackedEvents& all) : all_(&all) {
  if (all.blocks_.empty()) return;
  main_ = all.first_of(0);
  settle();
  choose();
}

void PackedEvents::Iterator::settle() {
  while (main_ && main_->shape_ & PackedEvent::kLate) step();
}

void PackedEvents::Iterator::step() {
  do {
    const uint32_t* next = reinterpret_cast<const uint32_t*>(main_) + main_->words();
    const Block& block = all_->blocks_[block_];
    if (next != block.words.get() + block.used)
      main_ = reinterpret_cast<const PackedEvent*>(next);
    else
      main_ = ++block_ < all_->blocks_.size() ? all_->first_of(block_) : nullptr;
  } while (main_ && main_->shape_ & PackedEvent::kLate);
}

void PackedEvents::Iterator::choose() {
  now_ = main_;
  if (late_ == all_->late_.size()) return;
  const PackedEvent* late = all_->late_[late_];
  if (!main_ || earlier(*late, *main_)) now_ = late;
}

PackedTrace packed(const Trace& trace) {
  PackedTrace out;
  static_cast<TraceInfo&>(out) = trace;
  for (const Event& e : trace.events) out.events.add(e);
  return out;
}

}  // namespace sysvm
