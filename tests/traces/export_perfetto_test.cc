// SPDX-License-Identifier: MIT
// What `sysvm export perfetto` writes, read with Perfetto's own schema as published
// (perfetto/perfetto_trace.proto): every field is one that the schema has, and tracks, slices, names, clocks
// and losses mean what they should. tests/cli/consumers_test.py opens the same in Perfetto's trace processor.
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/traces/sample.h"
#include "traces/export.h"
#include "traces/in_order.h"
#include "traces/reader.h"
#include "traces/strace_text.h"

namespace sysvm {
namespace {

namespace pb = google::protobuf;
using nlohmann::json;

class Schema {
 public:
  Schema() {
    pb::FileDescriptorSet files;
    std::ifstream in(PERFETTO_DESCRIPTOR, std::ios::binary);
    EXPECT_TRUE(files.ParseFromIstream(&in)) << PERFETTO_DESCRIPTOR;
    for (const auto& file : files.file()) EXPECT_TRUE(pool_.BuildFile(file)) << file.name();
  }
  // Numbers of 64 bits come as text, enumerators by name.
  json read(const std::string& bytes) {
    std::unique_ptr<pb::Message> trace(
        factory_.GetPrototype(pool_.FindMessageTypeByName("perfetto.protos.Trace"))->New());
    EXPECT_TRUE(trace->ParseFromString(bytes));
    expect_known(*trace);
    pb::util::JsonPrintOptions options;
    options.preserve_proto_field_names = true;
    std::string text;
    EXPECT_TRUE(pb::util::MessageToJsonString(*trace, &text, options).ok());
    return json::parse(text);  // throws at what is not UTF-8
  }
  int number_of(const std::string& enumerator) const {
    const auto* value = pool_.FindEnumValueByName("perfetto.protos." + enumerator);
    EXPECT_TRUE(value) << enumerator;
    return value ? value->number() : -1;
  }

 private:
  static void expect_known(const pb::Message& m) {
    const pb::Reflection& r = *m.GetReflection();
    EXPECT_TRUE(r.GetUnknownFields(m).empty()) << m.GetTypeName();
    std::vector<const pb::FieldDescriptor*> fields;
    r.ListFields(m, &fields);
    for (const auto* f : fields) {
      EXPECT_FALSE(f->options().deprecated()) << f->full_name();
      if (f->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
      if (!f->is_repeated()) expect_known(r.GetMessage(m, f));
      for (int i = 0; f->is_repeated() && i < r.FieldSize(m, f); ++i)
        expect_known(r.GetRepeatedMessage(m, f, i));
    }
  }
  pb::DescriptorPool pool_;
  pb::DynamicMessageFactory factory_{&pool_};
};

uint64_t number(const json& j) {
  return j.is_string() ? std::stoull(j.get<std::string>()) : j.get<uint64_t>();
}
int32_t id(const json& j) { return static_cast<int32_t>(number(j)); }

std::string exported(const std::string& path) {
  std::string bytes;
  const auto info = export_perfetto(path, [&](std::string_view part) {
    bytes += part;
    return true;
  });
  EXPECT_TRUE(info) << info.message();
  return bytes;
}

// What a reader makes of the packets, in the order of the file.
struct Seen {
  struct Slice {
    uint64_t from_ns, to_ns;
    std::string name, category;
    json annotations;  // name to value
    bool operator==(const Slice&) const = default;
    friend void PrintTo(const Slice& s, std::ostream* out) {
      *out << s.from_ns << " to " << s.to_ns << " " << s.category << ": " << s.name << " " << s.annotations;
    }
  };
  std::map<int32_t, std::vector<Slice>> threads;
  std::vector<Slice> losses;                    // of the track that belongs to no thread
  std::map<int32_t, std::vector<Slice>> marks;  // to_ns is from_ns
  std::map<int32_t, std::string> processes;     // pid to name
  std::map<int32_t, int32_t> process_of;        // tid to pid
  json clocks;
};

Seen look(Schema& schema, const std::string& bytes) {
  const int cleared = schema.number_of("TracePacket.SEQ_INCREMENTAL_STATE_CLEARED");
  const int needs = schema.number_of("TracePacket.SEQ_NEEDS_INCREMENTAL_STATE");
  Seen seen;
  std::map<uint64_t, std::string> names;
  std::map<uint64_t, int32_t> tid_of, pid_of;
  std::map<uint64_t, Seen::Slice> open;
  std::map<uint64_t, uint64_t> last;
  bool first = true;
  const json trace = schema.read(bytes);
  for (const json& p : trace["packet"]) {
    EXPECT_EQ(p["trusted_packet_sequence_id"], 1);
    const int flags = p.value("sequence_flags", 0);
    EXPECT_EQ((flags & cleared) != 0, first)
        << "names are forgotten where the state is cleared: once, at the start";
    first = false;
    if (p.contains("clock_snapshot")) seen.clocks = p["clock_snapshot"];
    if (p.contains("interned_data"))
      for (const json& n : p["interned_data"]["event_names"]) {
        EXPECT_TRUE(names.emplace(number(n["iid"]), n["name"]).second);
        EXPECT_NE(number(n["iid"]), 0u) << "0 stands for no name";
      }
    if (p.contains("track_descriptor")) {
      const json& d = p["track_descriptor"];
      const uint64_t uuid = number(d["uuid"]);
      EXPECT_TRUE(last.emplace(uuid, 0).second) << "a track is described once";
      if (d.contains("process")) {
        pid_of[uuid] = id(d["process"]["pid"]);
        seen.processes[pid_of[uuid]] = d["process"].value("process_name", "");
      }
      if (d.contains("thread")) {
        tid_of[uuid] = id(d["thread"]["tid"]);
        seen.process_of[tid_of[uuid]] = id(d["thread"]["pid"]);
        const uint64_t parent = number(d["parent_uuid"]);
        EXPECT_TRUE(!pid_of.count(parent) || pid_of[parent] == id(d["thread"]["pid"]));
      }
    }
    if (!p.contains("track_event")) continue;
    const json& e = p["track_event"];
    const uint64_t track = number(e["track_uuid"]), ts = number(p["timestamp"]);
    EXPECT_TRUE(last.count(track)) << "described before it is used";
    EXPECT_TRUE(flags & needs) << "names are looked up";
    EXPECT_GE(ts, last[track]) << "in order on each track";
    last[track] = ts;
    if (e["type"] == "TYPE_SLICE_END") {
      EXPECT_TRUE(open.count(track));
      open[track].to_ns = ts;
      (tid_of.count(track) ? seen.threads[tid_of[track]] : seen.losses).push_back(open[track]);
      open.erase(track);
      continue;
    }
    Seen::Slice s{ts, ts, "", e["categories"][0], json::object()};
    s.name = e.contains("name_iid") ? names.at(number(e["name_iid"])) : e["name"].get<std::string>();
    for (const json& a : e.value("debug_annotations", json::array()))
      s.annotations[a["name"].get<std::string>()] =
          a.contains("uint_value") ? a["uint_value"] : a["string_value"];
    if (e["type"] == "TYPE_INSTANT") {
      seen.marks[tid_of.at(track)].push_back(s);
    } else {
      EXPECT_EQ(e["type"], "TYPE_SLICE_BEGIN");
      EXPECT_TRUE(open.emplace(track, s).second) << "a thread makes one call at a time";
    }
  }
  EXPECT_TRUE(open.empty()) << "each slice ends";
  return seen;
}

TEST(ExportPerfetto, SchemaIsPerfettosOwn) {
  std::ifstream in(PERFETTO_SCHEMA, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text.size(), 712183u) << "the file is kept as published: tests/traces/perfetto/README.md";
  EXPECT_EQ(text.rfind("// AUTOGENERATED - DO NOT EDIT", 0), 0u);
}

TEST(ExportPerfetto, HasATrackForEachThreadAndShowsLosses) {
  TempFile file;
  TraceHeader header = sample_header();
  header.calls.push_back({56, "clone", {}, "PID"});
  header.boottime_ns = 500;
  header.realtime_ns = 1'700'000'000'000'000'000;
  auto w = TraceWriter::create(file.path(), header);
  ASSERT_TRUE((*w)->add(Process{100, 1, 900, true, "/bin/a;b c", "", {"x\n\xff"}, {}, {}}));
  Event e;
  e.pid = e.tid = 100;
  for (const uint32_t seq : {0u, 1u, 4u}) {  // 2 and 3 were lost
    e.seq = seq;
    e.nr = 39;
    e.ts_ns = 1000 + 100 * seq;
    e.dur_ns = 100;  // the next begins where it ends
    e.ret = seq ? 100 : -1;
    ASSERT_TRUE((*w)->add(e));
  }
  e.flags = kSignal;
  e.nr = -1;
  e.seq = 5;
  e.ts_ns = 1600;
  e.args[0] = 17;
  ASSERT_TRUE((*w)->add(e));
  e = {};
  e.pid = 100;
  e.tid = 101;
  e.flags = kForkChild;
  e.nr = 56;
  e.ts_ns = 1010;
  ASSERT_TRUE((*w)->add(e));
  e.flags = 0;
  e.seq = 1;
  e.nr = 257;
  e.ts_ns = 1050;
  e.dur_ns = 2600;
  ASSERT_TRUE((*w)->add(e, "/\x01<>\"\xff"));
  ASSERT_TRUE((*w)->add(Loss{LossReason::kRingFull, 9, 2900, 3100}));
  ASSERT_TRUE((*w)->add(ThreadEnd{100, 100, 5000, 13, false}));
  ASSERT_TRUE((*w)->add(ThreadEnd{101, 100, 5000, 2, false}));
  ASSERT_TRUE((*w)->finish({}));

  Schema schema;
  const Seen seen = look(schema, exported(file.path()));
  EXPECT_EQ(seen.processes, (std::map<int32_t, std::string>{{100, "a;b c"}}));
  EXPECT_EQ(seen.process_of, (std::map<int32_t, int32_t>{{100, 100}, {101, 100}}));
  using Slices = std::vector<Seen::Slice>;
  const json none = json::object();
  ASSERT_EQ(seen.threads.size(), 2u);
  EXPECT_EQ(seen.threads.at(100),
            (Slices{{1000,
                     1100,
                     "getpid",
                     "syscall",
                     {{"args", "()"}, {"return", "-1 EPERM (Operation not permitted)"}}},
                    {1100, 1200, "getpid", "syscall", {{"args", "()"}, {"return", "100"}}},
                    {1400, 1500, "getpid", "syscall", {{"args", "()"}, {"return", "100"}}}}));
  EXPECT_EQ(seen.threads.at(101),
            (Slices{{1050,
                     3650,
                     "openat",
                     "syscall",
                     {{"args", R"((0, "/\001<>\"\377", O_RDONLY))"}, {"return", "0"}}}}));
  EXPECT_EQ(seen.losses, (Slices{{2900, 3100, "9 lost: ring full", "loss", {{"count", "9"}}}}));
  EXPECT_EQ(seen.marks.at(100), (Slices{{1400, 1400, "2 events of this thread missing", "loss", none},
                                        {1600, 1600, "SIGCHLD", "signal", none},
                                        {5000, 5000, "7 events of this thread missing", "loss", none}}));
  EXPECT_EQ(seen.marks.at(101), (Slices{{1010, 1010, "made by clone", "fork", none}}));
  ASSERT_EQ(seen.clocks["clocks"].size(), 2u);
  std::map<int, uint64_t> clocks;
  for (const json& c : seen.clocks["clocks"]) clocks[c["clock_id"]] = number(c["timestamp"]);
  EXPECT_EQ(clocks, (std::map<int, uint64_t>{
                        {schema.number_of("BUILTIN_CLOCK_BOOTTIME"), 500},
                        {schema.number_of("BUILTIN_CLOCK_REALTIME"), 1'700'000'000'000'000'000}}));
  EXPECT_EQ(seen.clocks["primary_trace_clock"], "BUILTIN_CLOCK_BOOTTIME");
}

// Each call of a real recording is a slice of its thread, with its name, its times and its text.
std::string sample(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');  // no name of a test has a '-'
  return std::string(SAMPLES) + "/" + name + ".trace";
}

class ExportPerfettoSample : public testing::TestWithParam<const char*> {};

TEST_P(ExportPerfettoSample, HasEveryCall) {
  const std::string path = sample(GetParam());
  std::map<int32_t, std::vector<Seen::Slice>> calls;
  std::map<int32_t, size_t> marks;
  const auto info = for_each_in_order(
      path, [](const TraceInfo&) {},
      [&](const Event& e, const TraceInfo& info) {
        if (e.has(kSignal) || e.has(kForkChild)) {
          ++marks[e.tid];
          return true;
        }
        const std::string text = format_call(info, e);
        calls[e.tid].push_back({e.ts_ns,
                                e.ts_ns + e.dur_ns,
                                info.call_name(e.nr),
                                "syscall",
                                {{"args", text.substr(text.find('('))}, {"return", format_result(info, e)}}});
        return true;
      });
  ASSERT_TRUE(info);
  Schema schema;
  const Seen seen = look(schema, exported(path));
  EXPECT_TRUE(seen.threads == calls);
  EXPECT_TRUE(seen.losses.empty());
  for (const auto& [tid, list] : seen.marks) EXPECT_EQ(list.size(), marks[tid]) << tid;
  EXPECT_EQ(seen.marks.size(), marks.size());
}

INSTANTIATE_TEST_SUITE_P(All, ExportPerfettoSample,
                         testing::Values("find", "git_status", "grep", "ls", "nginx", "python", "redis",
                                         "sqlite3", "tar"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace sysvm
