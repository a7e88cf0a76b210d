/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#ifndef AFMSR_RESULT_H
#define AFMSR_RESULT_H

#include "scan.h"

/* An image that the worker made, read and checked, but not in the file yet. */
typedef struct {
    GwyField *field;
    GwyNield *mask; /* or NULL */
    const Json *answer; /* with field and history */
} Made;

/* Returns what an answer holds: the result, and behind it what says how far to trust it. The answer must
 * live as long. Free it with g_ptr_array_unref(). */
GPtrArray *result_read(const Scan *scan, const Json *answer, GError **error);

/* Adds all of them to the file. Only the first is shown. */
void result_add(const Scan *scan, const GPtrArray *made, const Json *answer, gboolean restored);

/* Returns the warnings of an answer that are not among those told before, as sentences. */
gchar *result_warnings(const Json *answer, const Json *told);

#endif
