/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Named values as indented text, or as JSON. A key is NULL inside a list: text then shows a dash.
 */
#include "tool.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Text -------------------------------------------------------------------------------------- */

static void put_key(const struct sink *sink, const char *key, const char *after)
{
	printf("%*s%s%s", (int)(2 * sink->depth), "", key ? key : "-", after);
}

static void text_open(void *ctx, const char *key, bool is_list)
{
	struct sink *sink = ctx;

	(void)is_list;
	put_key(sink, key, key ? ":\n" : "\n");
	if (sink->depth < SINK_DEPTH - 1)
		sink->depth++;
}

static void text_close(void *ctx)
{
	struct sink *sink = ctx;

	if (sink->depth)
		sink->depth--;
}

static void text_number(void *ctx, const char *key, uint64_t value)
{
	put_key(ctx, key, key ? ": " : " ");
	printf("%" PRIu64 "\n", value);
}

static void text_text(void *ctx, const char *key, const char *value)
{
	put_key(ctx, key, key ? ": " : " ");
	puts(value);
}

/* ---- JSON -------------------------------------------------------------------------------------- */

static void put(struct sink *sink, const char *key, json_t *value)
{
	json_t *in = sink->open[sink->depth];

	if (json_is_array(in))
		json_array_append_new(in, value);
	else
		json_object_set_new(in, key ? key : "", value);
}

static void json_open(void *ctx, const char *key, bool is_list)
{
	struct sink *sink = ctx;
	json_t *group = is_list ? json_array() : json_object();

	put(sink, key, group);
	if (sink->depth < SINK_DEPTH - 1)
		sink->open[++sink->depth] = group;
}

static void json_close(void *ctx)
{
	text_close(ctx);
}

static void json_number(void *ctx, const char *key, uint64_t value)
{
	/* JSON's integers end at 2^63: what is above is told as text, exactly. */
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	put(ctx, key, value > INT64_MAX ? json_string(text) : json_integer((json_int_t)value));
}

static void json_text(void *ctx, const char *key, const char *value)
{
	json_t *text = json_string(value);
	char *ascii;

	/* A name that is no UTF-8: bytes above 127 as "?". */
	if (!text && (ascii = strdup(value))) {
		for (char *c = ascii; *c; c++)
			if (*c & 0x80)
				*c = '?';
		text = json_string(ascii);
		free(ascii);
	}
	put(ctx, key, text);
}

void sink_init(struct sink *sink, bool json)
{
	*sink = (struct sink){ .calls = { text_open, text_close, text_number, text_text, sink } };
	if (json) {
		sink->calls = (struct lfs_dump_sink){ json_open, json_close, json_number, json_text,
						      sink };
		sink->open[0] = json_object();
	}
}

int sink_finish(struct sink *sink)
{
	return sink->open[0] ? print_json(sink->open[0]) : fflush(stdout) != 0;
}
