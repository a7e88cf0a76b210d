/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#ifndef AFMSR_DIALOG_H
#define AFMSR_DIALOG_H

#include <gtk/gtk.h>

#include "scan.h"
#include "worker.h"

/* Asks what to do with the scan, and keeps the answers in Gwyddion's settings. Returns FALSE, with the
 * error set, if that is nothing, or if the worker is gone. `told` is set to the worker's verdict that
 * the user has read, or NULL. */
gboolean dialog_run(Worker *worker, Scan *scan, GwyParams *choices, GtkWindow *parent, Json **told,
                    GError **error);

#endif
