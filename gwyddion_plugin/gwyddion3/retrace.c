/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#include "retrace.h"

void
retrace_ask(Worker *worker, const Scan *scan)
{
    g_autofree gchar *shown = scan_described(scan, scan->id);
    g_autofree gint *others = scan_others(scan);
    g_autoptr(GString) listed = g_string_new("[");
    g_autoptr(GString) request = g_string_new(NULL);

    for (gint *id = others; *id >= 0; id++) {
        g_autofree gchar *other = scan_described(scan, *id);
        g_string_append_printf(listed, "%s%s", listed->len > 1 ? ", " : "", other);
    }
    g_string_append_c(listed, ']');
    json_add(request, "field", shown);
    json_add(request, "others", listed->str);
    worker_ask(worker, "retrace", request);
}

gint
retrace_told(const Scan *scan, const Json *answer)
{
    g_autofree gint *others = scan_others(scan);
    gdouble place = json_number(answer, "place", -1.0);

    for (gint i = 0; others[i] >= 0; i++) {
        if (place == i)
            return others[i];
    }
    return -1;
}

gboolean
retrace_find(Worker *worker, const Scan *scan, gdouble seconds, gint *id, GError **error)
{
    g_autoptr(Json) answer = NULL;

    retrace_ask(worker, scan);
    if (!(answer = worker_answer(worker, seconds, error)))
        return FALSE;
    *id = retrace_told(scan, answer);
    return TRUE;
}
