/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#ifndef AFMSR_WORKER_H
#define AFMSR_WORKER_H

#include "json.h"

/* The process that does the arithmetic. What it understands is written down in
 * gwyddion_plugin/worker/protocol.py; this is the module's side of the conversation. */
typedef struct _Worker Worker;

#define AFMSR_ERROR afmsr_error_quark()
GQuark afmsr_error_quark(void);

typedef enum {
    AFMSR_ERROR_CANCELLED, /* by the user: nothing to be told */
    AFMSR_ERROR_FAILED,    /* the message ends with the cure */
} AfmsrError;

/* Finds the worker that is in memory, or starts one. */
Worker *worker_open(GError **error);

/* Sends a request: the members of a JSON object, but for type and id. */
void worker_ask(Worker *worker, const gchar *type, const GString *members);

/* Waits some seconds for the next message on the last request. Returns NULL if there is none, and if the
 * worker is gone or not to be understood, with the error set then. */
Json *worker_hear(Worker *worker, gdouble seconds, GError **error);

/* Waits for the answer to the last request, at most the seconds; errors of the worker's are errors. */
Json *worker_answer(Worker *worker, gdouble seconds, GError **error);

/* Returns whether a message is an error of the worker's, and sets the error then. */
gboolean worker_failed(const Json *message, GError **error);

/* Asks the worker to stop; ends it if it does not. */
void worker_cancel(Worker *worker);

/* Takes leave: the worker may stay in memory if a request said so. */
void worker_leave(Worker *worker);

/* Ends the worker. */
void worker_kill(Worker *worker);

#endif
