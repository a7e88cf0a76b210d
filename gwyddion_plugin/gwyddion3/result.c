/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#include "result.h"

#include "choices.h"

#define META "afmsr history" /* as in the files that afmsr writes */

static void
made_free(Made *made)
{
    g_clear_object(&made->field);
    g_clear_object(&made->mask);
    g_free(made);
}

static gboolean
read_one(const Scan *scan, const Json *answer, GPtrArray *all, GError **error)
{
    const Json *described = json_member(answer, "field");
    Made *made = g_new0(Made, 1);

    g_ptr_array_add(all, made);
    made->answer = answer;
    return (made->field = scan_result(scan, described, error)) != NULL
           && scan_result_mask(scan, described, &made->mask, error);
}

GPtrArray *
result_read(const Scan *scan, const Json *answer, GError **error)
{
    GPtrArray *all = g_ptr_array_new_with_free_func((GDestroyNotify)made_free);
    const Json *extras = json_member(answer, "extras");
    gboolean good = read_one(scan, answer, all, error);

    for (guint i = 0; good && i < json_length(extras); i++)
        good = read_one(scan, json_item(extras, i), all, error);
    if (!good)
        g_clear_pointer(&all, g_ptr_array_unref);
    return all;
}

static void
append_sentence(GString *text, const gchar *told)
{
    g_autofree gchar *first = g_utf8_strup(told, (gssize)(g_utf8_next_char(told) - told));

    if (*told)
        g_string_append_printf(text, "%s%s%s.", text->len ? " " : "", first, g_utf8_next_char(told));
}

static gboolean
is_among(const Json *told, const gchar *text)
{
    for (guint i = 0; i < json_length(told); i++) {
        if (g_str_equal(json_text(json_item(told, i)), text))
            return TRUE;
    }
    return FALSE;
}

gchar *
result_warnings(const Json *answer, const Json *told)
{
    const Json *warnings = json_member(answer, "warnings");
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < json_length(warnings); i++) {
        const gchar *warning = json_text(json_item(warnings, i));
        if (!is_among(told, warning))
            append_sentence(text, warning);
    }
    return g_string_free(text, FALSE);
}

/* --- what goes with the values ----------------------------------------------------------------------- */

static void
append_items(GString *array, const Json *items)
{
    for (guint i = 0; json_is_array(items) && i < json_length(items); i++) {
        g_autofree gchar *item = json_source(json_item(items, i));
        g_string_append_printf(array, "%s%s", array->len > 1 ? ", " : "", item);
    }
}

/* Returns what was done to the scan by afmsr before and now, without what would be taken for markup. */
static gchar *
whole_history(const gchar *before, const Json *history)
{
    g_autoptr(Json) earlier = before ? json_parse(before) : NULL; /* NULL if somebody edited it */
    GString *whole = g_string_new("[");

    append_items(whole, earlier);
    append_items(whole, history);
    g_string_append_c(whole, ']');
    for (const gchar *sign = "<>&"; *sign; sign++) {
        gchar plain[2] = { *sign, 0 }, escaped[7];
        g_snprintf(escaped, sizeof(escaped), "\\u%04x", (guint)*sign);
        g_string_replace(whole, plain, escaped, 0);
    }
    return g_string_free(whole, FALSE);
}

static void
add_history(GwyFile *file, gint id, const Json *history)
{
    GwyDict *meta = gwy_file_get_meta(file, GWY_FILE_IMAGE, id);
    const gchar *before = NULL;
    g_autofree gchar *whole = NULL;

    if (!meta) {
        meta = gwy_dict_new();
        gwy_file_pass_meta(file, GWY_FILE_IMAGE, id, meta);
    }
    gwy_dict_gis_string_by_name(meta, META, &before);
    whole = whole_history(before, history);
    gwy_dict_set_string_by_name(meta, META, whole);
}

static void
set_logged(const gchar *name, const gchar *text)
{
    g_autofree gchar *key = g_strdup_printf("/module/" AFMSR_FUNCTION "/%s", name);

    gwy_dict_set_string_by_name(gwy_app_settings_get(), key, text);
}

/* Puts beside the parameters what the log is to tell: Gwyddion logs what stands under the function's name. */
static void
set_all_logged(const Json *answer)
{
    const Json *history = json_member(answer, "history");
    g_autofree gchar *warnings = result_warnings(answer, NULL);

    set_logged("weights_sha256", ""); /* not those of an earlier run */
    set_logged("joined_with", "");
    set_logged("warnings", warnings);
    for (guint i = 0; i < json_length(history); i++) {
        const Json *step = json_item(history, i), *settings = json_member(step, "settings");
        const gchar *name = json_string(step, "name");
        if (g_str_equal(name, "join"))
            set_logged("joined_with", json_string(settings, "retrace"));
        else if (g_str_equal(name, "scan_time"))
            set_logged("scan_time", json_string(step, "effect"));
        else if (g_str_equal(name, "upscale")) {
            set_logged("afmsr", json_string(step, "version"));
            set_logged("weights_sha256", json_string(settings, "weights_sha256"));
        }
    }
}

static void
add_one(const Scan *scan, const Made *made, gboolean restored, gboolean shown)
{
    guint64 items = GWY_FILE_ITEM_PALETTE | GWY_FILE_ITEM_MASK_COLOR | GWY_FILE_ITEM_REAL_SQUARE
                    | GWY_FILE_ITEM_META;
    GwyFile *file = scan->file;
    gint id = gwy_file_add_image(file, made->field);

    gwy_file_set_title(file, GWY_FILE_IMAGE, id, json_string(json_member(made->answer, "field"), "title"), FALSE);
    if (restored && shown) /* else a fixed range would be that of other heights */
        items |= GWY_FILE_ITEM_RANGE | GWY_FILE_ITEM_COLOR_MAPPING;
    gwy_file_sync_items(file, GWY_FILE_IMAGE, scan->id, file, GWY_FILE_IMAGE, id, items, FALSE);
    if (made->mask)
        gwy_file_set_image_mask(file, id, made->mask);
    add_history(file, id, json_member(made->answer, "history"));
    gwy_log_add(file, GWY_FILE_IMAGE, scan->id, id);
    /* Not the others: the next Ctrl+F would be for them. The data browser lists them. */
    gwy_file_set_visible(file, GWY_FILE_IMAGE, id, shown);
}

void
result_add(const Scan *scan, const GPtrArray *made, const Json *answer, gboolean restored)
{
    set_all_logged(answer);
    for (guint i = 1; i < made->len; i++)
        add_one(scan, g_ptr_array_index(made, i), restored, FALSE);
    add_one(scan, g_ptr_array_index(made, 0), restored, TRUE);
}
