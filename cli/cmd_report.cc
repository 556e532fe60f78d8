// SPDX-License-Identifier: MIT
// sysvm report: a recording as one HTML file that needs nothing else. What is in it: report/page.h.
// Tested by tests/report/.
#include "cli/base/messages.h"
#include "cli/base/options.h"
#include "cli/data_output.h"
#include "cli/traces_argument.h"
#include "report/page.h"

namespace sysvm {

int cmd_report(const Words& words) {
  std::string file, output;
  bool no_sequences = false, no_procedures = false;
  page::GatherOptions how;
  CostOptions costs;
  Options opts("report", "usage: sysvm report [-P FILE.svp] [-o FILE] TRACE",
               "Write a recording as one self-contained HTML page: timeline, sequences, files and "
               "directories, calls with exact percentiles, threads, losses, and what procedures would "
               "save.\n\n"
               "  sysvm report sysvm.trace -o sysvm.html\n");
  opts.argument("TRACE", file, "file of 'sysvm record' or 'sysvm import'");
  opts.text("-o,--output FILE", output, "the file to write [standard output]");
  opts.text("-P,--procedures FILE.svp", how.worth.procedures,
            "what these procedures would save [those compiled from the recording]");
  costs.add_to(opts);
  opts.flag("--no-procedures", no_procedures,
            "leave out what procedures would save, which takes half of the time");
  opts.flag("--no-sequences", no_sequences,
            "leave out the sequences, which need some 100 bytes of memory for each event");
  if (auto code = opts.parse(words)) return *code;

  Result<CostModel> cost = costs.get();
  if (!cost) return fail(kExitUsage, "report", cost.error());
  how.worth.cost = *cost;
  how.worth.off = no_procedures;
  if (no_sequences) how.sequences = 0;
  how.worth.unseen = unseen_objects();
  const Result<page::Facts> facts = page::gather(file, how);
  if (!facts) return fail(kExitUsage, "report", facts.error());
  if (!how.worth.procedures.empty() && !facts->worth.why_not.empty() && facts->calls)
    return fail(kExitUsage, "report", Error{facts->worth.why_not});

  auto out = DataOutput::open(output);
  if (!out) return fail(kExitToolFailed, "report", out.error());
  page::write_page(*facts, [&](std::string_view text) { out->write(text); });
  return finish("report", facts->info, *out, "the page has all before it");
}

}  // namespace sysvm
