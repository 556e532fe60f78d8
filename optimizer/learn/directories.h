// SPDX-License-Identifier: MIT
// Stage 2b: what a program asks about each name in a directory that it has read.
//
// A name is not known when the directory is opened, so by the rules of dataflow.h a call about it is varying.
// But the machine has the names as soon as it has made getdents64, and most programs ask the same of each: ls
// -l stat, two or three extended attributes, readlink. A *visit* is a run of calls about one name; a *shape*
// is what the visits of one executable have in common: which calls, in which order, for which kinds of file
// (the first call shows the kind), and whether the program goes into a directory before it asks about the
// next name.
//
// Names are followed in two forms: NAME, one component below the directory's own descriptor (fts, tar), and
// UNDER, the path that the directory was opened by, '/', and the name (ls). The recording need not hold the
// names in directories: what counts is the calls about them. Tested by tests/optimizer/directories_test.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "optimizer/base/streams.h"
#include "optimizer/learn/dataflow.h"

namespace sysvm {

constexpr uint32_t kKindRegular = 8, kKindDirectory = 4, kKindLink = 10;  // st_mode >> 12

struct EachCall {
  StepSources sources;
  uint32_t nth = 0;    // the same call a second time for one name is a call of its own
  uint32_t kinds = 0;  // bit st_mode >> 12: made for files of this kind; the first call: all
  uint64_t size = 0;   // what is asked for where the source is kSize
};

// Where the next of names in a row in memory lies: after one of length n at p, at p + ((n + gap) & ~mask)
// (rows.h).
struct RowRelation {
  uint64_t gap = 0, mask = 0;
  bool operator==(const RowRelation&) const = default;
};

struct LoopShape {
  bool under = false;
  bool leaves = false;             // the program goes into a directory before it asks about the next name
  bool hidden = false;             // it asks about names that begin with a dot
  std::optional<RowRelation> row;  // no directory: names in a row in memory, and the directories on the way
  std::vector<EachCall> calls;
  uint64_t visits = 0;
  std::string key;
};

// A directory that was opened and read. Copies of the descriptor mean the same one.
struct OpenDirectory {
  const PackedEvent* open = nullptr;
  std::optional<std::string> under;  // what stands before a name in a path; "" for "."
  bool read = false;
};

// A call about a name in a directory.
struct DirentCall {
  std::shared_ptr<OpenDirectory> directory;
  std::string_view name;  // in the trace
  bool under = false;
};

// What stands before a name in a path: "dir" and "dir/" are asked for as "dir/name", "." as "name"
// (libsysvm/shim/names/listing.c).
std::string under_of(const std::string& path);

// Walks a stream in order and says, for each call, which name in which directory it is about.
class DirectoryTracker {
 public:
  std::optional<DirentCall> step(const Stream& stream, const PackedEvent& call);

 private:
  std::unordered_map<int32_t, std::shared_ptr<OpenDirectory>> by_fd_;
  std::map<std::string, std::shared_ptr<OpenDirectory>, std::less<>> by_path_;
};

// Where the arguments come from if the call is about such a name.
StepSources explain_dirent(const Stream& stream, const PackedEvent& call, bool under);

// The same, each form of call once: a recording has few of them and many calls.
class DirentSources {
 public:
  const StepSources* of(const Stream& stream, const PackedEvent& call, bool under);
  const StepSources* of_kept(const PackedEvent& call);  // a path from the root that is checked with each name

 private:
  using Form = std::array<uint64_t, 8>;
  struct Hash {
    size_t operator()(const Form& form) const;
  };
  std::unordered_map<Form, std::unique_ptr<StepSources>, Hash> known_;
};

struct VisitCall {
  const PackedEvent* event = nullptr;
  const StepSources* sources = nullptr;
};

struct Visit {
  std::shared_ptr<OpenDirectory> directory;
  std::string_view name;         // in the trace
  size_t at = 0;                 // of its first call in the stream
  std::vector<VisitCall> calls;  // quiet ones left out
  bool under = false;
  bool goes_on = false;  // the next call is about another name in the same directory, or reads or closes it
  uint32_t kind() const {
    const PackedEvent& first = *calls[0].event;
    return first.has(kHasStat) && first.ret() == 0 ? first.st_mode() >> 12 : 0;
  }
};
// Each visit, when it is whole; valid until the call returns. A recording has millions of them.
void for_each_visit(const Stream& stream, DirentSources& sources,
                    const std::function<void(const Visit&)>& whole);

// What the visits in the streams of one executable have in common: at most one shape for each form of name.
// min_count: fewer visits than that are chance.
std::vector<LoopShape> find_shapes(const std::vector<const Stream*>& streams, uint64_t min_count);

// Index of the shape's call that this is, `seen` calls of the visit having been matched; or nothing.
std::optional<size_t> call_of_shape(const LoopShape& shape, const std::string& key, size_t seen);

// These calls as a step of a procedure. directory: where its descriptor comes from; for UNDER nothing.
StepSources loop_sources(const std::shared_ptr<const LoopShape>& shape, const ArgSource& directory);

}  // namespace sysvm
