/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#include "choices.h"

#include "json.h"

#define LONGEST_MINUTES 1440.0
#define MOST_REALISATIONS 16 /* as in protocol.py */
#define MOST_SEED 9999       /* Gwyddion's own kind of seed has ten digits, which nobody reads or types */

/* What a list shows, and the worker's word for it at the same place. */
static const GwyEnum scales[] = {
    { "Automatic", 0 }, { "4x along both axes", 1 }, { "Lines x4", 2 }, { "Lines x2", 3 },
};
static const gchar *const scale_words[] = { "auto", "4", "1x4", "1x2" };

static const GwyEnum backgrounds[] = {
    { "None", 0 },
    { "Plane", 1 },
    { "Polynomial, degree 2", 2 },
    { "Polynomial, degree 3", 3 },
    { "Polynomial, degree 4", 4 },
    { "Polynomial, degree 5", 5 },
};
static const gchar *const background_words[] = { "none", "plane", "poly2", "poly3", "poly4", "poly5" };

static const GwyEnum rows[] = {
    { "As they are", 0 }, { "Align by median", 1 }, { "Align by median of differences", 2 },
};
static const gchar *const row_words[] = { "none", "rows-median", "rows-median-diff" };

static const GwyEnum shown[] = { { "Scan", 0 }, { "Result", 1 }, { "Difference", 2 } };

static const GwyEnum zooms[] = { { "1x", 1 }, { "2x", 2 }, { "4x", 4 } };

static GwyParamDef *
define_choices(void)
{
    static GwyParamDef *def = NULL;

    if (def)
        return def;
    def = gwy_param_def_new();
    gwy_param_def_set_function_name(def, AFMSR_FUNCTION);
    gwy_param_def_add_string(def, CHOICE_METHOD, "method", "_Method", GWY_PARAM_STRING_NULL_IS_EMPTY, NULL, "afm");
    gwy_param_def_add_gwyenum(def, CHOICE_SCALE, "scale", "Sca_le", scales, G_N_ELEMENTS(scales), 0);
    gwy_param_def_add_gwyenum(def, CHOICE_BACKGROUND, "background", "_Background", backgrounds,
                              G_N_ELEMENTS(backgrounds), 1);
    gwy_param_def_add_gwyenum(def, CHOICE_ROWS, "rows", "_Scan lines", rows, G_N_ELEMENTS(rows), 0);
    gwy_param_def_add_enum(def, CHOICE_MASKING, "masking", NULL, GWY_TYPE_MASKING_TYPE, GWY_MASK_IGNORE);
    gwy_param_def_add_boolean(def, CHOICE_RESTORE, "restore_background",
                              "Restore background: same _tilt, datum and mean", TRUE);
    gwy_param_def_add_boolean(def, CHOICE_CONFIDENCE, "confidence",
                              "Add con_fidence and residual as images", FALSE);
    gwy_param_def_add_double(def, CHOICE_SHARPNESS, "sharpness", "Sh_arpness", 0.0, 1.0, 0.0);
    gwy_param_def_add_int(def, CHOICE_REALISATIONS, "realisations", "R_ealisations", 0, MOST_REALISATIONS, 0);
    gwy_param_def_add_int(def, CHOICE_SEED, "seed", "See_d", 0, MOST_SEED, 0);
    gwy_param_def_add_boolean(def, CHOICE_JOIN, "join_retrace",
                              "_Join with the retrace: less noise, fewer scars", FALSE);
    gwy_param_def_add_instant_updates(def, CHOICE_UPDATE, "update", NULL, TRUE);
    gwy_param_def_add_gwyenum(def, CHOICE_SHOWN, "shown", "Preview", shown, G_N_ELEMENTS(shown), 1);
    gwy_param_def_add_gwyenum(def, CHOICE_ZOOM, "zoom", "_Zoom", zooms, G_N_ELEMENTS(zooms), 1);
    gwy_param_def_add_double(def, CHOICE_WARM_MINUTES, "warm_minutes", NULL, 0.0, LONGEST_MINUTES, 5.0);
    gwy_param_def_add_double(def, CHOICE_TIME_LIMIT, "time_limit", NULL, 1.0, 60.0 * LONGEST_MINUTES, 600.0);
    return def;
}

GwyParams *
choices_load(void)
{
    return gwy_params_new_from_settings(define_choices());
}

static const gchar *
level_of(GwyParams *choices, gchar **joined)
{
    const gchar *background = background_words[gwy_params_get_enum(choices, CHOICE_BACKGROUND)];
    const gchar *lines = row_words[gwy_params_get_enum(choices, CHOICE_ROWS)];

    *joined = NULL;
    if (g_str_equal(lines, "none"))
        return background;
    if (g_str_equal(background, "none"))
        return lines;
    return *joined = g_strdup_printf("%s+%s", background, lines);
}

void
choices_add_settings(GwyParams *choices, gboolean masked, GString *request)
{
    static const gchar *const masking_words[] = { "exclude", "include", "ignore" };
    g_autoptr(GString) settings = g_string_new("{");
    g_autofree gchar *joined = NULL;

    json_add_string(settings, "method", gwy_params_get_string(choices, CHOICE_METHOD));
    json_add_string(settings, "scale", scale_words[gwy_params_get_enum(choices, CHOICE_SCALE)]);
    json_add_string(settings, "level", level_of(choices, &joined));
    json_add_string(settings, "mask",
                    masked ? masking_words[gwy_params_get_enum(choices, CHOICE_MASKING)] : "ignore");
    json_add_flag(settings, "restore_background", gwy_params_get_boolean(choices, CHOICE_RESTORE));
    g_string_append_c(settings, '}');
    json_add(request, "settings", settings->str);
}

/* Returns how long the worker may stay in memory, in minutes. */
static gdouble
warm_minutes(GwyParams *choices)
{
    const gchar *told = g_getenv("AFMSR_WARM_MINUTES");
    gchar *end = NULL;
    gdouble minutes = told ? g_ascii_strtod(told, &end) : -1.0;

    if (told && end != told && !*end && minutes >= 0.0 && minutes <= LONGEST_MINUTES)
        return minutes;
    return gwy_params_get_double(choices, CHOICE_WARM_MINUTES);
}

void
choices_add_sharpness(GwyParams *choices, GString *request)
{
    gdouble sharpness = gwy_params_get_double(choices, CHOICE_SHARPNESS);

    if (sharpness > 0.0)
        json_add_number(request, "sharpness", sharpness);
    json_add_number(request, "seed", gwy_params_get_int(choices, CHOICE_SEED));
}

void
choices_add_limits(GwyParams *choices, GString *request)
{
    json_add_number(request, "time_limit", gwy_params_get_double(choices, CHOICE_TIME_LIMIT));
    json_add_number(request, "keep", 60.0 * warm_minutes(choices));
    json_add_flag(request, "confidence", gwy_params_get_boolean(choices, CHOICE_CONFIDENCE));
    json_add_number(request, "realisations", gwy_params_get_int(choices, CHOICE_REALISATIONS));
}
