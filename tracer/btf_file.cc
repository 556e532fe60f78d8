// SPDX-License-Identifier: MIT
#include "tracer/btf_file.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "common/unique_fd.h"

namespace sysvm {

namespace {

const btf* types_of_handlers = nullptr;  // a handler is given a number at most

// Called by libbpf when it is about to load a program.
int name_target(bpf_program* program, bpf_prog_load_opts* opts, long) {
  const std::string_view section = bpf_program__section_name(program);
  const std::string target(section.substr(section.find('/') + 1));
  const bool iterator = section.starts_with("iter/");
  const int id =
      iterator ? btf__find_by_name_kind(types_of_handlers, ("bpf_iter_" + target).c_str(), BTF_KIND_FUNC)
               : btf__find_by_name_kind(types_of_handlers, ("btf_trace_" + target).c_str(), BTF_KIND_TYPEDEF);
  if (id < 0) return id;
  opts->attach_btf_id = static_cast<__u32>(id);
  // Had it been of this type before, libbpf would have looked for the types itself.
  return bpf_program__set_type(program, BPF_PROG_TYPE_TRACING);
}

// The types of the running kernel, as it gives them to whoever may ask.
Result<std::vector<uint8_t>> kernels_own() {
  for (__u32 id = 0; bpf_btf_get_next_id(id, &id) == 0;) {
    const UniqueFd fd(bpf_btf_get_fd_by_id(id));
    if (!fd) return error("asking the kernel for its types: {}", strerror(errno));
    char name[16] = "";
    bpf_btf_info info{};
    info.name = reinterpret_cast<uintptr_t>(name);
    info.name_len = sizeof name;
    __u32 size = sizeof info;
    if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0 || !info.kernel_btf ||
        strcmp(name, "vmlinux") != 0)
      continue;
    std::vector<uint8_t> out(info.btf_size);
    info = {};
    info.btf = reinterpret_cast<uintptr_t>(out.data());
    info.btf_size = static_cast<__u32>(out.size());
    size = sizeof info;
    if (bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0)
      return error("reading the kernel's types: {}", strerror(errno));
    return out;
  }
  return errno == EPERM ? error("asking the kernel for its types: {}", strerror(errno))
                        : error("the kernel has no types (CONFIG_DEBUG_INFO_BTF)");
}

}  // namespace

Result<std::unique_ptr<BtfFile>> BtfFile::open(const std::string& path) {
  std::unique_ptr<BtfFile> file(new BtfFile());
  file->types_ = btf__parse(path.c_str(), nullptr);
  if (!file->types_) {
    char why[128];
    libbpf_strerror(errno, why, sizeof why);
    return error("{}: expected a kernel's types (BTF), or a vmlinux that has them: {}", path, why);
  }
  const auto own = TRY(kernels_own());
  __u32 size = 0;
  const void* raw = btf__raw_data(file->types_, &size);
  if (!raw || size != own.size() || memcmp(raw, own.data(), size) != 0)
    return error("{}: types of another kernel than the one that runs", path);
  types_of_handlers = file->types_;
  LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = name_target);
  file->handlers_[0] =
      libbpf_register_prog_handler("tp_btf+", BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_TRACE_RAW_TP, &opts);
  file->handlers_[1] =
      libbpf_register_prog_handler("iter+", BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_TRACE_ITER, &opts);
  for (const int handler : file->handlers_)
    if (handler < 0) return error("libbpf takes no handler: {}", strerror(-handler));
  return file;
}

BtfFile::~BtfFile() {
  for (const int handler : handlers_)
    if (handler >= 0) libbpf_unregister_prog_handler(handler);
  types_of_handlers = nullptr;
  btf__free(types_);
}

}  // namespace sysvm
