// SPDX-License-Identifier: MIT
/*
 * The lists of a procedure file: where they are, and rule 9 of docs/svp-format.md. As in svp.c nothing is
 * allocated, and the first thing that is wrong is named. Tested by tests/libsysvm/svp_lists_test.cc.
 */
#include "procedures/svp_lists.h"

#include "procedures/raw_bytes.h"
#include "procedures/svp_checker.h"

static const struct svp_section *section_of(const struct svp *svp, uint32_t kind)
{
	const struct svp_header *h = (const struct svp_header *)svp->base;
	const struct svp_section *table = (const struct svp_section *)(h + 1);

	for (uint32_t i = 0; i < h->sections; i++)
		if (table[i].kind == kind)
			return &table[i];
	return NULL;
}

void svp_lists_of(const struct svp *svp, struct svp_lists *out)
{
	const struct svp_section *lists = section_of(svp, SVP_LISTS), *items = section_of(svp, SVP_ITEMS),
				 *paths = section_of(svp, SVP_PATHS);

	raw_zero(out, sizeof(*out));
	if (!lists || !items || !paths)
		return;
	out->lists = (const struct svp_list *)(svp->base + lists->offset);
	out->nlists = lists->size / sizeof(struct svp_list);
	out->items = (const struct svp_item *)(svp->base + items->offset);
	out->nitems = items->size / sizeof(struct svp_item);
	out->paths = (const char *)(svp->base + paths->offset);
	out->paths_size = paths->size;
}

static int refuse_list(struct checker *c, uint32_t number, const char *what)
{
	sysvm_text_uint(put(c, "list "), number);
	put(c, ": ");
	return refuse(c, what);
}

static int refuse_item(struct checker *c, uint32_t number, const char *what)
{
	sysvm_text_uint(put(c, "item "), number);
	put(c, ": ");
	return refuse(c, what);
}

static int exe_is_good(const struct svp_place *place)
{
	if (place->build_id_len > SVP_BUILD_ID_MAX || place->offset)
		return 0;
	for (uint32_t i = place->build_id_len; i < SVP_BUILD_ID_MAX; i++)
		if (place->build_id[i])
			return 0;
	return 1;
}

static int check_list(struct checker *c, const struct svp_lists *l, uint32_t number, uint32_t *next)
{
	const struct svp_list *list = &l->lists[number];

	if (list->name >= c->out->strings_size)
		return refuse_list(c, number, "its name lies past the end of section strings");
	if (list->reserved)
		return refuse_list(c, number, "reserved field is not 0");
	if (list->first_item != *next || list->items > l->nitems - *next)
		return refuse_list(c, number,
				   "its items do not follow those of the list before, or pass the end of "
				   "section items");
	if (!exe_is_good(&list->exe))
		return refuse_list(c, number, "the executable has a bad build-id");
	*next += list->items;
	return 0;
}

/* Paths lie one after the other in the order of the items, so that each byte belongs to one. */
static int check_item(struct checker *c, const struct svp_lists *l, uint32_t number, uint64_t *next)
{
	const struct svp_item *item = &l->items[number];
	uint64_t end = *next;

	if (item->path != *next)
		return refuse_item(c, number, "its path does not follow the one before");
	while (end < l->paths_size && l->paths[end])
		end++;
	if (end == l->paths_size || end == *next || end - *next >= SVP_PATH_MAX)
		return refuse_item(c, number,
				   "its path is empty, too long, or does not end inside section paths");
	*next = end + 1;
	if (item->kind < SVP_ITEM_NAME || item->kind > SVP_ITEM_DIRECTORY)
		return refuse_item(c, number, "unknown kind");
	if (item->reserved || item->mtime_ns >= 1000000000)
		return refuse_item(c, number, "a reserved field that is not 0, or more than a second of ns");
	if (item->kind != SVP_ITEM_FILE) {
		if (item->from || item->length || item->size || item->mtime || item->mtime_ns)
			return refuse_item(c, number, "a field that its kind does not use is not 0");
	} else if (!item->length || item->length > SVP_LENGTH_MAX || item->from > item->size ||
		   item->length > item->size - item->from) {
		return refuse_item(c, number, "its part is empty, too long, or past the end of the file");
	}
	return 0;
}

int svp_check_lists(struct checker *c)
{
	const struct svp_section *lists = section_of(c->out, SVP_LISTS),
				 *items = section_of(c->out, SVP_ITEMS),
				 *paths = section_of(c->out, SVP_PATHS);
	uint32_t next_item = 0;
	uint64_t next_path = 0;
	struct svp_lists l;
	int err = 0;

	if (!lists && !items && !paths)
		return 0;
	if (!lists || !items || !paths)
		return refuse(c, "sections lists, items and paths: one is there without the others");
	if (lists->size % sizeof(struct svp_list) || items->size % sizeof(struct svp_item))
		return refuse(c, "sections lists and items: expected a multiple of their rows");
	if (lists->size / sizeof(struct svp_list) > SVP_MAX_LISTS)
		return refuse_number(c, "lists: ", lists->size / sizeof(struct svp_list),
				     ", expected at most ", SVP_MAX_LISTS);
	if (items->size / sizeof(struct svp_item) > SVP_MAX_ITEMS)
		return refuse_number(c, "items of lists: ", items->size / sizeof(struct svp_item),
				     ", expected at most ", SVP_MAX_ITEMS);
	svp_lists_of(c->out, &l);
	for (uint32_t i = 0; !err && i < l.nlists; i++)
		err = check_list(c, &l, i, &next_item);
	for (uint32_t i = 0; !err && i < l.nitems; i++)
		err = check_item(c, &l, i, &next_path);
	if (!err && (next_item != l.nitems || next_path != l.paths_size))
		err = refuse(c, "sections items and paths: expected nothing that belongs to no list");
	return err;
}
