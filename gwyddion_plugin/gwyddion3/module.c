/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
/* AFM super-resolution as a function of Gwyddion 3: Data Process > Basic Operations. The values go to the
 * worker of afmsr, and what it makes of them is added to the file. Nothing is computed here. */
#include <gtk/gtk.h>

#include "choices.h"
#include "dialog.h"
#include "installed.h" /* written by the installer */
#include "result.h"
#include "retrace.h"
#include "scan.h"
#include "worker.h"

#define RUN_MODES (GWY_RUN_IMMEDIATE | GWY_RUN_INTERACTIVE)
#define LOOK 0.05  /* s between two looks at the Cancel button */
#define HIDDEN 0.3 /* s in which a run may end before a window flashes up */
#define GRACE 5.0  /* s beyond the time limit until a worker that does not keep it is ended */

static gboolean module_register(void);

static GwyModuleInfo module_info = {
    GWY_MODULE_ABI_VERSION,
    &module_register,
    "Upscales images with a neural network or an interpolation, by the worker of afmsr.",
    "The afmsr founders",
    AFMSR_VERSION,
    "The afmsr founders",
    "2026",
};

GWY_MODULE_QUERY(module_info)

static void
show(GtkMessageType type, GtkWindow *parent, const gchar *heading, const gchar *text)
{
    GtkWidget *dialog;

    if (!gwy_data_browser_get_gui_enabled()) {
        g_warning("%s %s", heading, text);
        return;
    }
    dialog = gtk_message_dialog_new(parent, GTK_DIALOG_MODAL, type, GTK_BUTTONS_CLOSE, "%s", heading);
    gtk_message_dialog_format_secondary_text(GTK_MESSAGE_DIALOG(dialog), "%s", text);
    gtk_window_set_title(GTK_WINDOW(dialog), AFMSR_TITLE);
    gtk_dialog_run(GTK_DIALOG(dialog));
    gtk_widget_destroy(dialog);
}

/* Waits for the answer to the last request, shows how far it is, and lets the user cancel it. Gives the
 * worker up where it returns NULL. */
static Json *
wait_for_result(Worker **worker, GwyParams *choices, GtkWindow *window, GError **error)
{
    g_autofree gchar *message
        = g_strdup_printf("Super-resolution (%s)...", gwy_params_get_string(choices, CHOICE_METHOD));
    gdouble limit = gwy_params_get_double(choices, CHOICE_TIME_LIMIT), fraction = 0.0;
    gint64 began = g_get_monotonic_time();
    gboolean waiting = FALSE;
    g_autoptr(GError) why = NULL;
    Json *result = NULL;

    while (!result && !why) {
        gdouble seconds = 1e-6 * (g_get_monotonic_time() - began);
        g_autoptr(Json) heard = worker_hear(*worker, LOOK, &why);

        if (heard && g_str_equal(json_string(heard, "type"), "result"))
            result = g_steal_pointer(&heard);
        else if (heard && !worker_failed(heard, &why))
            fraction = MAX(fraction, json_number(heard, "fraction", 0.0));
        if (result || why)
            break;
        if (seconds > limit + GRACE)
            g_set_error(&why, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                        "The worker did not answer within %g s and was ended; crop the scan, take a faster method "
                        "such as bicubic, or run `afmsr plugin check`",
                        limit);
        if (!waiting && window && seconds > HIDDEN) {
            gwy_app_wait_start(window, message);
            waiting = TRUE;
        }
        if (waiting && !gwy_app_wait_set_fraction(CLAMP(fraction, 0.0, 1.0))) {
            g_set_error(&why, AFMSR_ERROR, AFMSR_ERROR_CANCELLED, "Cancelled");
            worker_cancel(g_steal_pointer(worker));
        }
    }
    if (waiting)
        gwy_app_wait_finish();
    if (why) {
        g_clear_pointer(worker, worker_kill);
        g_propagate_error(error, g_steal_pointer(&why));
    }
    return result;
}

/* Appends the retrace of the scan to a request, if the file holds it. */
static gboolean
add_retrace(Worker *worker, Scan *scan, gdouble limit, GString *request, GError **error)
{
    gint id;

    return retrace_find(worker, scan, limit, &id, error)
           && (id < 0 || scan_add_retrace(scan, id, request, error));
}

/* Has the worker upscale the scan, and adds what it made. */
static gboolean
upscale(Worker **worker, Scan *scan, GwyParams *choices, GtkWindow *window, gboolean interactive,
        const Json *told, GError **error)
{
    g_autoptr(GString) request = g_string_new(NULL);
    g_autoptr(Json) answer = NULL;
    g_autoptr(GPtrArray) made = NULL;
    g_autofree gchar *warnings = NULL;

    if (!scan_add(scan, request, error))
        return FALSE;
    choices_add_settings(choices, scan->mask != NULL, request);
    choices_add_sharpness(choices, request);
    choices_add_limits(choices, request);
    if (gwy_params_get_boolean(choices, CHOICE_JOIN)
        && !add_retrace(*worker, scan, gwy_params_get_double(choices, CHOICE_TIME_LIMIT), request, error))
        return FALSE;
    worker_ask(*worker, "upscale", request);
    if (!(answer = wait_for_result(worker, choices, window, error)))
        return FALSE;
    worker_leave(g_steal_pointer(worker));
    if (!(made = result_read(scan, answer, error)))
        return FALSE;
    gwy_params_save_to_settings(choices); /* the log has what stands there */
    result_add(scan, made, answer, gwy_params_get_boolean(choices, CHOICE_RESTORE));
    warnings = result_warnings(answer, json_member(told, "warnings"));
    if (interactive && *warnings)
        show(GTK_MESSAGE_INFO, window, "The new image is there.", warnings);
    return TRUE;
}

static gboolean
run(GwyFile *file, gboolean interactive, GtkWindow **window, GError **error)
{
    g_autoptr(Scan) scan = scan_new(file, error);
    GwyParams *choices;
    g_autoptr(Json) told = NULL;
    Worker *worker;
    gboolean done;

    if (!scan)
        return FALSE;
    if (gwy_data_browser_get_gui_enabled())
        *window = gwy_data_browser_get_window_for_data(file, GWY_FILE_IMAGE, scan->id);
    if (!(worker = worker_open(error)))
        return FALSE;
    choices = choices_load();
    done = !interactive || dialog_run(worker, scan, choices, *window, &told, error);
    done = done && upscale(&worker, scan, choices, *window, interactive, told, error);
    g_object_unref(choices);
    g_clear_pointer(&worker, worker_kill);
    return done;
}

static void
super_resolution(GwyFile *file, GwyRunModeFlags mode)
{
    g_autoptr(GError) error = NULL;
    GtkWindow *window = NULL;

    g_return_if_fail(mode & RUN_MODES);
    if (!run(file, mode == GWY_RUN_INTERACTIVE, &window, &error)
        && !g_error_matches(error, AFMSR_ERROR, AFMSR_ERROR_CANCELLED))
        show(GTK_MESSAGE_ERROR, window, "No image was added.", error->message);
}

static gboolean
module_register(void)
{
    return gwy_image_func_register(AFMSR_FUNCTION, &super_resolution,
                                   "/_Basic Operations/AFM Super-_Resolution...", GWY_ICON_SCALE, RUN_MODES,
                                   GWY_MENU_FLAG_IMAGE, "Upscale the image with a neural network or an interpolation");
}
