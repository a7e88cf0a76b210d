/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#ifndef AFMSR_RETRACE_H
#define AFMSR_RETRACE_H

#include "scan.h"
#include "worker.h"

/* Asks which of the other images holds the same lines scanned the other way. */
void retrace_ask(Worker *worker, const Scan *scan);

/* Returns the number of the image that an answer to retrace_ask() means, -1 for none. */
gint retrace_told(const Scan *scan, const Json *answer);

/* Asks, waits at most the seconds, and sets the number of the image, -1 for none. */
gboolean retrace_find(Worker *worker, const Scan *scan, gdouble seconds, gint *id, GError **error);

#endif
