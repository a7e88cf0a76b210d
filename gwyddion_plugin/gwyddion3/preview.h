/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#ifndef AFMSR_PREVIEW_H
#define AFMSR_PREVIEW_H

#include <gtk/gtk.h>

#include "scan.h"

/* A part of scan and result, large, and the whole scan, small, in the colours of the image. */
typedef struct _Preview Preview;

typedef enum { PREVIEW_SCAN, PREVIEW_RESULT, PREVIEW_DIFFERENCE, PREVIEW_N } PreviewShown;

/* `moved` is called when the user wants another part. */
Preview *preview_new(const Scan *scan, GCallback moved, gpointer user_data);
void preview_free(Preview *preview);

/* The large picture, which grows with its window, and the small one. */
GtkWidget *preview_picture(Preview *preview);
GtkWidget *preview_overview(Preview *preview);

/* Chooses what is shown, and how many times enlarged. */
void preview_look_at(Preview *preview, PreviewShown shown, gint zoom);

/* Takes the fields of an answer. */
gboolean preview_take(Preview *preview, const Json *answer, GError **error);

/* Appends to a request which part is wanted, if the user chose one. */
void preview_add_place(const Preview *preview, GString *request);

/* Returns the range of the colours in words; "" if nothing is shown yet. */
gchar *preview_range(const Preview *preview);

#endif
