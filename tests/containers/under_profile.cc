// SPDX-License-Identifier: MIT
// under_profile PROFILE.json CMD...: runs CMD below the seccomp filter that a container engine would make of
// the profile, for a container with Docker's default capabilities on this processor. What the engines do with
// it (moby's profiles/seccomp, runc's libcontainer/seccomp) is done here with the same library: rules for
// other processors and for capabilities that the container does not have are left out, names that this
// libseccomp does not know are skipped, an error's number is EPERM unless the rule has one.
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

namespace {

using nlohmann::json;

// Those of `docker run` without --cap-add, of which the profiles name but a few.
const std::set<std::string> kCapabilities = {
    "CAP_AUDIT_WRITE", "CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",    "CAP_FSETID",
    "CAP_KILL",        "CAP_MKNOD",   "CAP_NET_BIND_SERVICE", "CAP_NET_RAW",   "CAP_SETFCAP",
    "CAP_SETGID",      "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT"};
constexpr char kHere[] = "amd64";

[[noreturn]] void fail(const std::string& what, int error) {
  std::fprintf(stderr, "under_profile: %s: %s\n", what.c_str(), std::strerror(error < 0 ? -error : error));
  std::_Exit(125);
}

bool has_any(const json& conditions, const char* key, const std::set<std::string>& of) {
  if (!conditions.is_object() || !conditions.contains(key) || !conditions[key].is_array()) return false;
  for (const auto& name : conditions[key])
    if (of.count(name)) return true;
  return false;
}

bool names(const json& conditions, const char* key) {
  return conditions.is_object() && conditions.contains(key) && conditions[key].is_array() &&
         !conditions[key].empty();
}

bool is_for_us(const json& rule) {
  const json includes = rule.value("includes", json::object()),
             excludes = rule.value("excludes", json::object());
  if (names(includes, "arches") && !has_any(includes, "arches", {kHere})) return false;
  if (names(includes, "caps") && !has_any(includes, "caps", kCapabilities)) return false;
  return !has_any(excludes, "arches", {kHere}) &&
         !has_any(excludes, "caps", kCapabilities);  // minKernel is 4.8 at most
}

uint32_t action_of(const std::string& name, const json& with, const char* number) {
  if (name == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (name != "SCMP_ACT_ERRNO") fail("an action that is not known: " + name, EINVAL);
  return SCMP_ACT_ERRNO(with.contains(number) && with[number].is_number() ? with[number].get<int>() : EPERM);
}

scmp_arg_cmp condition(const json& arg) {
  const std::string op = arg.at("op");
  const auto index = arg.at("index").get<unsigned>();
  const auto value = arg.at("value").get<uint64_t>(), second = arg.value("valueTwo", uint64_t{0});
  if (op == "SCMP_CMP_EQ") return SCMP_CMP64(index, SCMP_CMP_EQ, value);
  if (op == "SCMP_CMP_NE") return SCMP_CMP64(index, SCMP_CMP_NE, value);
  if (op == "SCMP_CMP_MASKED_EQ") return SCMP_CMP64(index, SCMP_CMP_MASKED_EQ, value, second);
  fail("a comparison that is not known: " + op, EINVAL);
}

void add_rule(scmp_filter_ctx filter, const json& rule, uint32_t otherwise) {
  const uint32_t action = action_of(rule.at("action"), rule, "errnoRet");
  if (action == otherwise) return;
  std::vector<scmp_arg_cmp> args;
  if (rule.contains("args") && rule["args"].is_array())
    for (const auto& arg : rule["args"]) args.push_back(condition(arg));
  for (const std::string name : rule.at("names")) {
    const int number = seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR) continue;
    const int error =
        seccomp_rule_add_array(filter, action, number, static_cast<unsigned>(args.size()), args.data());
    if (error) fail(name, error);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: under_profile PROFILE.json CMD...\n");
    return 2;
  }
  std::ifstream file(argv[1]);
  const json profile = json::parse(file, nullptr, false);
  if (profile.is_discarded()) fail(argv[1], EINVAL);
  const uint32_t otherwise = action_of(profile.at("defaultAction"), profile, "defaultErrnoRet");
  scmp_filter_ctx filter = seccomp_init(otherwise);
  if (!filter) fail("no filter", ENOMEM);
  for (const uint32_t arch : {SCMP_ARCH_X86, SCMP_ARCH_X32})
    if (const int error = seccomp_arch_add(filter, arch)) fail("another architecture", error);
  for (const auto& rule : profile.at("syscalls"))
    if (is_for_us(rule)) add_rule(filter, rule, otherwise);
  if (const int error = seccomp_load(filter)) fail("the filter cannot be set", error);
  execvp(argv[2], argv + 2);
  const int error = errno;
  std::fprintf(stderr, "under_profile: %s: %s\n", argv[2], std::strerror(error));
  return 127;
}
