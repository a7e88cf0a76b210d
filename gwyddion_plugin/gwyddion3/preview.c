/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#include "preview.h"

#include <libgwyui/gwyui.h>

#define SIDE 400    /* pixels of the large picture at first */
#define OVERVIEW 128 /* pixels of the small one */

static const gchar *const names[] = { "scan", "result", "difference" };

typedef struct {
    GwyField *field;
    GdkPixbuf *colours;
    gdouble low, high;
} Picture;

struct _Preview {
    const Scan *scan;
    GtkWidget *area, *small;
    Picture pictures[PREVIEW_N];
    Picture overview;
    PreviewShown shown;
    gint zoom;
    gdouble crop[4];  /* left, top, width and height, as shares of the scan */
    gdouble place[2]; /* pixel that the user chose */
    gboolean placed;
    void (*moved)(gpointer user_data);
    gpointer user_data;
};

static void
picture_clear(Picture *picture)
{
    g_clear_object(&picture->field);
    g_clear_object(&picture->colours);
}

/* Takes the field of this name, and paints it. */
static gboolean
picture_take(Picture *picture, const Scan *scan, const Json *answer, const gchar *name, const gchar *palette,
             GError **error)
{
    const Json *range = json_member(json_member(answer, "ranges"), name);
    GwyField *field = scan_preview(scan, json_member(json_member(answer, "fields"), name), error);

    if (!field)
        return FALSE;
    picture_clear(picture);
    picture->field = field;
    picture->low = json_number(range, "low", 0.0);
    picture->high = json_number(range, "high", 1.0);
    picture->colours
        = gdk_pixbuf_new(GDK_COLORSPACE_RGB, FALSE, 8, gwy_field_get_xres(field), gwy_field_get_yres(field));
    gwy_draw_field_pixbuf_with_range(picture->colours, field, gwy_gradients_get_gradient(palette), picture->low,
                                     picture->high);
    return TRUE;
}

/* Finds the largest place in a widget that has the proportions of the field. */
static void
picture_place(const Picture *picture, GtkWidget *widget, GdkRectangle *place)
{
    gdouble aspect = gwy_field_get_xreal(picture->field) / gwy_field_get_yreal(picture->field);
    gint width = gtk_widget_get_allocated_width(widget), height = gtk_widget_get_allocated_height(widget);

    place->width = MAX(1, MIN(width, (gint)(height * aspect)));
    place->height = MAX(1, MIN(height, (gint)(width / aspect)));
    place->x = (width - place->width) / 2;
    place->y = (height - place->height) / 2;
}

/* Draws the middle of a picture, enlarged; every pixel is one. */
static void
picture_draw(const Picture *picture, cairo_t *cr, const GdkRectangle *place, gint zoom)
{
    gint xres = gdk_pixbuf_get_width(picture->colours), yres = gdk_pixbuf_get_height(picture->colours);

    cairo_save(cr);
    cairo_rectangle(cr, place->x, place->y, place->width, place->height);
    cairo_clip(cr);
    cairo_translate(cr, place->x + 0.5 * place->width, place->y + 0.5 * place->height);
    cairo_scale(cr, zoom * (gdouble)place->width / xres, zoom * (gdouble)place->height / yres);
    cairo_translate(cr, -0.5 * xres, -0.5 * yres);
    gdk_cairo_set_source_pixbuf(cr, picture->colours, 0.0, 0.0);
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_NEAREST);
    cairo_paint(cr);
    cairo_restore(cr);
}

static gboolean
draw_large(GtkWidget *widget, cairo_t *cr, gpointer user_data)
{
    const Preview *preview = user_data;
    const Picture *picture = preview->pictures + preview->shown;
    GdkRectangle place;

    if (picture->colours) {
        picture_place(picture, widget, &place);
        picture_draw(picture, cr, &place, preview->zoom);
    }
    return TRUE;
}

static gboolean
draw_small(GtkWidget *widget, cairo_t *cr, gpointer user_data)
{
    const Preview *preview = user_data;
    const gdouble *crop = preview->crop;
    GdkRectangle place;

    if (!preview->overview.colours)
        return TRUE;
    picture_place(&preview->overview, widget, &place);
    picture_draw(&preview->overview, cr, &place, 1);
    for (gint width = 3; width > 0; width -= 2) { /* white within black: seen on every colour */
        cairo_set_source_rgb(cr, width == 1, width == 1, width == 1);
        cairo_set_line_width(cr, width);
        cairo_rectangle(cr, (gint)(place.x + crop[0] * place.width) + 0.5,
                        (gint)(place.y + crop[1] * place.height) + 0.5, (gint)(crop[2] * place.width) - 1.0,
                        (gint)(crop[3] * place.height) - 1.0);
        cairo_stroke(cr);
    }
    return TRUE;
}

static gboolean
pressed(GtkWidget *widget, GdkEventButton *event, gpointer user_data)
{
    Preview *preview = user_data;
    GdkRectangle place;

    if (!preview->overview.colours)
        return FALSE;
    picture_place(&preview->overview, widget, &place);
    preview->place[0] = (event->x - place.x) / place.width * gwy_field_get_xres(preview->scan->field);
    preview->place[1] = (event->y - place.y) / place.height * gwy_field_get_yres(preview->scan->field);
    preview->placed = TRUE;
    preview->moved(preview->user_data);
    return TRUE;
}

Preview *
preview_new(const Scan *scan, GCallback moved, gpointer user_data)
{
    Preview *preview = g_new0(Preview, 1);

    preview->scan = scan;
    preview->zoom = 1;
    preview->moved = (void (*)(gpointer))moved;
    preview->user_data = user_data;
    preview->area = gtk_drawing_area_new();
    gtk_widget_set_size_request(preview->area, SIDE, SIDE);
    g_signal_connect(preview->area, "draw", G_CALLBACK(draw_large), preview);
    preview->small = gtk_drawing_area_new();
    gtk_widget_set_size_request(preview->small, OVERVIEW, OVERVIEW);
    gtk_widget_set_valign(preview->small, GTK_ALIGN_START);
    gtk_widget_set_tooltip_text(preview->small, "Click to move the preview");
    gtk_widget_add_events(preview->small, GDK_BUTTON_PRESS_MASK);
    g_signal_connect(preview->small, "draw", G_CALLBACK(draw_small), preview);
    g_signal_connect(preview->small, "button-press-event", G_CALLBACK(pressed), preview);
    return preview;
}

void
preview_free(Preview *preview)
{
    for (guint i = 0; i < PREVIEW_N; i++)
        picture_clear(preview->pictures + i);
    picture_clear(&preview->overview);
    g_free(preview);
}

GtkWidget *
preview_picture(Preview *preview)
{
    return preview->area;
}

GtkWidget *
preview_overview(Preview *preview)
{
    return preview->small;
}

void
preview_look_at(Preview *preview, PreviewShown shown, gint zoom)
{
    preview->shown = shown;
    preview->zoom = zoom;
    gtk_widget_queue_draw(preview->area);
}

gboolean
preview_take(Preview *preview, const Json *answer, GError **error)
{
    const gchar *palette = gwy_file_get_palette(preview->scan->file, GWY_FILE_IMAGE, preview->scan->id);
    const Json *crop = json_member(answer, "part");
    static const gchar *const sides[] = { "left", "top", "width", "height" };

    for (guint i = 0; i < PREVIEW_N; i++) {
        if (!picture_take(preview->pictures + i, preview->scan, answer, names[i], palette, error))
            return FALSE;
    }
    if (!picture_take(&preview->overview, preview->scan, answer, "overview", palette, error))
        return FALSE;
    for (guint i = 0; i < 4; i++)
        preview->crop[i] = json_number(crop, sides[i], 0.0);
    gtk_widget_queue_draw(preview->area);
    gtk_widget_queue_draw(preview->small);
    return TRUE;
}

void
preview_add_place(const Preview *preview, GString *request)
{
    gchar x[G_ASCII_DTOSTR_BUF_SIZE], y[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree gchar *place = NULL;

    if (!preview->placed)
        return;
    place = g_strdup_printf("[%s, %s]", g_ascii_dtostr(x, sizeof(x), preview->place[0]),
                            g_ascii_dtostr(y, sizeof(y), preview->place[1]));
    json_add(request, "at", place);
}

gchar *
preview_range(const Preview *preview)
{
    const Picture *picture = preview->pictures + preview->shown;
    GwyValueFormat *format;
    gchar *text;

    if (!picture->field)
        return g_strdup("");
    format = gwy_unit_get_format_with_digits(gwy_field_get_unit_z(picture->field), GWY_UNIT_FORMAT_VFMARKUP,
                                             MAX(ABS(picture->low), ABS(picture->high)), 3, NULL);
    text = g_strdup_printf("Colours from %.*f to %.*f%s%s", format->precision, picture->low / format->magnitude,
                           format->precision, picture->high / format->magnitude, *format->units ? " " : "",
                           format->units);
    gwy_value_format_free(format);
    return text;
}
