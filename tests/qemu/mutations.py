# SPDX-License-Identifier: MIT
"""The rules of docs/security.md taken out one by one: what to change in kmod/, and the tests that must fail
then.

Each row is a hazard of the tables there. A mutation is applied to a copy of the module's source, built, and
loaded in the guest; every test that it names must fail on it, or the kernel complain, or the guest die
(scripts/check-mutations). The text to replace must be there exactly once, so a rule that is rewritten asks
for its row here to be rewritten.

Rules that cannot be seen to be missing here stand at the end, with the reason.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Mutation:
    """One rule taken out."""

    rule: str
    change: tuple[tuple[str, str, str], ...]  # (file of kmod/, text, the text instead)
    tests: tuple[str, ...]
    passes: bool = False  # the tests must pass: shows that another rule holds what this one held
    parameter: str = ""  # switched on meanwhile


def one(rule: str, file: str, old: str, new: str, *tests: str, **more) -> Mutation:
    return Mutation(rule, ((file, old, new),), tests, **more)


def two(rule: str, first: tuple[str, str, str], second: tuple[str, str, str], *tests: str,
        **more) -> Mutation:
    return Mutation(rule, (first, second), tests, **more)


WORK = "READ_ONCE(current_thread_info()->syscall_work) | READ_ONCE(current->ptrace)"
OWN_DEVICE = ("allow.c", "bool own = file && file->f_op == &sysvm_fops;", "bool own = false;")

MUTATIONS = [
    # Calls that no filter, tracer or auditor sees
    one("syscall_work is checked", "kernel_env.h", WORK, "READ_ONCE(current->ptrace)",
        "a_seccomp_filter_makes_it_fall_back", "a_system_call_tracepoint_makes_it_fall_back",
        "audit_records_each_call", "a_dispatcher_in_user_space_gets_the_calls"),
    one("a filter stops the run, not only is noticed", "boundary.c", "(work && !sysvm_may_judge(work))",
        "false", "a_seccomp_filter_makes_it_fall_back", "the_tracepoint_fires_for_each_call_once_it_is_on"),
    one("a tracer is noticed, whatever it asked for", "kernel_env.h", WORK,
        "READ_ONCE(current_thread_info()->syscall_work)", "a_tracer_that_only_attached_makes_it_fall_back"),
    one("a tracer stops the run", "boundary.c",
        "if (READ_ONCE(current->ptrace) || (work && !sysvm_may_judge(work)))",
        "if (work && !sysvm_may_judge(work))", "a_tracer_that_only_attached_makes_it_fall_back"),
    one("both are checked before every call", "kernel_env.h", "u32 why = sysvm_env_look(env);\n\tlong result;",
        "u32 why = 0;\n\tlong result;", "a_seccomp_filter_makes_it_fall_back", "a_tracer_makes_it_fall_back"),
    one("they are checked in the middle of a run, too", "kernel_env.h", "if (unlikely(" + WORK + ") ||",
        "if ((env->calls++ == 0 && (" + WORK + ")) ||", "a_filter_set_while_a_call_waits_stops_the_next"),

    # Calls that must not be nested
    one("only rows with a call index have code", "uapi/syscalls.inc", "SYSVM_SYSCALL(57, fork, -1,",
        "SYSVM_SYSCALL(57, fork, 175,", "no_opcode_has_code_but_the_tables"),

    # A call that enters the machine again
    one("of ioctl only listed commands are made", "allow.c",
        "return is_harmless(sysvm_ioctl_by_cmd(command));", "return true;",
        "denied_commands_are_left_to_user_space"),
    one("of fcntl only listed commands are made", "allow.c",
        "return is_harmless(sysvm_fcntl_by_cmd(command));", "return true;",
        "denied_commands_are_left_to_user_space"),
    one("who is inside is found out by his registers", "run.c", "regs->ax != (unsigned long)-ENOSYS || ", "",
        "a_program_cannot_enter_the_machine_again"),

    # A program that closes the device it runs on
    Mutation("our device is not open to a program", (OWN_DEVICE,),
             ("own_device_is_not_open_to_a_program",)),
    Mutation("... and if it were, the run would hold the file", (OWN_DEVICE,),
             ("get_rid_of_the_device_in_mid_run",), passes=True),
    Mutation("the run holds the file",
             (OWN_DEVICE, ("hold.h", "get_file(file)", "file"),
              ("hold.h", "\t\tsysvm_page_drop(file->private_data, tpage);\n\tfput(file);", "\t\t;")),
             ("get_rid_of_the_device_in_mid_run",)),

    # A program that unmaps its page, or undefines its procedure, while it runs
    one("the run holds its page", "page.c",
        "if (last && !(atomic_fetch_or(SYSVM_PAGE_GONE, &tpage->state) & SYSVM_PAGE_BUSY))", "if (last)",
        "a_page_is_the_runs_until_its_end"),
    one("a page that is gone is freed by its run", "hold.h",
        "if (unlikely(!atomic_try_cmpxchg(&tpage->state, &state, 0)))", "if (0)",
        "pages_unmapped_in_mid_run_are_given_back"),
    one("the run holds its procedure", "hold.h", "\t\trefcount_inc(&procedure->refs);", "\t\t;",
        "another_thread_may_close_and_undefine_in_mid_run"),

    # Deferred work of close()
    one("it is run after close", "boundary.c", "\t\tsysvm_run_task_work();", "\t\t;",
        "closing_a_pipe_takes_no_second_entry"),
    one("other deferred work ends the entry", "boundary.c", "return has_task_work(env);", "return false;",
        "what_munmap_leaves_undone_is_done_before_the_next_call"),

    # Signals lost, delayed or served twice
    one("a pending signal stops the program", "boundary.c", "if (signal_pending(current))", "if (0)",
        "a_handler_runs_between_instructions"),
    one("a signal is a reason to look", "boundary.h", "(_TIF_SIGPENDING | ", "(",
        "a_signal_that_a_call_raises_is_taken_before_the_next"),
    one("... also where no call is made", "kernel_env.h", "return why == SYSVM_JUDGED ? 0 : why;",
        "return 0;", "a_loop_without_calls_is_looked_at"),
    one("an interrupted call asks for the restart that the kernel knows", "dispatch.c",
        "\t\t\tenv->stop = SYSVM_RESTART;\n\t\t\treturn result;", "\t\t\treturn -EINTR;",
        "SA_RESTART_goes_on_where_it_was", "SA_RESTART_restarts_what_it_restarts_plainly",
        "stop_and_continue_interrupt_what_they_interrupt_plainly"),
    one("the kernel's codes are not for programs", "dispatch.c", "if (signal_pending(current)) {", "if (0) {",
        "SA_RESTART_goes_on_where_it_was"),
    one("a restart goes on at the call", "vm/interp.c", "*pc = FETCH(page->pc);", "*pc = 0;",
        "SA_RESTART_goes_on_where_it_was", "ten_thousand_signals_a_second_change_no_result"),

    # A stale resume point
    one("a resume has the number of the stop", "vm/interp.c", "FETCH(page->run_seq) != seq ||\n\t    ", "",
        "stale_state_is_not_taken_up_by_a_new_run", "a_handler_may_jump_out_of_a_run"),
    one("a resume is of the program that stopped", "vm/interp.c", "FETCH(page->proc) != proc || ", "",
        "a_resume_is_of_the_program_that_stopped"),
    one("a resume is at an instruction", "vm/interp.c",
        "\tif (!sysvm_is_start(program->starts, program->len, *pc))\n\t\treturn false;\n", "",
        "bad_arguments_are_refused"),
    one("a repeated entry whose page was used is refused", "run.c",
        "return READ_ONCE(tpage->mem->run_seq) != seq;", "return false;",
        "a_restart_after_the_page_was_used_is_refused"),

    # A program without end
    one("fuel is capped", "vm/interp.c", "if (fuel > sysvm_env_max_fuel())", "if (0)", "fuel_is_capped",
        "parameters_of_the_load_are_bounded"),
    one("fuel ends a program", "vm/interp.c", "next:\n\tif (SYSVM_UNLIKELY(!fuel--))\n\t\tgoto spent;",
        "next:\n\tfuel--;", "spent_fuel_stops_and_resumes"),
    one("time ends an entry", "kernel_env.h", "if (unlikely(time_after(now, env->deadline)))", "if (0)",
        "one_entry_lasts_milliseconds"),

    # Another process's or thread's machine
    one("an entry is for the address space that opened", "run.c", "if (unlikely(current->mm != context->mm))",
        "if (0)", "a_child_has_no_page_and_no_right_to_the_context", "a_context_kept_over_exec_is_of_no_use"),
    one("so is a definition", "main.c", "if (current->mm != context->mm)", "if (0)",
        "a_descriptor_that_is_passed_away_is_of_no_use_there"),
    one("so is a page", "page.c", "if (vma->vm_mm != context->mm || current->mm != context->mm)", "if (0)",
        "a_child_has_no_page_and_no_right_to_the_context"),
    two("the address space is held", ("context.c", "\tmmgrab(current->mm);", "\t;"),
        ("context.c", "\tsysvm_account_close(context->account);\n\tmmdrop(context->mm);\n\tkvfree",
         "\tsysvm_account_close(context->account);\n\tkvfree"),
        "a_context_kept_over_many_execs_is_of_no_use"),
    two("a page is its thread's", ("hold.h", "\t\tif (tpage->owner == owner)", "\t\tif (1)"),
        ("hold.h", "(unsigned long)owner / 128 % ARRAY_SIZE(context->pages)", "0"),
        "a_thread_without_a_page_cannot_use_anothers"),
    two("the thread's struct pid is held", ("page.c", "get_pid(task_pid(current))", "task_pid(current)"),
        ("page.c", "\tput_pid(tpage->owner);\n", ""), "no_later_thread_inherits_a_page"),
    one("a page is not inherited by fork", "page.c", "VM_DONTCOPY | ", "",
        "a_child_has_no_page_and_no_right_to_the_context", "the_mapping_says_so"),
    one("one page for each thread", "page.c", "if (sysvm_page_find(context, tpage->owner)) {", "if (0) {",
        "only_one_shared_page_that_is_not_executable"),

    # The page as a way to run or leak something
    one("shared mappings only", "page.c", "if (!(vma->vm_flags & VM_SHARED))", "if (0)",
        "only_one_shared_page_that_is_not_executable"),
    one("one page, from the start", "page.c",
        "if (vma->vm_end - vma->vm_start != PAGE_SIZE || vma->vm_pgoff)", "if (0)",
        "only_one_shared_page_that_is_not_executable"),
    one("never executable", "page.c", "if (vma->vm_flags & VM_EXEC)", "if (0)",
        "only_one_shared_page_that_is_not_executable"),
    one("nor made so", "page.c", "VM_DONTDUMP, VM_MAYEXEC)", "VM_DONTDUMP, 0)",
        "only_one_shared_page_that_is_not_executable"),
    one("not dumped", "page.c", " | VM_DONTDUMP", "", "the_mapping_says_so"),
    one("not grown", "page.c", " | VM_DONTEXPAND", "", "the_mapping_says_so"),
    one("it is the copy that runs", "run.c", ".code = tpage->code,", ".code = mem->code,",
        "it_is_a_copy_of_the_page_that_runs"),
    one("page code is verified", "run.c",
        "refused = sysvm_verify(tpage->code, len, tpage->starts, &error_at, NULL, 0);",
        "sysvm_verify(tpage->code, len, tpage->starts, &error_at, NULL, 0);\n\t\trefused = false;",
        "the_verifiers_message_reaches_the_caller"),
    one("loads are checked", "kernel_env.h",
        "return copy_from_user(to, u64_to_user_ptr(address), n) ? -EFAULT : 0;",
        "memcpy(to, (void *)address, n);\n\treturn 0;", "kernel_addresses_are_faults"),
    one("stores are checked", "kernel_env.h",
        "return copy_to_user(u64_to_user_ptr(address), from, n) ? -EFAULT : 0;",
        "memcpy((void *)address, from, n);\n\treturn 0;", "kernel_addresses_are_faults"),

    # 32-bit and x32 callers
    one("open is not for them", "context.c", "if (in_compat_syscall())", "if (0)",
        "a_32_bit_call_does_not_get_in", "an_x32_call_does_not_get_in",
        "a_32_bit_program_cannot_open_the_device"),
    one("mmap is not for them", "page.c", "if (in_compat_syscall())", "if (0)",
        "a_32_bit_call_does_not_get_in", "an_x32_call_does_not_get_in"),
    one("fadvise64 is not for them", "run.c", " || regs->orig_ax != nr", "", "a_32_bit_call_does_not_get_in",
        "an_x32_call_does_not_get_in"),
    one("ioctl is not for them, even with an entry of its own", "main.c", "\t.unlocked_ioctl = sysvm_ioctl,",
        "\t.unlocked_ioctl = sysvm_ioctl,\n\t.compat_ioctl = sysvm_ioctl,", "a_32_bit_call_does_not_get_in",
        passes=True),
    two("ioctl has no entry for them", ("main.c", "\t.unlocked_ioctl = sysvm_ioctl,",
                                        "\t.unlocked_ioctl = sysvm_ioctl,\n\t.compat_ioctl = sysvm_ioctl,"),
        ("main.c", "if (in_compat_syscall())", "if (0)"), "a_32_bit_call_does_not_get_in"),

    # A row whose function this kernel does not have; the wrong function for a row
    one("what is absent is not in the list", "dispatch.c",
        'pr_info("sysvm: no %s in this kernel\\n", symbols[i].name);\n\t\t\tcontinue;',
        "bound[i / 64] |= 1ULL << (i % 64);\n\t\t\tcontinue;", "a_call_that_this_kernel_lacks_is_absent"),
    one("stat is newstat", "dispatch.c", '{ "stat", "newstat" },', "", "rows_make_the_call_of_today"),
    one("fstat is newfstat", "dispatch.c", '{ "fstat", "newfstat" },', "", "rows_make_the_call_of_today"),
    one("lstat is newlstat", "dispatch.c", '{ "lstat", "newlstat" },', "", "rows_make_the_call_of_today"),
    one("uname is newuname", "dispatch.c", '{ "uname", "newuname" },', "", "rows_make_the_call_of_today"),
    one("sendfile is sendfile64", "dispatch.c", '{ "sendfile", "sendfile64" },', "",
        "rows_make_the_call_of_today"),
    one("rows are bound by name", "dispatch.c", '{ "stat", "newstat" },',
        '{ "stat", "newstat" }, { "getuid", "geteuid" },', "rows_make_the_call_they_are_named_after"),
    one("a call leads to its own row", "tree.awk", "if (index < %d)", "if (index <= %d)",
        "rows_make_the_call_they_are_named_after", "the_module_looks_at_itself"),

    # Inner calls are made on the task's own registers
    one("the first argument's register is put back", "run.c", "\tregs->di = di;\n", "",
        "registers_are_put_back"),
    one("the second's", "run.c", "\tregs->si = si;\n", "", "registers_are_put_back"),
    one("the third's", "run.c", "\tregs->dx = dx;\n", "", "registers_are_put_back"),
    one("the fourth's", "run.c", "\tregs->r10 = r10;\n", "", "registers_are_put_back"),
    one("the fifth's", "run.c", "\tregs->r8 = r8;\n", "", "registers_are_put_back"),
    one("the sixth's", "run.c", "\tregs->r9 = r9;\n", "", "registers_are_put_back"),
    one("the number is put back", "run.c", "\tregs->orig_ax = nr;\n", "", "SA_RESTART_goes_on_where_it_was"),

    # Unloading while in use, and what killed programs leave behind
    one("a context holds the module", "main.c", "\t.owner = THIS_MODULE,\n", "",
        "the_module_stays_while_it_is_used", "the_module_stays_while_a_program_runs"),
    one("procedures go with their context", "context.c", "\tsysvm_procedures_drop(context);\n", "",
        "what_a_user_allocates_is_charged_to_him_and_given_back"),

    # Memory and time that one user takes from all
    one("max_procs has bounds", "context.c", "clamp_t(u32, READ_ONCE(sysvm_max_procs), 1, SYSVM_MOST_PROCS)",
        "READ_ONCE(sysvm_max_procs)", "max_procs_bounds_contexts_opened_later"),
    one("max_proc_bytes bounds", "procedure.c",
        "if (context->proc_bytes + procedure->program.len > READ_ONCE(max_proc_bytes))", "if (0)",
        "max_proc_bytes_bounds_the_sum", "procedures_are_limited_in_number_and_bytes"),
    one("... and is given back", "procedure.c", "\t\tcontext->proc_bytes -= procedure->program.len;", "\t\t;",
        "max_proc_bytes_bounds_the_sum"),
    one("a procedure has a size", "procedure.c", "if (define.code_len > SYSVM_PROC_CODE_MAX)", "if (0)",
        "procedures_are_limited_in_number_and_bytes"),
    one("max_pages bounds", "page.c", "context->npages >= READ_ONCE(max_pages)", "0",
        "max_pages_bounds_the_threads_of_a_context"),
    one("max_fuel has bounds", "main.c", "sysvm_max_fuel = clamp_t(uint, sysvm_max_fuel, 1, SYSVM_FUEL_MAX);",
        "", "parameters_of_the_load_are_bounded"),
    one("entry_ms has bounds", "boundary.c", "clamp_t(unsigned int, entry_ms, 1, 100)", "entry_ms",
        "parameters_of_the_load_are_bounded"),
    one("mode has bounds", "main.c", "if (mode & ~0666)", "if (0)", "parameters_of_the_load_are_bounded",
        "the_module_can_be_removed_and_loaded_again"),
    one("the device is root's", "main.c", "static ushort mode = 0600;", "static ushort mode = 0666;",
        "rights_of_the_caller_hold_inside"),
    one("contexts are charged", "context.c", "kzalloc(sizeof(*context), GFP_KERNEL_ACCOUNT)",
        "kzalloc(sizeof(*context), GFP_KERNEL)", "what_a_user_allocates_is_charged_to_him_and_given_back"),
    one("their tables are charged", "context.c", "sizeof(*context->procs), GFP_KERNEL_ACCOUNT)",
        "sizeof(*context->procs), GFP_KERNEL)", "what_a_user_allocates_is_charged_to_him_and_given_back"),
    one("pages are charged", "page.c", "alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO)",
        "alloc_page(GFP_KERNEL | __GFP_ZERO)", "what_a_user_allocates_is_charged_to_him_and_given_back"),
    one("what goes with a page is charged", "page.c", "kzalloc(sizeof(*tpage), GFP_KERNEL_ACCOUNT)",
        "kzalloc(sizeof(*tpage), GFP_KERNEL)", "what_a_user_allocates_is_charged_to_him_and_given_back"),
    one("procedures are charged", "procedure.c", "kvmalloc(size, GFP_KERNEL_ACCOUNT)",
        "kvmalloc(size, GFP_KERNEL)", "what_a_user_allocates_is_charged_to_him_and_given_back"),

    # Seccomp: seccomp=1
    one("filters are asked", "judge.c", "\tpermitted = sysvm_filters_permit();", "\tpermitted = true;",
        "an_errno_verdict_is_the_result", "arguments_are_those_of_the_inner_call",
        "a_supervisor_answers_an_inner_call", "a_trace_verdict_without_a_tracer_is_ENOSYS",
        "killing_the_process_ends_it_as_the_plain_call_does"),
    one("their answer is kept to", "judge.c", "\tif (permitted) {\n", "\treturn true;\n\tif (permitted) {\n",
        "an_errno_verdict_is_the_result", "a_supervisor_answers_an_inner_call"),
    one("a trap is taken back", "judge.c", "\t\ttake_back_trap();\n", "", "a_trap_is_left_to_the_plain_call"),
    one("what a killed thread held is let go", "page.c",
        "\tsysvm_page_let_go(tpage);\n\tif (entry_holds_file)", "\tif (entry_holds_file)",
        "killing_one_thread_leaves_the_others_and_nothing_held"),
    one("so is what its entry held", "page.c", "\tif (entry_holds_file)\n\t\tfput(file);", "",
        "killing_one_thread_leaves_the_others_and_nothing_held"),
    one("a filter without the parameter stops the run", "judge.c", "READ_ONCE(seccomp) && ", "",
        "a_seccomp_filter_makes_it_fall_back"),

    # Names of a directory by the short way
    one("whoever judges a call is looked for before each name", "names.c", " || sysvm_env_look(env)) {",
        ") {", "a_filter_stops_it_before_the_first_name"),
    one("the right to search is asked for", "names.c", "error = may_search(parent);", "error = 0;",
        "a_directory_that_may_not_be_searched_is_refused_for_each_name",
        "the_right_to_search_is_asked_for_at_each_name"),
    one("a shared table of descriptors is asked each time", "names.c",
        "if (atomic_read(&current->files->count) != 1)", "if (0)",
        "a_shared_table_of_descriptors_takes_the_plain_path"),
    one("only directories have names", "names.c", "!d_can_lookup(dentry) || ", "",
        "descriptors_that_are_no_directory_take_the_plain_path"),
    # Of these two no dentry has the name.
    one("a path is no name", "user_words.h", "if (has_zero(word ^ slashes, &of_slash, &constants))", "if (0)",
        "what_is_no_name_takes_the_plain_path", passes=True),
    one("nor are the dots", "names.c", "if (name[0] == '.' && (n == 1 || (n == 2 && name[1] == '.')))",
        "if (0)", "what_is_no_name_takes_the_plain_path", passes=True),
    one("a dentry that wants to be validated is", "names.c", "if (flags & (DCACHE_OP_REVALIDATE | ",
        "if (flags & (", "dentries_with_a_say_of_their_own_take_the_plain_path"),
    one("mounts are entered", "names.c", " | DCACHE_MANAGED_DENTRY) ||", ") ||",
        "mount_points_take_the_plain_path", "automounts_take_the_plain_path"),
    one("a negative dentry is no file", "names.c", " || d_is_negative(dentry))", ")",
        "overlays_give_what_they_give_one_by_one"),
    one("links are followed where they are to be", "names.c", "if (follow && d_is_symlink(dentry))", "if (0)",
        "links_are_followed_by_the_call_itself"),
    one("block devices are asked themselves", "names.c", "return !S_ISBLK(d_inode(dentry)->i_mode);",
        "return true;", "block_devices_take_the_plain_path"),
    one("other flags are the call's own", "names.c", "flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) || ",
        "", "other_flags_take_the_plain_path"),
    one("the directory is let go of", "kernel_env.h", "\tsysvm_directory_leave(&env->directory);", "\t;",
        "plain_files_take_the_short_way"),
    one("a dentry that was found ahead is checked again", "ahead.c",
        "first->entry == entry && is_still(first->dentry, parent, name, length)", "first->entry == entry",
        "no_dentry_that_was_found_ahead_is_used_when_it_has_gone"),
    one("it can be switched off", "names.c", "if (!READ_ONCE(wide) || ", "if (", "parameters_switch_it_off"),
    one("a name is one instruction", "vm/entries.c", "if (SYSVM_UNLIKELY(!(*fuel)--))", "if (0)",
        "case_files_give_the_same_on_the_kernel_engine"),

    # What an administrator sees
    one("a stop is counted", "run.c", "\ttpage->counters.stops[status]++;", "\t;",
        "the_view_of_contexts_counts_what_they_did"),
    one("a stop is traced", "run.c", "\ttrace_sysvm_stop(proc, seq, status, tpage->env.calls);\n", "",
        "the_view_of_contexts_counts_what_they_did"),
]

CLEARED = "the_branch_history_is_cleared_before_kernel_code_follows"
CLAMPED = "what_a_page_says_is_clamped_before_it_is_an_index"

MUTATIONS += [
    # What the kernel does not export
    one(
        "it is called directly", "dispatch.c", "\treturn !static_call(sysvm_filters)(NULL);",
        "\tint (*volatile ask)(const struct seccomp_data *data) = static_call_query(sysvm_filters);\n\n\treturn !ask(NULL);",
        "no_indirect_branch_is_in_the_module"),

    # Memory that one user takes
    one("his contexts are limited", "account.c",
        "if (account && account->contexts >= READ_ONCE(max_contexts) && !capable(CAP_SYS_RESOURCE))",
        "if (0)", "max_contexts_is_the_users_over_all_his_processes"),
    one("... and counted down", "account.c", "\taccount->contexts--;\n", "",
        "max_contexts_is_the_users_over_all_his_processes"),
    one("RLIMIT_MEMLOCK holds", "account.c", "if (pages && locked + pages > limit)", "if (0)",
        "memory_is_bounded_by_RLIMIT_MEMLOCK", "many_opens_take_no_more_than_one_may", "a_page_is_charged"),
    one("... for whoever may not lock without limit", "context.c",
        "context->unlimited = capable(CAP_IPC_LOCK);", "context->unlimited = true;",
        "memory_is_bounded_by_RLIMIT_MEMLOCK"),
    one("real sizes count", "account.c", "is_vmalloc_addr(memory) ? PAGE_ALIGN(asked) : ksize(memory)",
        "asked", "memory_is_bounded_by_RLIMIT_MEMLOCK"),
    one("a page counts", "page.c", "sysvm_real_size(tpage, sizeof(*tpage)) + PAGE_SIZE", "0",
        "a_page_is_charged"),
    one("... and no longer", "page.c", "\tsysvm_uncharge(&tpage->charge);\n", "", "a_page_is_charged"),
    one("a procedure no longer counts", "procedure.c", "\tsysvm_uncharge(&procedure->charge);\n", "",
        "memory_is_bounded_by_RLIMIT_MEMLOCK"),
    one(
        "it counts until it is freed", "procedure.c",
        "\tsysvm_charge_leaves(context, &procedure->charge);\n\tcall_rcu",
        "\tsysvm_charge_leaves(context, &procedure->charge);\n\tsysvm_uncharge(&procedure->charge);\n"
        "\tprocedure->charge = (struct sysvm_charge){ 0 };\n\tcall_rcu", "what_waits_to_be_freed_is_charged"),

    # Branch history: a probe counts the clearing
    one("cleared before a load", "kernel_env.h", "\tsysvm_forget_branches();\n\tif (n != sizeof(value)) /*",
        "\tif (n != sizeof(value)) /*", CLEARED),
    one("cleared before a store", "kernel_env.h",
        "\tsysvm_forget_branches();\n\tif (n != sizeof(value))\n\t\treturn copy_to_user",
        "\tif (n != sizeof(value))\n\t\treturn copy_to_user", CLEARED),
    one("cleared before a call", "dispatch.h", "\tsysvm_forget_branches();\n\treturn sysvm_dispatch_row",
        "\treturn sysvm_dispatch_row", CLEARED),
    one("cleared after the end", "run.c", "\tsysvm_forget_branches(); /* The way out", "\t/* The way out",
        CLEARED),
    one("cleared after the verifier", "run.c", "\t\tsysvm_forget_branches();\n\t\tif (!refused)",
        "\t\tif (!refused)", CLEARED),
    one("... of a definition", "procedure.c", "\tsysvm_forget_branches(); /* The verifier's",
        "\t/* The verifier's", CLEARED),
    one("cleared before others run", "boundary.c", "\tsysvm_forget_branches();\n\tcond_resched();",
        "\tcond_resched();", "so_it_is_before_a_filter_is_asked"),
    one("cleared before a filter is asked", "judge.c", "\tsysvm_forget_branches();\n\tpermitted",
        "\tpermitted", "so_it_is_before_a_filter_is_asked"),

    # Indices under speculation: emulation does not speculate, so the code is read
    one("the procedure's number is clamped", "hold.h", "array_index_nospec(number, context->max_procs)",
        "number", CLAMPED),
    one("... of one to forget", "procedure.c", "\tnumber = array_index_nospec(number, context->max_procs);\n",
        "", CLAMPED),
    one("the byte to resume at is clamped", "vm/interp.c", "\t*pc = SYSVM_INDEX(*pc, program->len);\n", "",
        CLAMPED),
    one("... and its bit", "vm/vm.h", "\tat = SYSVM_INDEX(at, (__u64)len);\n", "", CLAMPED),
    one("the length of the page's code is clamped", "run.c",
        "\t\tlen = array_index_nospec(len, SYSVM_PAGE_CODE_MAX + 1);\n", "", CLAMPED),

    # The mapping
    one("madvise does not make fork copy a page", "page.c", "VM_IO | ", "",
        "nothing_undoes_what_the_mapping_is"),

    # Seccomp: seccomp=1, and what runs ahead
    one("what runs ahead stops before what is not plainly allowed", "judge.c",
        "(ahead && !is_plainly_allowed(nr)) || ", "",
        "what_runs_ahead_stops_before_what_is_not_plainly_allowed",
        "a_trap_of_what_runs_ahead_leaves_SIGSYS_as_it_was", "no_supervisor_sees_what_runs_ahead"),
    one("what is plainly allowed is read where it is", "judge.c", "\tbool log, wait_killable_recv;\n",
        "\tu64 log, wait_killable_recv;\n", "what_runs_ahead_makes_what_is_plainly_allowed"),
    one("unknown flags of a context are refused", "main.c", "settings.flags & ~SYSVM_CONTEXT_AHEAD || ", "",
        "what_a_context_is_has_no_other_flags"),
    one("what a run has queued itself does not end it", "boundary.c",
        "return first && (first != own || READ_ONCE(own->next));", "return first;",
        "a_call_that_sleeps_does_not_end_a_run_that_is_judged"),
    one("what judges is checked again when a filter was asked", "judge.c", " && !sysvm_boundary_has_news())",
        ")", "a_tracer_that_comes_while_a_filter_is_asked_gets_the_call"),

    # Who looks
    one("a task's name begins no field of the view", "debug.c",
        'seq_escape(file, context->comm, " \\t\\n\\\\");', "seq_puts(file, context->comm);",
        "the_view_of_contexts_counts_what_they_did"),
    one("no capability is asked for that does not matter", "account.c",
        "\tspin_lock_bh(&accounts_lock);\n\taccount = find(current_user());",
        "\tcapable(CAP_SYS_RESOURCE);\n\tspin_lock_bh(&accounts_lock);\n\taccount = find(current_user());",
        "the_view_of_contexts_counts_what_they_did"),

    # The ways in
    one("no kernel thread opens the device", "context.c", "if (current->flags & PF_KTHREAD || !current->mm)",
        "if (0)", "the_module_looks_at_itself"),
    one("fadvise is off unless asked for", "main.c", "\tif (fadvise)\n", "",
        "fadvise_is_no_way_in_by_default"),
    one("the numbers are ours alone", "uapi/sysvm.h", "#define SYSVM_IOC_MAGIC 0xD5\n",
        "#define SYSVM_IOC_MAGIC 0xB7\n", "the_old_ioctl_numbers_are_refused"),
]

NOT_SEEN_HERE = {
    "a task that a filter kills between two names lets go of the directory": "the filter has to be set, by a thread with a table of "
    "descriptors of its own, between two looks at one name",
    "names.c: directories that hash and compare names in a way of their own; ESTALE": "no file system of the guest has either: "
    "casefolded ext4, NFS",
    "a function that begins with ENDBR is called at its start": "Debian's 6.1 has none; on 6.12 (make check-kernels) the_module_looks_at_itself "
    "fails without",
    "clearing the branch history works, clamping an index does": "emulation has no history and does not speculate; that both are "
    "done is counted by a probe and read in the code",
    "the call is compared when a filter was asked": "a tracer that attaches, rewrites the call and detaches between two instructions; "
    "one that stays is seen, and that is tested",
    "interrupts that come between a program's branches": "as of the kernel's own BPF: nobody clears there",
    "rcu_barrier when the module goes, pages and procedures found under RCU": "a race that takes two processors and luck; "
    "the sanitizer kernel (make check-kasan) and the soak are what would show it",
    "ERESTART_RESTARTBLOCK becomes EINTR": "no row of the table returns it; it is for one that is added by mistake",
    "seccomp=1 leaves strict mode alone": "strict mode denies both ways into the machine, so nobody gets there with it",
    "any complaint on the console fails the run": "tests/qemu/guest_test.py gives run.py a console of each kind",
}
