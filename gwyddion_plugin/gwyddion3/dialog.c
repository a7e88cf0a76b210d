/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#include "dialog.h"

#include "choices.h"
#include "installed.h" /* written by the installer: HELP_ADDRESS */
#include "preview.h"
#include "retrace.h"

#define TICK 30                   /* ms between two looks at the worker */
#define QUICK 3.0                 /* s; previews that take longer come only when they are asked for */
#define PREVIEW_CELLS (96 * 96)   /* of a crop with what the method sees around it */
#define CONFIDENCE_SECONDS 1e-6   /* that confidence takes per pixel of the scan, see protocol.py */
#define DRAWING_SECONDS 2.2e-6    /* that it takes to draw at all */
#define DRAW_SECONDS 1.3e-6       /* and each surface besides */
#define TEXT_WIDTH 52             /* characters of a line of text */

/* What the worker can be asked, in the order of its importance. */
typedef enum { ASK_METHODS, ASK_RETRACE, ASK_PREVIEW, ASK_VERDICT, ASK_N } Question;

typedef struct {
    Worker *worker;
    Scan *scan;
    GwyParams *choices;
    GtkWidget *dialog; /* NULL when it is gone */
    GwyParamTable *table, *view;
    Preview *preview;
    GtkComboBoxText *method;
    GtkLabel *about, *note, *range, *verdict, *saved, *plan, *estimate, *chance;
    Json *methods; /* the answer */
    Json *told;    /* the verdict */
    gboolean wanted[ASK_N];
    gdouble sharpened; /* of the preview that was asked for */
    gint asked;    /* what the worker is busy with, or ASK_N */
    gboolean filling;
    GError *failure;
} Dialog;

/* --- what the worker knows of the methods -------------------------------------------------------------- */

static const Json *
chosen_method(const Dialog *gui)
{
    const Json *listed = json_member(gui->methods, "methods");
    const gchar *chosen = gwy_params_get_string(gui->choices, CHOICE_METHOD);

    for (guint i = 0; i < json_length(listed); i++) {
        if (g_str_equal(json_string(json_item(listed, i), "name"), chosen))
            return json_item(listed, i);
    }
    return NULL;
}

static gdouble
pixels_of(const Dialog *gui)
{
    return (gdouble)gwy_field_get_xres(gui->scan->field) * gwy_field_get_yres(gui->scan->field);
}

/* Returns why nothing can be drawn at random of what the method makes; "" if it can, as far as known. */
static const gchar *
not_drawn(const Dialog *gui)
{
    return json_string(chosen_method(gui), "not_drawn");
}

/* Returns why the result cannot be made sharper than the best guess; "" if it can. */
static const gchar *
not_sharpened(const Dialog *gui)
{
    if (gwy_params_get_boolean(gui->choices, CHOICE_CONFIDENCE))
        return "confidence and residual are those of the best guess; choose one of the two";
    return not_drawn(gui);
}

static guint
drawn_surfaces(const Dialog *gui)
{
    gboolean sharpened = !*not_sharpened(gui) && gwy_params_get_double(gui->choices, CHOICE_SHARPNESS) > 0.0;

    return (*not_drawn(gui) ? 0 : gwy_params_get_int(gui->choices, CHOICE_REALISATIONS)) + sharpened;
}

static void
show_estimate(Dialog *gui)
{
    const Json *method = chosen_method(gui);
    gdouble seconds = json_number(method, "seconds_per_pixel", 0.0) * pixels_of(gui);
    g_autofree gchar *text = NULL;

    if (gwy_params_get_boolean(gui->choices, CHOICE_CONFIDENCE))
        seconds += CONFIDENCE_SECONDS * pixels_of(gui);
    if (drawn_surfaces(gui))
        seconds += (DRAWING_SECONDS + DRAW_SECONDS * drawn_surfaces(gui)) * pixels_of(gui);
    if (!method)
        text = g_strdup("Time for the whole image: \342\200\246");
    else if (seconds < 1.0)
        text = g_strdup("Time for the whole image: less than a second");
    else if (seconds < 90.0)
        text = g_strdup_printf("Time for the whole image: about %.0f s", seconds);
    else
        text = g_strdup_printf("Time for the whole image: about %.0f min", seconds / 60.0);
    gtk_label_set_text(gui->estimate, text);
}

/* Warns of what is drawn at random, or says why nothing can be. */
static void
show_chance(Dialog *gui)
{
    const gchar *why = not_sharpened(gui);
    gboolean drawn = !*not_drawn(gui);
    g_autofree gchar *text = NULL;

    gwy_param_table_set_sensitive(gui->table, CHOICE_SHARPNESS, !*why);
    gwy_param_table_set_sensitive(gui->table, CHOICE_REALISATIONS, drawn);
    gwy_param_table_set_sensitive(gui->table, CHOICE_SEED, drawn);
    if (!drawn)
        text = g_strdup_printf("No sharpness, no realisations: %s.", why);
    else if (*why)
        text = g_strdup_printf("No sharpness: %s.", why);
    else if (gwy_params_get_double(gui->choices, CHOICE_SHARPNESS) > 0.0)
        text = g_strdup("Detail is drawn at random: sharper to look at, further from the truth. Not for single "
                        "features.");
    gtk_label_set_text(gui->chance, text ? text : "\n"); /* two lines: nothing moves when it comes */
    show_estimate(gui);
}

/* Says what the chosen method is, or lacks. */
static void
explain_method(Dialog *gui)
{
    const Json *method = chosen_method(gui);
    const gchar *problem = json_string(method, "problem");

    if (!gui->methods)
        return;
    gtk_label_set_text(gui->about, *problem ? problem : json_string(method, "summary"));
    gtk_dialog_set_response_sensitive(GTK_DIALOG(gui->dialog), GTK_RESPONSE_OK, method && !*problem);
    show_chance(gui);
}

static void
append_method(Dialog *gui, const Json *method)
{
    g_autofree gchar *text = g_strconcat(json_string(method, "label"),
                                         *json_string(method, "problem") ? " (not available)" : "", NULL);

    gtk_combo_box_text_append(gui->method, json_string(method, "name"), text);
}

/* Shows the methods: the default first, then those that are ready, then the rest. */
static void
list_methods(Dialog *gui)
{
    const Json *listed = json_member(gui->methods, "methods");
    const gchar *first = json_string(gui->methods, "default");

    gui->filling = TRUE;
    gtk_combo_box_text_remove_all(gui->method);
    for (guint turn = 0; turn < 3; turn++) {
        for (guint i = 0; i < json_length(listed); i++) {
            const Json *method = json_item(listed, i);
            gboolean is_first = g_str_equal(json_string(method, "name"), first);
            guint place = is_first ? 0 : json_flag(method, "available") ? 1 : 2;
            if (place == turn)
                append_method(gui, method);
        }
    }
    if (!chosen_method(gui))
        gwy_params_set_string(gui->choices, CHOICE_METHOD, first);
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(gui->method), gwy_params_get_string(gui->choices, CHOICE_METHOD));
    gui->filling = FALSE;
    explain_method(gui);
}

/* Returns whether a preview would come soon. */
static gboolean
is_quick(const Dialog *gui)
{
    const Json *scale = json_member(gui->methods, "scale");
    gdouble rows = json_number(scale, "rows", 1.0), columns = json_number(scale, "columns", 1.0);
    gdouble cell = MAX(rows, columns) / MIN(rows, columns);

    return json_number(chosen_method(gui), "seconds_per_pixel", 0.0) * PREVIEW_CELLS * cell < QUICK;
}

/* --- what is shown ------------------------------------------------------------------------------------- */

static void
take_methods(Dialog *gui, Json *answer)
{
    const Json *scale = json_member(answer, "scale");
    const gchar *told = json_string(scale, "told"), *saved = json_string(scale, "saved");
    g_autofree gchar *text = NULL;

    json_free(gui->methods);
    gui->methods = answer;
    list_methods(gui);
    if (*told) {
        g_autofree gchar *first = g_utf8_strup(told, (gssize)(g_utf8_next_char(told) - told));
        text = g_strdup_printf("%s%s. %s", first, g_utf8_next_char(told), saved);
    }
    gtk_label_set_text(gui->saved, text ? text : saved);
}

static void
look(Dialog *gui)
{
    g_autofree gchar *range = NULL;

    preview_look_at(gui->preview, gwy_params_get_enum(gui->choices, CHOICE_SHOWN),
                    gwy_params_get_enum(gui->choices, CHOICE_ZOOM));
    range = preview_range(gui->preview);
    gtk_label_set_markup(gui->range, range);
}

static void
take_preview(Dialog *gui, const Json *answer)
{
    const Json *crop = json_member(answer, "crop"), *made = json_member(answer, "made");
    g_autofree gchar *width = json_source(json_item(crop, 2)), *height = json_source(json_item(crop, 3));
    g_autofree gchar *columns = json_source(json_item(made, 0)), *rows = json_source(json_item(made, 1));
    g_autofree gchar *drawn = gui->sharpened > 0.0 ? g_strdup_printf("@%g", gui->sharpened) : g_strdup("");
    g_autofree gchar *text = NULL;
    g_autoptr(GError) error = NULL;

    if (!preview_take(gui->preview, answer, &error)) {
        gtk_label_set_text(gui->note, error->message);
        return;
    }
    text = g_strdup_printf("Levelled, %s \303\227 %s px; upscaled by %s%s, %s \303\227 %s px; same colours. The "
                           "difference is from a cubic interpolation.",
                           width, height, gwy_params_get_string(gui->choices, CHOICE_METHOD), drawn, columns, rows);
    gtk_label_set_text(gui->note, text);
    look(gui);
    if (gui->dialog)
        gwy_dialog_have_result(GWY_DIALOG(gui->dialog));
}

static void
take_verdict(Dialog *gui, Json *answer)
{
    json_free(gui->told);
    gui->told = answer;
    gtk_label_set_text(gui->verdict, json_string(answer, "told"));
    gtk_label_set_text(gui->plan, json_string(answer, "plan"));
}

/* Shows an answer, or says what went wrong with the question; the run will tell more. */
static void
take(Dialog *gui, gint question, Json *answer)
{
    g_autoptr(GError) error = NULL;

    if (worker_failed(answer, &error)) {
        g_autofree gchar *text = g_strconcat(question == ASK_VERDICT ? "Pixels not judged; " : "", error->message, NULL);
        gtk_label_set_text(question == ASK_VERDICT ? gui->verdict : gui->note, text);
        json_free(answer);
    }
    else if (question == ASK_METHODS)
        take_methods(gui, answer);
    else if (question == ASK_VERDICT)
        take_verdict(gui, answer);
    else {
        if (question == ASK_PREVIEW)
            take_preview(gui, answer);
        else
            gwy_param_table_set_sensitive(gui->table, CHOICE_JOIN, retrace_told(gui->scan, answer) >= 0);
        json_free(answer);
    }
}

/* --- asking -------------------------------------------------------------------------------------------- */

/* Returns FALSE if the question cannot be put now. */
static gboolean
ask(Dialog *gui, Question question)
{
    static const gchar *const types[] = { "methods", "retrace", "preview", "judge" };
    g_autoptr(GString) request = g_string_new(NULL);
    g_autoptr(GError) error = NULL;

    if (question == ASK_RETRACE) {
        retrace_ask(gui->worker, gui->scan);
        return TRUE;
    }
    choices_add_settings(gui->choices, gui->scan->mask != NULL, request);
    if (question == ASK_METHODS) {
        g_autofree gchar *described = scan_described(gui->scan, gui->scan->id);
        json_add(request, "field", described);
    }
    else if (!scan_add(gui->scan, request, &error)) {
        gtk_label_set_text(gui->note, error->message);
        return FALSE;
    }
    if (question == ASK_PREVIEW) {
        if (!chosen_method(gui) || *json_string(chosen_method(gui), "problem"))
            return FALSE;
        gui->sharpened = *not_sharpened(gui) ? 0.0 : gwy_params_get_double(gui->choices, CHOICE_SHARPNESS);
        if (gui->sharpened > 0.0)
            choices_add_sharpness(gui->choices, request);
        preview_add_place(gui->preview, request);
        json_add_flag(request, "fields", TRUE);
    }
    worker_ask(gui->worker, types[question], request);
    return TRUE;
}

static void
ask_next(Dialog *gui)
{
    for (guint question = 0; question < ASK_N && gui->asked == ASK_N; question++) {
        if (!gui->wanted[question])
            continue;
        gui->wanted[question] = FALSE;
        if (ask(gui, question))
            gui->asked = question;
    }
}

static void
give_up(Dialog *gui, GError *why)
{
    gui->failure = why;
    gui->asked = ASK_N;
    for (guint i = 0; i < ASK_N; i++)
        gui->wanted[i] = FALSE;
    if (gui->dialog)
        gtk_dialog_response(GTK_DIALOG(gui->dialog), GTK_RESPONSE_CANCEL);
}

static gboolean
listen(gpointer user_data)
{
    Dialog *gui = user_data;
    GError *error = NULL;
    Json *answer;
    gint question = gui->asked;

    if (!gui->dialog || gui->failure)
        return G_SOURCE_CONTINUE;
    if (question == ASK_N) {
        ask_next(gui);
        return G_SOURCE_CONTINUE;
    }
    if ((answer = worker_hear(gui->worker, 0.0, &error))) {
        gui->asked = ASK_N;
        take(gui, question, answer);
        ask_next(gui);
    }
    else if (error)
        give_up(gui, error);
    return G_SOURCE_CONTINUE;
}

/* Gwyddion wants a preview: something was changed, or Update was pressed. */
static void
want_preview(gpointer user_data)
{
    Dialog *gui = user_data;

    if (!is_quick(gui) && gwy_params_get_boolean(gui->choices, CHOICE_UPDATE)
        && !gwy_dialog_update_requested(GWY_DIALOG(gui->dialog))) {
        gtk_label_set_text(gui->note, "This preview takes a while: switch off instant updates and press Update");
        return;
    }
    gui->wanted[ASK_PREVIEW] = TRUE;
}

static void
moved(gpointer user_data)
{
    ((Dialog *)user_data)->wanted[ASK_PREVIEW] = TRUE;
}

/* Returns whether a choice shows in the preview. */
static gboolean
shows(const Dialog *gui, gint id)
{
    if (id == CHOICE_CONFIDENCE || id == CHOICE_SEED)
        return gwy_params_get_double(gui->choices, CHOICE_SHARPNESS) > 0.0;
    return id != CHOICE_RESTORE && id != CHOICE_JOIN && id != CHOICE_REALISATIONS;
}

static void
changed(Dialog *gui, gint id)
{
    if (id == CHOICE_SHOWN || id == CHOICE_ZOOM) {
        look(gui);
        return;
    }
    if (id < 0 || id == CHOICE_CONFIDENCE || id == CHOICE_SHARPNESS || id == CHOICE_REALISATIONS)
        show_chance(gui);
    if (id < 0 || id == CHOICE_SCALE)
        gui->wanted[ASK_METHODS] = TRUE;
    if (id < 0 || id == CHOICE_SCALE || id == CHOICE_BACKGROUND || id == CHOICE_ROWS || id == CHOICE_MASKING)
        gui->wanted[ASK_VERDICT] = TRUE;
    if (shows(gui, id))
        gwy_dialog_invalidate(GWY_DIALOG(gui->dialog));
}

static void
method_changed(GtkComboBox *combo, Dialog *gui)
{
    const gchar *name = gtk_combo_box_get_active_id(combo);

    if (gui->filling || !name)
        return; /* the list is being made anew */
    gwy_params_set_string(gui->choices, CHOICE_METHOD, name);
    explain_method(gui);
    gwy_dialog_invalidate(GWY_DIALOG(gui->dialog));
}

static void
responded(G_GNUC_UNUSED GtkDialog *dialog, gint response, Dialog *gui)
{
    if (response != GWY_RESPONSE_RESET)
        return;
    gwy_params_reset(gui->choices, CHOICE_METHOD); /* the list is none of Gwyddion's own */
    if (gui->methods)
        list_methods(gui);
}

/* --- building ------------------------------------------------------------------------------------------ */

static GtkLabel *
add_text(GtkWidget *box)
{
    GtkWidget *label = gtk_label_new(NULL);

    gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
    gtk_label_set_selectable(GTK_LABEL(label), TRUE); /* a command that gets what is missing can be copied */
    gtk_widget_set_can_focus(label, FALSE);
    gtk_label_set_xalign(GTK_LABEL(label), 0.0);
    gtk_label_set_max_width_chars(GTK_LABEL(label), TEXT_WIDTH);
    gtk_label_set_width_chars(GTK_LABEL(label), TEXT_WIDTH);
    gtk_box_pack_start(GTK_BOX(box), label, FALSE, FALSE, 2);
    return GTK_LABEL(label);
}

static void
add_heading(GtkWidget *box, const gchar *text)
{
    g_autofree gchar *markup = g_markup_printf_escaped("<b>%s</b>", text);
    GtkWidget *label = gtk_label_new(NULL);

    gtk_label_set_markup(GTK_LABEL(label), markup);
    gtk_label_set_xalign(GTK_LABEL(label), 0.0);
    gtk_box_pack_start(GTK_BOX(box), label, FALSE, FALSE, 2);
}

static GtkWidget *
make_method(gpointer user_data)
{
    Dialog *gui = user_data;
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2), *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
    GtkWidget *label = gtk_label_new_with_mnemonic("_Method:"), *combo = gtk_combo_box_text_new();

    gui->method = GTK_COMBO_BOX_TEXT(combo);
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), combo);
    gtk_box_pack_start(GTK_BOX(row), label, FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(row), combo, TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(box), row, FALSE, FALSE, 0);
    gui->about = add_text(box);
    gtk_label_set_text(gui->about, "Asking the worker what there is\342\200\246");
    g_signal_connect(combo, "changed", G_CALLBACK(method_changed), gui);
    return box;
}

static GtkWidget *
make_chance(gpointer user_data)
{
    Dialog *gui = user_data;
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2);

    gui->chance = add_text(box);
    gtk_label_set_text(gui->chance, "\n");
    return box;
}

static GtkWidget *
make_parameters(Dialog *gui)
{
    GwyParamTable *table = gui->table = gwy_param_table_new(gui->choices);

    gwy_param_table_append_foreign(table, PART_METHOD, make_method, gui, NULL);
    gwy_param_table_append_header(table, HEADER_LEVELLING, "Levelling before upscaling");
    gwy_param_table_append_combo(table, CHOICE_BACKGROUND);
    gwy_param_table_append_combo(table, CHOICE_ROWS);
    gwy_param_table_append_combo(table, CHOICE_MASKING);
    gwy_param_table_set_sensitive(table, CHOICE_MASKING, gui->scan->mask != NULL);
    gwy_param_table_append_header(table, HEADER_RESULT, "Result");
    gwy_param_table_append_combo(table, CHOICE_SCALE);
    gwy_param_table_append_checkbox(table, CHOICE_JOIN);
    gwy_param_table_set_sensitive(table, CHOICE_JOIN, FALSE); /* until the worker has found it */
    gwy_param_table_append_checkbox(table, CHOICE_RESTORE);
    gwy_param_table_append_checkbox(table, CHOICE_CONFIDENCE);
    gwy_param_table_append_slider(table, CHOICE_SHARPNESS);
    gwy_param_table_slider_set_mapping(table, CHOICE_SHARPNESS, GWY_SCALE_MAPPING_LINEAR);
    gwy_param_table_slider_set_steps(table, CHOICE_SHARPNESS, 0.05, 0.25);
    gwy_param_table_slider_set_digits(table, CHOICE_SHARPNESS, 2);
    gwy_param_table_append_slider(table, CHOICE_REALISATIONS);
    gwy_param_table_slider_set_mapping(table, CHOICE_REALISATIONS, GWY_SCALE_MAPPING_LINEAR);
    gwy_param_table_append_slider(table, CHOICE_SEED);
    gwy_param_table_slider_set_mapping(table, CHOICE_SEED, GWY_SCALE_MAPPING_LINEAR);
    gwy_param_table_append_foreign(table, PART_CHANCE, make_chance, gui, NULL);
    gwy_param_table_append_separator(table);
    gwy_param_table_append_checkbox(table, CHOICE_UPDATE);
    g_signal_connect_swapped(table, "param-changed", G_CALLBACK(changed), gui);
    return gwy_param_table_widget(table);
}

static GtkWidget *
make_view(Dialog *gui)
{
    GwyParamTable *view = gui->view = gwy_param_table_new(gui->choices);

    gwy_param_table_append_radio_row(view, CHOICE_SHOWN);
    gwy_param_table_append_radio_row(view, CHOICE_ZOOM);
    g_signal_connect_swapped(view, "param-changed", G_CALLBACK(changed), gui);
    return gwy_param_table_widget(view);
}

static GtkWidget *
make_left(Dialog *gui)
{
    GtkWidget *left = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2), *row, *texts;

    gtk_box_pack_start(GTK_BOX(left), make_view(gui), FALSE, FALSE, 0);
    gtk_box_pack_start(GTK_BOX(left), preview_picture(gui->preview), TRUE, TRUE, 4);
    row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 8);
    gtk_box_pack_start(GTK_BOX(row), preview_overview(gui->preview), FALSE, FALSE, 0);
    texts = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2);
    gui->range = add_text(texts);
    gui->note = add_text(texts);
    gui->verdict = add_text(texts);
    gtk_label_set_text(gui->note, "Starting\342\200\246");
    gtk_box_pack_start(GTK_BOX(row), texts, TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(left), row, FALSE, FALSE, 0);
    return left;
}

static GtkWidget *
make_right(Dialog *gui)
{
    GtkWidget *right = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2);

    gtk_box_pack_start(GTK_BOX(right), make_parameters(gui), FALSE, FALSE, 0);
    add_heading(right, "Scan time");
    gui->saved = add_text(right);
    gui->plan = add_text(right);
    gui->estimate = add_text(right);
    return right;
}

static void
build(Dialog *gui, GtkWindow *parent)
{
    GtkWidget *whole = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 16);

    gui->dialog = gwy_dialog_new(AFMSR_TITLE);
    g_signal_connect(gui->dialog, "destroy", G_CALLBACK(gtk_widget_destroyed), &gui->dialog);
    gwy_dialog_add_stock_buttons(GWY_DIALOG(gui->dialog), GWY_STOCK_UPDATE, GWY_STOCK_RESET, GWY_STOCK_CANCEL,
                                 GWY_STOCK_OK, 0);
    gwy_help_add_to_window_uri(GTK_WINDOW(gui->dialog), HELP_ADDRESS, GWY_HELP_DEFAULT);
    if (parent)
        gtk_window_set_transient_for(GTK_WINDOW(gui->dialog), parent);
    gtk_box_pack_start(GTK_BOX(whole), make_left(gui), TRUE, TRUE, 0);
    gtk_box_pack_start(GTK_BOX(whole), make_right(gui), FALSE, FALSE, 0);
    gwy_dialog_add_content(GWY_DIALOG(gui->dialog), whole, TRUE, TRUE, 4);
    gwy_dialog_set_preview_func(GWY_DIALOG(gui->dialog), GWY_PREVIEW_IMMEDIATE, want_preview, gui, NULL);
    g_signal_connect_after(gui->dialog, "response", G_CALLBACK(responded), gui);
    show_estimate(gui);
    look(gui);
}

gboolean
dialog_run(Worker *worker, Scan *scan, GwyParams *choices, GtkWindow *parent, Json **told, GError **error)
{
    Dialog gui = { .worker = worker, .scan = scan, .choices = choices, .asked = ASK_N };
    GwyDialogOutcome outcome;
    guint source;

    gui.preview = preview_new(scan, G_CALLBACK(moved), &gui);
    build(&gui, parent);
    for (guint i = 0; i < ASK_N; i++)
        gui.wanted[i] = TRUE;
    source = g_timeout_add(TICK, listen, &gui);
    outcome = gwy_dialog_run(GWY_DIALOG(gui.dialog));
    g_source_remove(source);
    if (*not_sharpened(&gui)) /* what was not done is not kept for Ctrl+F, nor logged */
        gwy_params_set_double(choices, CHOICE_SHARPNESS, 0.0);
    if (*not_drawn(&gui))
        gwy_params_set_int(choices, CHOICE_REALISATIONS, 0);
    gwy_params_save_to_settings(choices);
    preview_free(gui.preview);
    json_free(gui.methods);
    if (gui.failure)
        g_propagate_error(error, gui.failure);
    else if (outcome == GWY_DIALOG_CANCEL)
        g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_CANCELLED, "Cancelled");
    *told = gui.told;
    return !gui.failure && outcome != GWY_DIALOG_CANCEL;
}
