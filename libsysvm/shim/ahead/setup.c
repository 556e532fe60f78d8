// SPDX-License-Identifier: MIT
/*
 * The first state of each file, and which procedures are in use: those of this executable that keep the
 * rules.
 * Tested by tests/shim/ahead.
 */
#include "libsysvm/shim/ahead/setup.h"

#include "libsysvm/shim/ahead/check.h"
#include "libsysvm/shim/ahead/late.h"
#include "libsysvm/shim/ahead/machine.h"
#include "libsysvm/shim/ahead/trigger.h"
#include "libsysvm/shim/answers/log.h"
#include "libsysvm/shim/answers/outstanding.h"
#include "libsysvm/shim/answers/records.h"
#include "libsysvm/shim/base/bytes.h"
#include "libsysvm/shim/base/count.h"
#include "libsysvm/shim/known/areas.h"
#include "libsysvm/shim/known/clock.h"
#include "libsysvm/shim/known/descriptors.h"
#include "libsysvm/shim/known/devices.h"
#include "libsysvm/shim/known/memory.h"
#include "libsysvm/shim/known/mounts.h"
#include "libsysvm/shim/known/overlay.h"
#include "libsysvm/shim/known/procedures.h"
#include "libsysvm/shim/names/kept.h"
#include "libsysvm/shim/names/names.h"

/* What the procedures need, in memory that is zeroed. */
static bool make_room(const struct shim_settings *s)
{
	size_t state = procedures_size();
	unsigned char *memory = areas_init(sysvm_size() + state + svp.nprocs * sizeof(*counts.proc));

	if (!memory)
		return false;
	machine_reset((struct sysvm_vm *)memory, (enum sysvm_engine)s->engine, s->svp, s->svp_size);
	procedures_reset(memory + sysvm_size());
	count_reset((struct count_of_procedure *)(memory + sysvm_size() + state), svp.nprocs);
	return true;
}

static bool made_for_this(const struct svp_proc *p, const struct shim_settings *s)
{
	return !p->exe.build_id_len || (p->exe.build_id_len == s->exe_build_id_len &&
					bytes_equal(p->exe.build_id, s->exe_build_id, s->exe_build_id_len));
}

static bool use(uint32_t number, const struct shim_settings *s)
{
	const struct svp_proc *p = &svp.procs[number];

	if (!made_for_this(p, s) || (s->strict && p->mode == SVP_LATE_CLOSE) || !check_procedure(number))
		return false;
	for (uint32_t t = 0; t < p->triggers; t++) {
		const struct svp_trigger *trigger = &svp.triggers[p->first_trigger + t];

		if (trigger->site.build_id_len)
			procedures[number].site[t] = s->resolve(&trigger->site);
		if (trigger->caller.build_id_len)
			procedures[number].caller[t] = s->resolve(&trigger->caller);
	}
	return true;
}

static bool use_procedures(const struct shim_settings *s)
{
	bool any = false;

	for (uint32_t i = 0; i < svp.nprocs; i++) {
		procedures[i].off = !use(i, s);
		any |= !procedures[i].off;
	}
	return any;
}

static void add_rules(void)
{
	for (uint32_t i = 0; i < svp.nprocs; i++) {
		const struct svp_proc *p = &svp.procs[i];

		for (uint32_t t = 0; !procedures[i].off && t < p->triggers; t++) {
			uint32_t nr = svp.triggers[p->first_trigger + t].nr;

			if (p->mode == SVP_RUN_AHEAD)
				rules_add(nr, RULE_TRIGGER);
			else if (p->mode == SVP_ANSWER)
				rules_add(nr, RULE_ANSWER);
		}
	}
}

int setup(const struct shim_settings *s)
{
	char message[128];

	if (svp_check(s->svp, s->svp_size, &svp, message, sizeof(message)))
		return SHIM_OFF_ENGINE;
	clock_reset(s->vdso);
	if (!clock_works() || !make_room(s))
		return SHIM_OFF_ENGINE;
	outstanding_reset(s->age_ms);
	log_reset();
	records_reset();
	late_reset(s->strict);
	trigger_reset();
	descriptors_reset();
	devices_reset();
	mounts_reset();
	overlay_reset();
	if (!use_procedures(s))
		return SHIM_OFF_DISABLED;
	names_reset();
	rules_reset(s->relaxed_age);
	add_rules();
	if (!kept_reset())
		return SHIM_OFF_ENGINE;
	return memory_reset();
}
