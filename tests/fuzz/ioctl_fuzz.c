// SPDX-License-Identifier: MIT
/*
 * Fuzzes what the module makes of its arguments: open, mmap and the ioctls of kmod/, compiled in user space
 * over kernel/kernel.h. The input is a list of acts of a few threads; what they hand in is the input too,
 * fetched anew each time, so a second fetch of the same thing shows. During an inner call anything may
 * happen: the procedure is undefined, the page unmapped, written to, another thread enters.
 *
 * What may not happen: memory out of place or used after its end (the sanitizers' to find), user memory
 * touched under a lock, a count that rises from 0, a status that the ABI does not name, something left
 * behind.
 */
#include "boundary.h"
#include "context.h"
#include "dispatch.h"
#include "kernel_env.h"
#include "kernel/kernel.h"
#include "selftest.h"
#include "uapi/syscalls.h"

#include <asm/unistd.h>

int locks_held;
long objects;

static const uint8_t* input;
static size_t left;
static int depth; /* of entries */

static struct mm_struct mms[2];
static struct pid pids[3];
static struct task_struct tasks[3] = {
    {.mm = &mms[0], .pid = &pids[0]}, {.mm = &mms[0], .pid = &pids[1]}, {.mm = &mms[1], .pid = &pids[2]}};
struct task_struct* current = &tasks[0];
static struct file file;
static struct vm_area_struct vmas[4]; /* by slot; vm_ops: mapped */

static uint8_t byte(void) {
  if (!left) return 0;
  left--;
  return *input++;
}

bool decide(void) {
  return byte() == 0xfd;
}

bool signal_pending(struct task_struct* task) {
  (void)task;
  return byte() & 1;
}

bool in_compat_syscall(void) {
  return byte() == 0xfc;
}

static void fetch(void* to, size_t n) {
  size_t have = n < left ? n : left;

  memcpy(to, input, have);
  memset((char*)to + have, 0, n - have);
  input += have;
  left -= have;
}

static bool access_ok(const void* address, size_t n) {
  return (uintptr_t)address + n >= n && (uintptr_t)address + n < 1ul << 47;
}

/* Structures are shaped so that the interesting values come up; what is read as such is the fuzzer's all the
 * same. */
unsigned long copy_from_user(void* to, const void* from, size_t n) {
  if (locks_held) abort();
  if (!access_ok(from, n) || decide()) return n;
  if (n == sizeof(struct sysvm_define) && byte() % 8) {
    struct sysvm_define define = {.code = 1, .message = 1};

    define.code_len = byte() % 4 ? byte() : byte() << 8 | byte();
    define.message_len = byte();
    memcpy(to, &define, n);
  } else if (n == sizeof(struct sysvm_run) && byte() % 8) {
    struct sysvm_run run = {.proc = byte() % 4, .seq = 1 + byte() % 3};

    if (run.proc == 3) run.proc = SYSVM_PROC_PAGE;
    memcpy(to, &run, n);
  } else {
    fetch(to, n);
  }
  return 0;
}

unsigned long copy_to_user(void* to, const void* from, size_t n) {
  size_t i;

  if (locks_held) abort();
  if (!access_ok(to, n)) return n;
  for (i = 0; i < n; i++) (void)((const volatile unsigned char*)from)[i];
  return decide() ? n : 0;
}

static struct sysvm_page* page_of(const struct vm_area_struct* vma) {
  return vma->vm_ops ? (struct sysvm_page*)vma->inserted->memory : NULL;
}

/* Other threads write to pages at any time. */
static void write_to_pages(void) {
  struct sysvm_page* page = page_of(&vmas[byte() % 4]);
  size_t at = byte() | (byte() & 15) << 8;

  if (!page) return;
  ((uint8_t*)page)[at] = byte();
  if (byte() % 4 == 0) { /* a page with a program */
    uint8_t n = byte() % 64;

    page->fuel = byte();
    page->code_len = n;
    fetch(page->code, n);
  }
}

static void unmap(struct vm_area_struct* vma) {
  if (!vma->vm_ops) return;
  vma->vm_ops->close(vma);
  put_page(vma->inserted);
  vma->vm_ops = NULL;
  file.refs--;
}

static void map(struct vm_area_struct* vma) {
  uint8_t how = byte();

  if (vma->vm_ops) return;
  *vma = (struct vm_area_struct){.vm_mm = current->mm, .vm_end = PAGE_SIZE << (how == 1), .vm_file = &file};
  vma->vm_pgoff = how == 2;
  vma->vm_flags = (how == 3 ? 0 : VM_SHARED) | (how == 4 ? VM_EXEC : 0);
  if (sysvm_fops.mmap(&file, vma) == 0) {
    if ((how >= 1 && how <= 4) || !vma->vm_ops || vma->vm_flags & VM_MAYEXEC ||
        !(vma->vm_flags & VM_DONTCOPY) || !(vma->vm_flags & VM_IO))
      abort(); /* what it must refuse, or protect */
    file.refs++;
  } else if (vma->inserted) {
    put_page(vma->inserted); /* as the failing mmap() does */
  }
}

static void act(void);

/* By a plain system call, by the other one, or from within. */
static long enter(unsigned int command) {
  const struct pt_regs was = current->regs;
  uint8_t how = byte();
  long ret;

  depth++;
  current->regs.ax = how == 0xff ? 0 : -ENOSYS;
  if (command == SYSVM_IOC_RUN && how & 1) {
    current->regs.orig_ax = __NR_fadvise64;
    ret = sysvm_run_fadvise(&file, how % 4, how & 2 ? SYSVM_PROC_PAGE : how % 4,
                            how == 0xf7 ? 0 : SYSVM_ADVICE_RUN);
  } else {
    current->regs.orig_ax = __NR_ioctl;
    ret = sysvm_fops.unlocked_ioctl(&file, command, 4096);
  }
  current->regs = was;
  depth--;
  if (locks_held) abort();
  if (ret > 0 || ret < -ERESTART_RESTARTBLOCK || current->regs.ax == 1) abort();
  /* Another address space, or a program of the machine: must not get in. */
  if (!ret && command != SYSVM_IOC_QUERY && current->mm != &mms[0]) abort();
  if (!ret && command == SYSVM_IOC_RUN && how == 0xff) abort();
  return ret;
}

static void act(void) {
  struct task_struct* was = current;

  switch (byte() % 9) {
    case 0:
      enter(SYSVM_IOC_DEFINE);
      break;
    case 1:
    case 2:
      enter(SYSVM_IOC_RUN);
      break;
    case 3:
      enter(SYSVM_IOC_UNDEFINE);
      break;
    case 4:
      enter(SYSVM_IOC_QUERY);
      break;
    case 5:
      map(&vmas[byte() % 4]);
      break;
    case 6:
      unmap(&vmas[byte() % 4]);
      break;
    case 7:
      write_to_pages();
      break;
    case 8:
      if (depth) break;
      current = &tasks[byte() % 3];
      was = current;
      if (byte() == 2) enter(SYSVM_IOC_CONTEXT);
      if (byte() == 1) enter(byte() | byte() << 8 | 0xD5 << 8);
  }
  current = was;
}

/* What the module takes from the kernel. */
unsigned long sysvm_entry_ticks;

void sysvm_boundary_init(void) {}
void sysvm_cancel_task_work(void (*func)(struct callback_head*)) {
  (void)func;
}

/* Each charge is made and given back once; a context has what it was charged with until that leaves. */
static long charges, contexts, held;

struct sysvm_account* sysvm_account_open(void) {
  if (decide()) return ERR_PTR(-EMFILE);
  contexts++;
  return (struct sysvm_account*)&contexts;
}

void sysvm_account_close(struct sysvm_account* account) {
  if (account != (struct sysvm_account*)&contexts) abort();
  contexts--;
}

size_t sysvm_real_size(const void* memory, size_t asked) {
  if (!memory) abort();
  return asked + 1;
}

int sysvm_charge(struct sysvm_context* context, struct sysvm_charge* charge, size_t bytes) {
  if (locks_held || !context->account || charge->account) abort();
  if (decide()) return -ENOMEM;
  *charge = (struct sysvm_charge){context->account, bytes, bytes};
  charges++;
  held += (long)bytes;
  return 0;
}

void sysvm_charge_leaves(struct sysvm_context* context, const struct sysvm_charge* charge) {
  if (!charge->account || context->account != charge->account) abort();
  held -= (long)charge->bytes;
}

void sysvm_uncharge(const struct sysvm_charge* charge) {
  charges -= !!charge->account;
}

int sysvm_selftest(void) {
  return 0;
}
void sysvm_debug_init(void) {}
void sysvm_debug_exit(void) {}

struct thread_info* current_thread_info(void) {
  static struct thread_info info;

  info.flags = _TIF_SIGPENDING;
  return &info;
}

u32 sysvm_boundary_look(const struct sysvm_env* env) {
  static const u8 why[] = {SYSVM_FALLBACK, SYSVM_SIGNAL, SYSVM_YIELD};
  u8 b = byte();

  if (b % 4 == 0 && depth < 3) {
    struct task_struct* was = current;

    current = &tasks[b / 4 % 3];
    act();
    current = was;
  }
  return b >= 0xf0 ? why[b % 3] : 0;
}

void sysvm_boundary_after_close(void) {}

/* Now and then the short way; it ends with what it shows. */
bool sysvm_name_stat(struct sysvm_env* env, struct sysvm_entry* entry, long* result) {
  const u8 b = byte();

  if (b % 2) return false;
  env->directory.file = b % 4 ? (struct file*)&env->directory : NULL;
  entry->device = env->regs->di;
  entry->mode = b << 8;
  *result = b % 8 ? 0 : -ENOENT;
  return true;
}

void sysvm_directory_drop(struct sysvm_directory* directory) {
  if (!directory->file) abort();
  directory->file = NULL;
}

void sysvm_dispatch_supported(u64 supported[4]) {
  memset(supported, 0xff, 32);
}

int sysvm_dispatch_bind(void) {
  return 0;
}

long sysvm_after_error(struct sysvm_env* env, long result) {
  if (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK && byte() & 1) {
    env->stop = SYSVM_RESTART;
    return result;
  }
  return -EINTR;
}

bool sysvm_needs_clearing;

void sysvm_clear_branch_history(void) {}

long sysvm_dispatch_row(struct pt_regs* regs, unsigned int index) {
  static const long results[] = {
      0, 1, -1, -EINTR, -ERESTARTSYS, -ERESTARTNOINTR, -ERESTARTNOHAND, -ERESTART_RESTARTBLOCK, 1l << 40};

  if (index >= SYSVM_CALL_MAX || locks_held) abort();
  return results[(regs->di + byte()) % 9];
}

long sysvm_dispatch_slowly(struct sysvm_env* env, unsigned int index, u32 why) {
  if (index >= SYSVM_CALL_MAX) abort();
  if (why) {
    env->stop = why;
    return -ERESTARTNOINTR;
  }
  switch (byte() % 3) {
    case 0:
      return -EBADF;
    case 1:
      env->stop = SYSVM_FALLBACK;
      return -ERESTARTNOINTR;
  }
  return sysvm_after_error(env, sysvm_dispatch(env->regs, index));
}

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  unsigned int i;

  input = data;
  left = size;
  current = &tasks[0];
  file = (struct file){NULL, 1};
  if (sysvm_fops.open(NULL, &file)) {
    if (objects || charges || contexts || held || mms[0].refs) abort();
    return 0;
  }
  while (left) act();
  for (i = 0; i < 4; i++) unmap(&vmas[i]);
  sysvm_fops.release(NULL, &file);
  if (objects || charges || contexts || held || locks_held || file.refs != 1 || mms[0].refs || mms[1].refs ||
      pids[0].refs || pids[1].refs ||
      pids[2].refs)
    abort();
  return 0;
}
