/*
 * core/map.c - strings to pointers.
 *
 * Entries stand in one array in the order they came; an open-addressed table
 * of their positions finds them. A removed entry leaves a hole in the array
 * (value NULL) and a tombstone in the table; both go when either is rebuilt,
 * which only map_put() does, so that map_each() may remove while it walks.
 */
#include "core/map.h"

#include <string.h>

#include "core/err.h"
#include "core/hash.h"
#include "core/mem.h"

#define SLOT_EMPTY 0u
#define SLOT_GONE UINT32_MAX
#define SLOTS_MIN 8

struct entry {
	char *key;
	void *value;          /* NULL: removed */
	uint64_t hash;
};

/*
 * Invariants: slots is a power of two and more than a quarter of it is empty
 * (so probing ends); slot[i] is SLOT_EMPTY, SLOT_GONE or position + 1;
 * live <= used <= slots * 3 / 4.
 */
struct map {
	struct entry *entry;
	uint32_t *slot;
	size_t slots;
	size_t used;          /* entries, holes included */
	size_t live;
};

struct map *map_new(void)
{
	return ch_alloc(sizeof(struct map));
}

void map_free(struct map *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->used; i++)
		ch_free(m->entry[i].key);
	ch_free(m->entry);
	ch_free(m->slot);
	ch_free(m);
}

/* The slot of the key, or NULL. */
static uint32_t *find_slot(const struct map *m, const char *key, uint64_t hash)
{
	if (m->live == 0)
		return NULL;
	for (size_t i = hash & (m->slots - 1);; i = (i + 1) & (m->slots - 1)) {
		uint32_t at = m->slot[i];

		if (at == SLOT_EMPTY)
			return NULL;
		if (at != SLOT_GONE && m->entry[at - 1].hash == hash &&
		    strcmp(m->entry[at - 1].key, key) == 0)
			return &m->slot[i];
	}
}

static void insert_slot(struct map *m, size_t position)
{
	size_t i = m->entry[position].hash & (m->slots - 1);

	while (m->slot[i] != SLOT_EMPTY)
		i = (i + 1) & (m->slots - 1);
	m->slot[i] = (uint32_t)position + 1;
}

/* Closes the holes and makes room for one more. */
static void rebuild(struct map *m)
{
	size_t slots = SLOTS_MIN, kept = 0;

	while (slots * 3 / 8 < m->live + 1)
		slots *= 2;
	CH_BUG_ON(slots >= SLOT_GONE);
	for (size_t i = 0; i < m->used; i++)
		if (m->entry[i].value)
			m->entry[kept++] = m->entry[i];
	m->used = kept;
	m->slots = slots;
	m->entry = ch_realloc(m->entry, slots * 3 / 4 * sizeof(*m->entry));
	ch_free(m->slot);
	m->slot = ch_calloc(slots, sizeof(*m->slot));
	for (size_t i = 0; i < kept; i++)
		insert_slot(m, i);
}

void *map_find(const struct map *m, const char *key)
{
	const uint32_t *slot = find_slot(m, key, hash_bytes(key, strlen(key)));

	return slot ? m->entry[*slot - 1].value : NULL;
}

void *map_put(struct map *m, const char *key, void *value)
{
	uint64_t hash = hash_bytes(key, strlen(key));
	const uint32_t *slot = find_slot(m, key, hash);
	void *old;

	CH_BUG_ON(!value);
	if (slot) {
		old = m->entry[*slot - 1].value;
		m->entry[*slot - 1].value = value;
		return old;
	}
	if (m->used >= m->slots * 3 / 4)
		rebuild(m);
	m->entry[m->used] = (struct entry){ .key = ch_strdup(key), .value = value, .hash = hash };
	insert_slot(m, m->used);
	m->used++;
	m->live++;
	return NULL;
}

void *map_take(struct map *m, const char *key)
{
	uint32_t *slot = find_slot(m, key, hash_bytes(key, strlen(key)));
	struct entry *e;
	void *value;

	if (!slot)
		return NULL;
	e = &m->entry[*slot - 1];
	*slot = SLOT_GONE;
	value = CH_TAKE(e->value);
	ch_free(CH_TAKE(e->key));
	m->live--;
	return value;
}

size_t map_len(const struct map *m)
{
	return m->live;
}

bool map_each(const struct map *m, size_t *cursor, const char **ret_key, void **ret_value)
{
	while (*cursor < m->used) {
		const struct entry *e = &m->entry[(*cursor)++];

		if (!e->value)
			continue;
		if (ret_key)
			*ret_key = e->key;
		if (ret_value)
			*ret_value = e->value;
		return true;
	}
	return false;
}

void map_clear(struct map *m, void (*drop)(void *value))
{
	size_t cursor = 0;
	const char *key;
	void *value;

	while (m && map_each(m, &cursor, &key, &value)) {
		map_take(m, key);
		drop(value);
	}
}
