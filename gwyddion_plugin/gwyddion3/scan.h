/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#ifndef AFMSR_SCAN_H
#define AFMSR_SCAN_H

#include <libgwyddion/gwyddion.h>
#include <libgwyapp/gwyapp.h>

#include "json.h"

/* The image that is worked on, and the private folder through which its values go to the worker and
 * back: raw doubles, little-endian, row after row. */
typedef struct {
    GwyFile *file;
    gint id;
    GwyField *field;
    GwyNield *mask; /* or NULL */
    gchar *folder;
    gboolean written;
} Scan;

/* Takes the current image. Returns NULL, with the error set, if there is no room for a folder. */
Scan *scan_new(GwyFile *file, GError **error);

/* Removes the folder and what is in it. */
void scan_free(Scan *scan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Scan, scan_free)

/* Returns what the worker must know of an image of the file, but for its values, as JSON. */
gchar *scan_described(const Scan *scan, gint id);

/* Returns the numbers of the other images, ended by -1. Free them with g_free(). */
gint *scan_others(const Scan *scan);

/* Appends folder and field to a request; the values are written now if they are not there yet. */
gboolean scan_add(Scan *scan, GString *request, GError **error);

/* Appends another image of the file to a request, with its values, as the retrace. */
gboolean scan_add_retrace(Scan *scan, gint id, GString *request, GError **error);

/* Returns the field that an answer describes, of the size and at the place of the scan. */
GwyField *scan_result(const Scan *scan, const Json *described, GError **error);

/* The same of its mask. Sets `mask` to NULL if it has none; returns FALSE if the error is set. */
gboolean scan_result_mask(const Scan *scan, const Json *described, GwyNield **mask, GError **error);

/* Returns a field of a preview, which has no place. */
GwyField *scan_preview(const Scan *scan, const Json *described, GError **error);

#endif
