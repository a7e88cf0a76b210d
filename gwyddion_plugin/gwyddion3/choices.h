/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#ifndef AFMSR_CHOICES_H
#define AFMSR_CHOICES_H

#include <libgwyapp/gwyapp.h>

#define AFMSR_FUNCTION "afmsr_super_resolution"
#define AFMSR_TITLE "AFM Super-Resolution"

/* What the user chooses, kept in Gwyddion's settings, in the words of the other windows of afmsr. */
enum {
    CHOICE_METHOD,
    CHOICE_SCALE,
    CHOICE_BACKGROUND,
    CHOICE_ROWS,
    CHOICE_MASKING,
    CHOICE_RESTORE,
    CHOICE_CONFIDENCE,
    CHOICE_SHARPNESS,
    CHOICE_REALISATIONS,
    CHOICE_SEED,
    CHOICE_JOIN,
    CHOICE_UPDATE,
    CHOICE_SHOWN,
    CHOICE_ZOOM,
    CHOICE_WARM_MINUTES, /* in the settings only, as the next one */
    CHOICE_TIME_LIMIT,
    HEADER_LEVELLING, /* from here on: headings and other parts of the dialog */
    HEADER_RESULT,
    PART_METHOD,
    PART_ABOUT,
    PART_CHANCE,
};

GwyParams *choices_load(void);

/* Appends the settings of a request; a mask counts where there is one. */
void choices_add_settings(GwyParams *choices, gboolean masked, GString *request);

/* Appends to a request how sharp the result shall be, if more than the best guess. */
void choices_add_sharpness(GwyParams *choices, GString *request);

/* Appends what else a request for a whole image says. */
void choices_add_limits(GwyParams *choices, GString *request);

#endif
