/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#include "json.h"

#include <string.h>

#define DEEPEST 64 /* honest messages have five levels; more could exhaust the stack */

typedef enum { JSON_NULL, JSON_FLAG, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT } JsonType;

struct _Json {
    JsonType type;
    gchar *source;     /* as written */
    gchar *text;       /* of a string */
    gdouble number;    /* also of a flag */
    GPtrArray *names;  /* of the members */
    GPtrArray *values; /* of the members or items */
};

static Json *parse_value(const gchar **at, guint depth);

void
json_free(Json *value)
{
    if (!value)
        return;
    g_free(value->source);
    g_free(value->text);
    g_clear_pointer(&value->names, g_ptr_array_unref);
    g_clear_pointer(&value->values, g_ptr_array_unref);
    g_free(value);
}

static void
skip_space(const gchar **at)
{
    while (**at == ' ' || **at == '\t' || **at == '\n' || **at == '\r')
        (*at)++;
}

static gboolean
skip_sign(const gchar **at, gchar sign)
{
    skip_space(at);
    if (**at != sign)
        return FALSE;
    (*at)++;
    return TRUE;
}

/* Reads four hexadecimal digits; returns FALSE if they are not there. */
static gboolean
parse_unit(const gchar **at, gunichar *unit)
{
    *unit = 0;
    for (guint i = 0; i < 4; i++, (*at)++) {
        gint digit = g_ascii_xdigit_value(**at);
        if (digit < 0)
            return FALSE;
        *unit = 16 * *unit + digit;
    }
    return TRUE;
}

/* Reads what follows \u, a pair of halves included. Half of a pair becomes a replacement character. */
static gboolean
parse_character(const gchar **at, GString *text)
{
    gunichar first, second;

    if (!parse_unit(at, &first))
        return FALSE;
    if (first >= 0xd800 && first < 0xdc00 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        *at += 2;
        if (!parse_unit(at, &second))
            return FALSE;
        if (second >= 0xdc00 && second < 0xe000)
            first = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        else
            first = 0xfffd;
    }
    if (!first || (first >= 0xd800 && first < 0xe000))
        first = 0xfffd;
    g_string_append_unichar(text, first);
    return TRUE;
}

/* Returns NULL if there is no string. */
static gchar *
parse_string(const gchar **at)
{
    static const gchar escapes[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    GString *text;

    if (!skip_sign(at, '"'))
        return NULL;
    text = g_string_new(NULL);
    while (**at && **at != '"') {
        const gchar *escape;
        if (**at != '\\') {
            g_string_append_c(text, *(*at)++);
            continue;
        }
        (*at)++;
        if (**at == 'u') {
            (*at)++;
            if (!parse_character(at, text))
                break;
        }
        else if (**at && (escape = strchr(escapes, **at))) {
            g_string_append_c(text, meanings[escape - escapes]);
            (*at)++;
        }
        else
            break;
    }
    if (**at != '"') {
        g_string_free(text, TRUE);
        return NULL;
    }
    (*at)++;
    return g_string_free(text, FALSE);
}

/* Reads the items of an array, or the members of an object, up to the closing bracket. */
static gboolean
parse_items(const gchar **at, Json *value, gchar closing, guint depth)
{
    value->values = g_ptr_array_new_with_free_func((GDestroyNotify)json_free);
    value->names = g_ptr_array_new_with_free_func(g_free);
    if (skip_sign(at, closing))
        return TRUE;
    do {
        Json *item;
        if (value->type == JSON_OBJECT) {
            gchar *name = parse_string(at);
            if (!name)
                return FALSE;
            g_ptr_array_add(value->names, name);
            if (!skip_sign(at, ':'))
                return FALSE;
        }
        if (!(item = parse_value(at, depth)))
            return FALSE;
        g_ptr_array_add(value->values, item);
    } while (skip_sign(at, ','));
    return skip_sign(at, closing);
}

static gboolean
parse_word(const gchar **at, const gchar *word)
{
    if (!g_str_has_prefix(*at, word))
        return FALSE;
    *at += strlen(word);
    return TRUE;
}

static gboolean
parse_into(const gchar **at, Json *value, guint depth)
{
    gchar *end;

    switch (**at) {
        case '{':
        case '[':
            if (depth >= DEEPEST)
                return FALSE;
            value->type = **at == '{' ? JSON_OBJECT : JSON_ARRAY;
            (*at)++;
            return parse_items(at, value, value->type == JSON_OBJECT ? '}' : ']', depth + 1);
        case '"':
            value->type = JSON_STRING;
            return (value->text = parse_string(at)) != NULL;
        case 'n':
            return parse_word(at, "null");
        case 't':
            value->type = JSON_FLAG;
            value->number = 1.0;
            return parse_word(at, "true");
        case 'f':
            value->type = JSON_FLAG;
            return parse_word(at, "false");
        default:
            if (**at != '-' && !g_ascii_isdigit(**at))
                return FALSE;
            value->type = JSON_NUMBER;
            value->number = g_ascii_strtod(*at, &end);
            if (end == *at)
                return FALSE;
            *at = end;
            return TRUE;
    }
}

static Json *
parse_value(const gchar **at, guint depth)
{
    Json *value = g_new0(Json, 1);
    const gchar *start;

    skip_space(at);
    start = *at;
    if (!parse_into(at, value, depth)) {
        json_free(value);
        return NULL;
    }
    value->source = g_strndup(start, *at - start);
    return value;
}

Json *
json_parse(const gchar *text)
{
    Json *value = parse_value(&text, 0);

    skip_space(&text);
    if (value && *text)
        g_clear_pointer(&value, json_free);
    return value;
}

const Json *
json_member(const Json *object, const gchar *name)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (guint i = 0; i < object->names->len; i++) {
        if (g_str_equal(g_ptr_array_index(object->names, i), name))
            return g_ptr_array_index(object->values, i);
    }
    return NULL;
}

const Json *
json_item(const Json *value, guint place)
{
    return place < json_length(value) ? g_ptr_array_index(value->values, place) : NULL;
}

guint
json_length(const Json *value)
{
    return value && value->values ? value->values->len : 0;
}

const gchar *
json_name(const Json *object, guint place)
{
    return object && object->names && place < object->names->len ? g_ptr_array_index(object->names, place) : NULL;
}

gboolean
json_is_array(const Json *value)
{
    return value && value->type == JSON_ARRAY;
}

gboolean
json_is_string(const Json *value)
{
    return value && value->type == JSON_STRING;
}

gboolean
json_is_null(const Json *value)
{
    return value && value->type == JSON_NULL;
}

const gchar *
json_text(const Json *value)
{
    return json_is_string(value) ? value->text : "";
}

const gchar *
json_string(const Json *object, const gchar *name)
{
    return json_text(json_member(object, name));
}

gdouble
json_number(const Json *object, const gchar *name, gdouble fallback)
{
    const Json *value = json_member(object, name);

    return value && value->type == JSON_NUMBER ? value->number : fallback;
}

gboolean
json_flag(const Json *object, const gchar *name)
{
    const Json *value = json_member(object, name);

    return value && value->type == JSON_FLAG && value->number != 0.0;
}

gchar *
json_source(const Json *value)
{
    return g_strdup(value ? value->source : "null");
}

void
json_add(GString *object, const gchar *name, const gchar *source)
{
    if (object->len && object->str[object->len - 1] != '{')
        g_string_append(object, ", ");
    g_string_append_printf(object, "\"%s\": %s", name, source);
}

void
json_add_string(GString *object, const gchar *name, const gchar *text)
{
    g_autofree gchar *valid = g_utf8_make_valid(text, -1);
    g_autoptr(GString) quoted = g_string_new("\"");

    for (const gchar *at = valid; *at; at = g_utf8_next_char(at)) {
        gunichar sign = g_utf8_get_char(at);
        if (sign == '"' || sign == '\\')
            g_string_append_printf(quoted, "\\%c", (gchar)sign);
        else if (sign >= 0x20 && sign < 0x7f)
            g_string_append_c(quoted, (gchar)sign);
        else if (sign < 0x10000)
            g_string_append_printf(quoted, "\\u%04x", sign);
        else
            g_string_append_printf(quoted, "\\u%04x\\u%04x", 0xd800 + ((sign - 0x10000) >> 10),
                                   0xdc00 + ((sign - 0x10000) & 0x3ff));
    }
    g_string_append_c(quoted, '"');
    json_add(object, name, quoted->str);
}

void
json_add_number(GString *object, const gchar *name, gdouble number)
{
    gchar text[G_ASCII_DTOSTR_BUF_SIZE];

    json_add(object, name, g_ascii_dtostr(text, sizeof(text), number));
}

void
json_add_flag(GString *object, const gchar *name, gboolean flag)
{
    json_add(object, name, flag ? "true" : "false");
}
