/* SPDX-License-Identifier: GPL-2.0-or-later. Part of AFM Super-Resolution for Gwyddion 3, see NOTICE. */
#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "installed.h" /* written by the installer: WORKER_COMMAND, the words of the command */

#define PROTOCOL 1
#define PATIENCE 0.5      /* s for a worker in memory to say that it is ready; one that is busy does not */
#define FAREWELL 1.5      /* s for a worker to stop */
#define LONGEST_LINE (1 << 24) /* bytes; the longest honest message has a few thousand */
#define LAST_WORDS 2000   /* bytes of what it wrote for people that a message shows */

struct _Worker {
    gint socket;
    GPid pid;          /* of the process, 0 if not known */
    gboolean is_child; /* ours to bury */
    gchar *errors;     /* file with what it writes for people, NULL if another client has that */
    GString *heard;    /* not yet a whole line */
    gint64 number;     /* of the last request */
};

/* Where a worker that stays in memory will be found, as the first one said. */
static gchar *address = NULL;

GQuark
afmsr_error_quark(void)
{
    return g_quark_from_static_string("afmsr-error-quark");
}

static Worker *
worker_new(gint descriptor, GPid pid)
{
    Worker *worker = g_new0(Worker, 1);

    worker->socket = descriptor;
    worker->pid = pid;
    worker->heard = g_string_new(NULL);
    return worker;
}

static void
worker_free(Worker *worker)
{
    close(worker->socket);
    if (worker->errors) {
        unlink(worker->errors);
        g_free(worker->errors);
    }
    g_string_free(worker->heard, TRUE);
    g_free(worker);
}

/* Never raises SIGPIPE: that a worker is gone is noticed where its messages are read. */
static void
send_text(Worker *worker, const gchar *text)
{
    gsize left = strlen(text);

    while (left) {
        gssize sent = send(worker->socket, text, left, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return;
        text += sent;
        left -= sent;
    }
}

/* --- a worker that is in memory ------------------------------------------------------------------ */

static gboolean
is_private(const gchar *file)
{
    g_autofree gchar *folder = g_path_get_dirname(file);
    struct stat found;

    return lstat(folder, &found) == 0 && S_ISDIR(found.st_mode) && found.st_uid == geteuid()
           && !(found.st_mode & 077);
}

static gint
connect_to(const gchar *path)
{
    struct sockaddr_un place = { .sun_family = AF_UNIX };
    gint descriptor;

    if (strlen(path) >= sizeof(place.sun_path))
        return -1;
    strcpy(place.sun_path, path);
    descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor >= 0 && connect(descriptor, (struct sockaddr *)&place, sizeof(place)) != 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

/* Returns NULL if there is no worker in memory that has time. */
static Worker *
find_worker(void)
{
    g_autofree gchar *content = NULL;
    g_autofree gchar *hello = NULL;
    g_auto(GStrv) lines = NULL;
    g_autoptr(Json) ready = NULL;
    Worker *worker;
    gint descriptor;

    if (!address || !is_private(address) || !g_file_get_contents(address, &content, NULL, NULL))
        return NULL;
    lines = g_strsplit(content, "\n", 3); /* socket, token, process */
    if (g_strv_length(lines) != 3 || (descriptor = connect_to(lines[0])) < 0)
        return NULL;
    worker = worker_new(descriptor, (GPid)g_ascii_strtoll(lines[2], NULL, 10));
    hello = g_strdup_printf("{\"type\": \"hello\", \"token\": \"%s\"}\n", lines[1]);
    send_text(worker, hello);
    ready = worker_hear(worker, PATIENCE, NULL);
    if (ready && g_str_equal(json_string(ready, "type"), "ready"))
        return worker;
    worker_free(worker);
    return NULL;
}

/* --- a worker of our own --------------------------------------------------------------------------- */

static void
begin_session(G_GNUC_UNUSED gpointer user_data)
{
    setsid(); /* Ctrl+C in a terminal is for Gwyddion */
}

static gchar **
worker_environment(void)
{
    gchar **environment = g_get_environ();
    g_auto(GStrv) names = g_listenv();

    for (guint i = 0; names[i]; i++) {
        if (g_str_has_prefix(names[i], "PYTHON"))
            environment = g_environ_unsetenv(environment, names[i]);
    }
    return environment;
}

static Worker *
start_worker(GError **error)
{
    static const gchar *const command[] = { WORKER_COMMAND, NULL };
    g_auto(GStrv) environment = worker_environment();
    g_autofree gchar *errors = NULL;
    g_autoptr(GError) why = NULL;
    gint ends[2], said;
    GPid pid = 0;
    Worker *worker;

    if ((said = g_file_open_tmp("afmsr-XXXXXX", &errors, &why)) < 0) {
        g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                    "%s; free some space there, or set TMPDIR to another folder", why->message);
        return NULL;
    }
    fcntl(said, F_SETFD, FD_CLOEXEC);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED, "No worker: %s; close other programs and try again",
                    g_strerror(errno));
        close(said);
        unlink(errors);
        return NULL;
    }
    g_spawn_async_with_fds("/", (gchar **)command, environment, G_SPAWN_DO_NOT_REAP_CHILD, begin_session, NULL,
                           &pid, ends[1], ends[1], said, &why);
    close(ends[1]);
    close(said);
    if (why) {
        g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                    "The worker cannot be started: %s; run `afmsr plugin install` again", why->message);
        close(ends[0]);
        unlink(errors);
        return NULL;
    }
    worker = worker_new(ends[0], pid);
    worker->is_child = TRUE;
    worker->errors = g_steal_pointer(&errors);
    return worker;
}

Worker *
worker_open(GError **error)
{
    Worker *worker = find_worker();

    return worker ? worker : start_worker(error);
}

/* --- the conversation ------------------------------------------------------------------------------ */

void
worker_ask(Worker *worker, const gchar *type, const GString *members)
{
    g_autoptr(GString) line = g_string_new("{");

    worker->number++;
    json_add_string(line, "type", type);
    json_add_number(line, "id", worker->number);
    if (members->len)
        g_string_append_printf(line, ", %s", members->str);
    g_string_append(line, "}\n");
    send_text(worker, line->str);
}

/* Says how it ended, with the end of what it wrote for people. */
static void
set_died(Worker *worker, GError **error)
{
    g_autofree gchar *words = NULL;
    gsize length = 0;

    if (worker->errors)
        g_file_get_contents(worker->errors, &words, &length, NULL);
    words = words ? words : g_strdup("");
    g_strstrip(words);
    length = strlen(words);
    g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                "The worker ended without a result; crop the scan if memory was short, else run "
                "`afmsr plugin check`%s%s",
                length ? "\n\n" : "", words + (length > LAST_WORDS ? length - LAST_WORDS : 0));
}

/* Reads what has come. Returns FALSE at the end. */
static gboolean
hear_more(Worker *worker)
{
    gchar chunk[65536];
    gssize length;

    do
        length = recv(worker->socket, chunk, sizeof(chunk), 0);
    while (length < 0 && errno == EINTR);
    if (length <= 0)
        return FALSE;
    g_string_append_len(worker->heard, chunk, length);
    return TRUE;
}

static gboolean
wait_for_more(Worker *worker, gint64 until)
{
    struct pollfd readable = { .fd = worker->socket, .events = POLLIN };
    gint found;

    do {
        gint64 left = MAX(until - g_get_monotonic_time(), 0); /* looks once even if there is no time */
        found = poll(&readable, 1, (gint)((left + 999) / 1000));
    } while (found < 0 && errno == EINTR);
    return found > 0;
}

/* Takes a whole line from what was heard; NULL if there is none. */
static gchar *
next_line(Worker *worker)
{
    gchar *end = memchr(worker->heard->str, '\n', worker->heard->len);
    gchar *line;

    if (!end)
        return NULL;
    line = g_strndup(worker->heard->str, end - worker->heard->str);
    g_string_erase(worker->heard, 0, end - worker->heard->str + 1);
    return line;
}

/* Returns FALSE, with the error set, if the worker is none of ours. */
static gboolean
take_ready(const Json *message, GError **error)
{
    gint version = (gint)json_number(message, "protocol", 0.0);

    if (version != PROTOCOL) {
        g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                    "The worker speaks version %d of the protocol, this module version %d; run "
                    "`afmsr plugin install` and restart Gwyddion",
                    version, PROTOCOL);
        return FALSE;
    }
    if (*json_string(message, "address")) {
        g_free(address);
        address = g_strdup(json_string(message, "address"));
    }
    return TRUE;
}

Json *
worker_hear(Worker *worker, gdouble seconds, GError **error)
{
    gint64 until = g_get_monotonic_time() + (gint64)(1e6 * seconds);

    while (TRUE) {
        g_autofree gchar *line = next_line(worker);
        g_autoptr(Json) message = NULL;
        const Json *number;

        if (!line) {
            if (!wait_for_more(worker, until))
                return NULL;
            if (worker->heard->len > LONGEST_LINE || !hear_more(worker)) {
                set_died(worker, error);
                return NULL;
            }
            continue;
        }
        if (!(message = json_parse(line))) {
            g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                        "The worker says what is no message (%.40s); run `afmsr plugin install` again", line);
            return NULL;
        }
        if (g_str_equal(json_string(message, "type"), "ready")) {
            if (!take_ready(message, error))
                return NULL;
            if (!worker->number)
                return g_steal_pointer(&message);
            continue;
        }
        number = json_member(message, "id"); /* null if it did not understand */
        if (json_number(message, "id", -1.0) == (gdouble)worker->number || !number || json_is_null(number))
            return g_steal_pointer(&message);
    }
}

gboolean
worker_failed(const Json *message, GError **error)
{
    const gchar *told = json_string(message, "message"), *detail = json_string(message, "detail");

    if (!g_str_equal(json_string(message, "type"), "error"))
        return FALSE;
    g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED, "%s%s%s", told, *detail ? "\n\n" : "", detail);
    return TRUE;
}

Json *
worker_answer(Worker *worker, gdouble seconds, GError **error)
{
    gint64 until = g_get_monotonic_time() + (gint64)(1e6 * seconds), left;

    while ((left = until - g_get_monotonic_time()) > 0) {
        g_autoptr(GError) why = NULL;
        g_autoptr(Json) message = worker_hear(worker, 1e-6 * left, &why);
        if (why) {
            g_propagate_error(error, g_steal_pointer(&why));
            return NULL;
        }
        if (message && worker_failed(message, error))
            return NULL;
        if (message && !g_str_equal(json_string(message, "type"), "progress"))
            return g_steal_pointer(&message);
    }
    g_set_error(error, AFMSR_ERROR, AFMSR_ERROR_FAILED,
                "The worker did not answer within %g s; try again, or run `afmsr plugin check`", seconds);
    return NULL;
}

/* --- the end ----------------------------------------------------------------------------------------- */

static void
bury(GPid pid, G_GNUC_UNUSED gint status, G_GNUC_UNUSED gpointer user_data)
{
    g_spawn_close_pid(pid);
}

void
worker_leave(Worker *worker)
{
    shutdown(worker->socket, SHUT_RDWR);
    if (worker->is_child)
        g_child_watch_add(worker->pid, bury, NULL); /* it may stay for minutes */
    worker_free(worker);
}

void
worker_kill(Worker *worker)
{
    if (worker->pid > 0)
        kill(worker->pid, SIGKILL);
    if (worker->is_child)
        waitpid(worker->pid, NULL, 0);
    worker_free(worker);
}

void
worker_cancel(Worker *worker)
{
    gint64 until = g_get_monotonic_time() + (gint64)(1e6 * FAREWELL), left;

    send_text(worker, "{\"type\": \"cancel\"}\n");
    while ((left = until - g_get_monotonic_time()) > 0) {
        g_autoptr(GError) gone = NULL;
        g_autoptr(Json) message = worker_hear(worker, 1e-6 * left, &gone);
        if (gone)
            break;
        if (message && !g_str_equal(json_string(message, "type"), "progress")) {
            worker_leave(worker); /* it stopped: it may stay */
            return;
        }
    }
    worker_kill(worker);
}
