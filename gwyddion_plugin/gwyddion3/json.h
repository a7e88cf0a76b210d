/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#ifndef AFMSR_JSON_H
#define AFMSR_JSON_H

#include <glib.h>

/* A value in a text of JSON. Values belong to the one that json_parse() returned. */
typedef struct _Json Json;

/* Returns NULL if the text is not one value of JSON. */
Json *json_parse(const gchar *text);
void json_free(Json *value);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Json, json_free)

/* Of what is not there, or of another type, the getters return NULL, 0, "", the fallback or FALSE. */
const Json *json_member(const Json *object, const gchar *name);
const Json *json_item(const Json *array, guint place);
guint json_length(const Json *array);
gboolean json_is_array(const Json *value);
gboolean json_is_string(const Json *value);
gboolean json_is_null(const Json *value);
const gchar *json_text(const Json *value);
const gchar *json_string(const Json *object, const gchar *name);
gdouble json_number(const Json *object, const gchar *name, gdouble fallback);
gboolean json_flag(const Json *object, const gchar *name);

/* The names of the members of an object. */
const gchar *json_name(const Json *object, guint place);

/* The value as it is written. Free it with g_free(). */
gchar *json_source(const Json *value);

/* Append a member to an object that is being written: the comma, if any, is put before it. */
void json_add_string(GString *object, const gchar *name, const gchar *text);
void json_add_number(GString *object, const gchar *name, gdouble number);
void json_add_flag(GString *object, const gchar *name, gboolean flag);
/* Append a member that is JSON already. */
void json_add(GString *object, const gchar *name, const gchar *source);

#endif
