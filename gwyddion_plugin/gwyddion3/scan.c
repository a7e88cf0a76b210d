/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#include "scan.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "worker.h"

#define LARGEST 65536 /* pixels a side; the worker refuses long before */
#define CHUNK 4096    /* doubles that are written at once */

Scan *
scan_new(GwyFile *file, GError **error)
{
    Scan *scan = g_new0(Scan, 1);
    g_autoptr(GError) why = NULL;

    scan->file = file;
    gwy_data_browser_get_current(GWY_APP_FIELD, &scan->field, GWY_APP_FIELD_ID, &scan->id, GWY_APP_MASK_FIELD,
                                 &scan->mask, 0);
    if (!scan->field) {
        g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                    "There is no image to upscale; select one in the data browser");
        scan_free(scan);
        return NULL;
    }
    g_object_ref(scan->field);
    if (scan->mask)
        g_object_ref(scan->mask);
    if (!(scan->folder = g_dir_make_tmp("afmsr-XXXXXX", &why))) {
        g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                    "%s; free some space there, or set TMPDIR to another folder", why->message);
        scan_free(scan);
        return NULL;
    }
    return scan;
}

static void
remove_folder(const gchar *folder)
{
    GDir *listing = g_dir_open(folder, 0, NULL);
    const gchar *name;

    while (listing && (name = g_dir_read_name(listing))) {
        g_autofree gchar *path = g_build_filename(folder, name, NULL);
        g_unlink(path);
    }
    g_clear_pointer(&listing, g_dir_close);
    g_rmdir(folder);
}

void
scan_free(Scan *scan)
{
    if (scan->folder)
        remove_folder(scan->folder);
    g_clear_object(&scan->field);
    g_clear_object(&scan->mask);
    g_free(scan->folder);
    g_free(scan);
}

/* --- to the worker ----------------------------------------------------------------------------------- */

static void
add_unit(GString *described, const gchar *name, GwyUnit *unit)
{
    g_autofree gchar *text = gwy_unit_get_string(unit, GWY_UNIT_FORMAT_PLAIN);

    json_add_string(described, name, text ? text : "");
}

static GString *
begin_description(const Scan *scan, gint id)
{
    GwyField *field = gwy_file_get_image(scan->file, id);
    g_autofree gchar *title = gwy_file_get_display_title(scan->file, GWY_FILE_IMAGE, id);
    GString *described = g_string_new("{");

    json_add_number(described, "xres", gwy_field_get_xres(field));
    json_add_number(described, "yres", gwy_field_get_yres(field));
    json_add_number(described, "xreal", gwy_field_get_xreal(field));
    json_add_number(described, "yreal", gwy_field_get_yreal(field));
    json_add_number(described, "xoff", gwy_field_get_xoffset(field));
    json_add_number(described, "yoff", gwy_field_get_yoffset(field));
    add_unit(described, "unit_xy", gwy_field_get_unit_xy(field));
    add_unit(described, "unit_z", gwy_field_get_unit_z(field));
    json_add_string(described, "title", title ? title : "");
    return described;
}

gchar *
scan_described(const Scan *scan, gint id)
{
    GString *described = begin_description(scan, id);

    g_string_append_c(described, '}');
    return g_string_free(described, FALSE);
}

gint *
scan_others(const Scan *scan)
{
    gint *ids = gwy_file_get_ids(scan->file, GWY_FILE_IMAGE), *kept = ids;

    for (gint *id = ids; *id >= 0; id++) {
        if (*id != scan->id)
            *(kept++) = *id;
    }
    *kept = -1;
    return ids;
}

static gboolean
write_chunk(FILE *file, const gdouble *values, gsize n)
{
#if G_BYTE_ORDER == G_BIG_ENDIAN
    guint64 swapped[CHUNK];

    memcpy(swapped, values, n * sizeof(gdouble));
    for (gsize i = 0; i < n; i++)
        swapped[i] = GUINT64_SWAP_LE_BE(swapped[i]);
    return fwrite(swapped, sizeof(gdouble), n, file) == n;
#else
    return fwrite(values, sizeof(gdouble), n, file) == n;
#endif
}

static gboolean
set_not_written(const gchar *path, GError **error)
{
    g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                "%s: not written (%s); free some space there, or set TMPDIR to another folder", path,
                g_strerror(errno));
    return FALSE;
}

static gboolean
write_field(const Scan *scan, const gchar *name, GwyField *field, GError **error)
{
    g_autofree gchar *path = g_build_filename(scan->folder, name, NULL);
    gsize n = (gsize)gwy_field_get_xres(field) * gwy_field_get_yres(field);
    const gdouble *values = gwy_field_get_data_const(field);
    FILE *file = g_fopen(path, "wb");
    gboolean good = file != NULL;

    for (gsize done = 0; good && done < n; done += CHUNK)
        good = write_chunk(file, values + done, MIN(CHUNK, n - done));
    if (file && fclose(file) != 0)
        good = FALSE;
    return good || set_not_written(path, error);
}

static gboolean
write_mask(const Scan *scan, const gchar *name, GError **error)
{
    g_autofree gchar *path = g_build_filename(scan->folder, name, NULL);
    gsize n = (gsize)gwy_nield_get_xres(scan->mask) * gwy_nield_get_yres(scan->mask);
    const gint *marks = gwy_nield_get_data_const(scan->mask);
    FILE *file = g_fopen(path, "wb");
    gboolean good = file != NULL;

    for (gsize done = 0; good && done < n; done += CHUNK) {
        gdouble values[CHUNK];
        gsize length = MIN(CHUNK, n - done);
        for (gsize i = 0; i < length; i++)
            values[i] = marks[done + i] > 0;
        good = write_chunk(file, values, length);
    }
    if (file && fclose(file) != 0)
        good = FALSE;
    return good || set_not_written(path, error);
}

gboolean
scan_add(Scan *scan, GString *request, GError **error)
{
    g_autoptr(GString) field = begin_description(scan, scan->id);

    if (!scan->written) {
        if (!write_field(scan, "data.raw", scan->field, error))
            return FALSE;
        if (scan->mask && !write_mask(scan, "mask.raw", error))
            return FALSE;
        scan->written = TRUE;
    }
    json_add_string(field, "data", "data.raw");
    if (scan->mask)
        json_add_string(field, "mask", "mask.raw");
    g_string_append_c(field, '}');
    json_add_string(request, "folder", scan->folder);
    json_add(request, "field", field->str);
    return TRUE;
}

gboolean
scan_add_retrace(Scan *scan, gint id, GString *request, GError **error)
{
    g_autoptr(GString) field = begin_description(scan, id);

    if (!write_field(scan, "retrace.raw", gwy_file_get_image(scan->file, id), error))
        return FALSE;
    json_add_string(field, "data", "retrace.raw");
    json_add_number(field, "number", id);
    g_string_append_c(field, '}');
    json_add(request, "retrace", field->str);
    return TRUE;
}

/* --- from the worker --------------------------------------------------------------------------------- */

/* Returns the values of a file that an answer names; NULL, with the error set, if it is not as it says. */
static GMappedFile *
map_values(const Scan *scan, const Json *described, const gchar *which, GError **error)
{
    g_autofree gchar *name = g_path_get_basename(json_string(described, which));
    g_autofree gchar *path = g_build_filename(scan->folder, name, NULL);
    gdouble xres = json_number(described, "xres", 0.0), yres = json_number(described, "yres", 0.0);
    g_autoptr(GError) why = NULL;
    GMappedFile *mapped;
    gpointer room;

    if (!(mapped = g_mapped_file_new(path, FALSE, &why))) {
        g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                    "The worker's result cannot be read: %s; run `afmsr plugin check`", why->message);
        return NULL;
    }
    if (!(xres >= 1.0 && xres <= LARGEST && yres >= 1.0 && yres <= LARGEST)
        || g_mapped_file_get_length(mapped) != (gsize)xres * (gsize)yres * sizeof(gdouble)) {
        g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                    "The worker's result has %" G_GSIZE_FORMAT " bytes instead of %g x %g doubles; run "
                    "`afmsr plugin check`",
                    g_mapped_file_get_length(mapped), xres, yres);
        g_mapped_file_unref(mapped);
        return NULL;
    }
    /* GLib ends a program that asks for more memory than there is. */
    if (!(room = g_try_malloc(g_mapped_file_get_length(mapped)))) {
        g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                    "Not enough memory for %g x %g pixels; crop the scan, or close other programs", xres, yres);
        g_mapped_file_unref(mapped);
        return NULL;
    }
    g_free(room);
    return mapped;
}

static gdouble
value_at(const gchar *contents, gsize place)
{
    guint64 bits;
    gdouble value;

    memcpy(&bits, contents + place * sizeof(bits), sizeof(bits));
    bits = GUINT64_FROM_LE(bits);
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* Gives a unit, which is the scan's, the one of the answer where that is another. */
static void
take_unit(GwyUnit *unit, const gchar *told)
{
    g_autofree gchar *text = gwy_unit_get_string(unit, GWY_UNIT_FORMAT_PLAIN);

    if (!g_str_equal(text ? text : "", told))
        gwy_unit_set_from_string(unit, told);
}

static GwyField *
read_field(const Scan *scan, const Json *described, gdouble xreal, gdouble yreal, GError **error)
{
    GMappedFile *mapped = map_values(scan, described, "data", error);
    gint xres = (gint)json_number(described, "xres", 0.0), yres = (gint)json_number(described, "yres", 0.0);
    GwyField *field;
    gdouble *values;

    if (!mapped)
        return NULL;
    field = gwy_field_new(xres, yres, xreal, yreal, FALSE);
    values = gwy_field_get_data(field);
    for (gsize i = 0; i < (gsize)xres * yres; i++)
        values[i] = value_at(g_mapped_file_get_contents(mapped), i);
    g_mapped_file_unref(mapped);
    gwy_field_copy_units(scan->field, field);
    take_unit(gwy_field_get_unit_z(field), json_string(described, "unit_z"));
    return field;
}

GwyField *
scan_result(const Scan *scan, const Json *described, GError **error)
{
    GwyField *field = read_field(scan, described, gwy_field_get_xreal(scan->field),
                                 gwy_field_get_yreal(scan->field), error);

    if (field) {
        gwy_field_set_xoffset(field, gwy_field_get_xoffset(scan->field));
        gwy_field_set_yoffset(field, gwy_field_get_yoffset(scan->field));
    }
    return field;
}

GwyField *
scan_preview(const Scan *scan, const Json *described, GError **error)
{
    return read_field(scan, described, json_number(described, "xreal", 1.0), json_number(described, "yreal", 1.0),
                      error);
}

gboolean
scan_result_mask(const Scan *scan, const Json *described, GwyNield **mask, GError **error)
{
    GMappedFile *mapped;
    gint xres = (gint)json_number(described, "xres", 0.0), yres = (gint)json_number(described, "yres", 0.0);
    gint *marks;

    *mask = NULL;
    if (!json_is_string(json_member(described, "mask")))
        return TRUE;
    if (!(mapped = map_values(scan, described, "mask", error)))
        return FALSE;
    *mask = gwy_nield_new(xres, yres);
    marks = gwy_nield_get_data(*mask);
    for (gsize i = 0; i < (gsize)xres * yres; i++)
        marks[i] = value_at(g_mapped_file_get_contents(mapped), i) > 0.0;
    g_mapped_file_unref(mapped);
    return TRUE;
}
