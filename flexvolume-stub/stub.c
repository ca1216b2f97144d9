/* instorage-flexvolume: what kubelet and kube-controller-manager execute. It hands the call to the node agent, prints
 * the agent's answer, and leaves; everything on standard output, never a byte on standard error, because kubelet
 * parses both together as one JSON text. Static, without a C library, so that it runs in any container that shows it
 * nothing but its own directory.
 *
 * THE WIRE, stub to agent. A stream socket: $INSTORAGE_AGENT_SOCKET and nothing else when that is set, otherwise
 * /run/instorage/agent.sock, otherwise .agent.sock in the directory of this program.
 *   call:    argv[1], argv[2], ... each ended by one NUL byte (an empty argument is the NUL alone); then the stub shuts
 *            its sending side down. At most 128 KiB. Bytes are passed on as they came: UTF-8 is the agent's to check.
 *   answer:  any number of records   'P' text '\n'      progress: «<phase>, since <when>», 200 bytes are kept, and the
 *                                                       last one is quoted when the stub's patience ends;
 *            then one                '0' text EOF       to print, exit status 0 (Success, Not supported)
 *            or                      '1' text EOF       to print, exit status 1 (Failure).
 *            text is one JSON object in UTF-8 without control characters, perhaps followed by one '\n', at most 64 KiB.
 *            The end of input ends it, so the agent closes (or shuts down) after it. Anything else is nonsense, and
 *            the stub prints a Failure of its own.
 *   giving up: the stub stops at its deadline by closing: waitforattach 9 min (kubelet's is 10), detach 25 s, others
 *            100 s, from its start. The agent sees end of input or a reset (POLLHUP on its side); a detach must then
 *            send nothing more to the array, everything else may go on and be joined by kubelet's next try.
 *   again:   a connection that ends before the first byte of an answer is that of an agent that is being replaced, or has
 *            died: the call is sent once more, to the same socket and within the same deadline. It is what kubelet's
 *            own next try would be, so an agent has to bear it.
 * $INSTORAGE_STUB_DEADLINE_MS shortens the deadline and $INSTORAGE_EXT names another program for ext-*: for tests. */
#include "kernel.h"

#define AGENT_SOCKET "/run/instorage/agent.sock"
#define EXT_PROGRAM "/usr/libexec/instorage/instorage-ext"
#define LOOK "look at journalctl -u instorage-nodeagent"

enum { CALL_LIMIT = 128 * 1024, ANSWER_LIMIT = 64 * 1024, PROGRESS_LIMIT = 200, PATH_LIMIT = 4096, RETRY_MS = 20, ATTEMPTS = 2 };

typedef unsigned char byte;
typedef unsigned long size;

static char output[2 * ANSWER_LIMIT];
static size output_length;
static char answer[ANSWER_LIMIT + 2]; /* status byte, text, one '\n' */
static char directory[PATH_LIMIT];    /* where this program is, with the slash; empty: the working directory */
static char beside[PATH_LIMIT];
static long long patience_ms, deadline_ms;

/* ---- text ---- */

static size length(const char *text)
{
    size count = 0;
    while (text[count])
        count++;
    return count;
}

static int same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static int begins(const char *text, const char *with)
{
    while (*with && *text == *with)
        text++, with++;
    return !*with;
}

/* The bytes of the UTF-8 sequence at text (RFC 3629: no surrogates, nothing overlong), 0 when there is none. */
static size sequence(const byte *text, size left)
{
    size count = text[0] < 0x80 ? 1 : text[0] < 0xc2 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : text[0] < 0xf5 ? 4 : 0;
    if (count > left)
        return 0;
    for (size i = 1; i < count; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if (count > 2 && ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
                      (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f)))
        return 0;
    return count;
}

static int control(byte c) { return c < 0x20 || c == 0x7f; }

static void put(char c)
{
    if (output_length < sizeof output)
        output[output_length++] = c;
}

static void say(const char *text)
{
    while (*text)
        put(*text++);
}

/* What came from outside, inside a JSON string: what JSON cannot hold becomes a question mark. */
static void quote(const char *text, size count)
{
    const byte *from = (const byte *)text;
    for (size i = 0, step; i < count; i += step ? step : 1) {
        step = sequence(from + i, count - i);
        if (!step || control(from[i])) {
            put('?');
            continue;
        }
        if (from[i] == '"' || from[i] == '\\')
            put('\\');
        for (size j = 0; j < step; j++)
            put(text[i + j]);
    }
}

static void say_number(long long number)
{
    if (number >= 10)
        say_number(number / 10);
    put((char)('0' + number % 10));
}

static void say_patience(void)
{
    say_number(patience_ms < 1000 ? patience_ms : patience_ms / 1000);
    say(patience_ms < 1000 ? " ms" : " s");
}

/* ---- time ---- */

static long long now_ms(void)
{
    struct timespec now = {0, 0};
    call(__NR_clock_gettime, CLOCK_MONOTONIC, (long)&now, 0, 0, 0);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Waits for the descriptor (-1: only for the time to pass) at most so long; what poll(2) says: 0 is «too late». */
static long wait_for(int descriptor, short events, long long ms)
{
    struct pollfd poll = {descriptor, events, 0};
    struct timespec limit = {ms / 1000, (ms % 1000) * 1000000};
    return ms <= 0 ? 0 : call(__NR_ppoll, (long)&poll, 1, (long)&limit, 0, 0);
}

static long long left_ms(void) { return deadline_ms - now_ms(); }

/* ---- answering ---- */

static _Noreturn void leave(int status)
{
    for (;;)
        call(__NR_exit_group, status, 0, 0, 0, 0);
}

static _Noreturn void print(const char *text, size count, int status)
{
    while (count) {
        long written = call(__NR_write, 1, (long)text, (long)count, 0, 0);
        if (written > 0)
            text += written, count -= (size)written;
        else if (written == -EAGAIN && wait_for(1, POLLOUT, 10000) == 0)
            leave(1);
        else if (written != -EAGAIN && written != -EINTR)
            leave(1); /* nobody reads: nobody to tell */
    }
    leave(status);
}

static _Noreturn void end(int status)
{
    say("\"}\n");
    print(output, output_length, status);
}

static void begin_failure(void)
{
    output_length = 0;
    say("{\"status\":\"Failure\",\"message\":\"");
}

static void begin_not_supported(const char *command)
{
    say("{\"status\":\"Not supported\",\"message\":\"");
    say(command);
}

/* ---- the program's own place ---- */

/* From /proc/self/exe, and where /proc is not mounted from the path that was executed (AT_EXECFN). */
static void find_directory(const unsigned long *auxiliary)
{
    long count = call(__NR_readlinkat, HERE, (long)"/proc/self/exe", (long)directory, sizeof directory, 0);
    if (count <= 0 || directory[0] != '/') {
        const char *executed = "";
        for (; auxiliary[0] != AT_NULL; auxiliary += 2)
            if (auxiliary[0] == AT_EXECFN)
                executed = (const char *)auxiliary[1];
        for (count = 0; count < PATH_LIMIT && executed[count]; count++)
            directory[count] = executed[count];
    }
    if (count >= PATH_LIMIT)
        count = 0;
    while (count > 0 && directory[count - 1] != '/')
        count--;
    directory[count] = 0;
}

/* The path of a file beside this program; it stays valid until the next call. */
static const char *sibling(const char *name)
{
    size count = 0;
    for (const char *from = directory; *from && count < PATH_LIMIT - 1; from++)
        beside[count++] = *from;
    for (; *name && count < PATH_LIMIT - 1; name++)
        beside[count++] = *name;
    beside[count] = 0;
    return beside;
}

/* ---- what the stub answers itself ---- */

/* The first word of the file .attach beside this program: "" when there is no such file. */
static const char *attach_setting(void)
{
    static char word[16];
    long file = call(__NR_openat, HERE, (long)sibling(".attach"), O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0, 0);
    if (file < 0)
        return file == -ENOENT ? "" : "?";
    long count = call(__NR_read, file, (long)word, sizeof word - 1, 0, 0);
    if (count < 0)
        return "?";
    while (count > 0 && (word[count - 1] == '\n' || word[count - 1] == ' ' || word[count - 1] == '\r'))
        count--;
    word[count] = 0;
    return count ? word : "?";
}

/* Always a Success: kubelet forgets a driver whose init fails. */
static _Noreturn void answer_init(void)
{
    const char *attach = attach_setting();
    say("{\"status\":\"Success\",\"capabilities\":{\"attach\":");
    say(same(attach, "false") ? "false" : "true");
    say(",\"requiresFSResize\":true,\"fsGroup\":true,\"selinuxRelabel\":true,\"supportsMetrics\":true}");
    say(",\"message\":\"");
    if (!same(attach, "false") && !same(attach, "true") && *attach) {
        say("attach is true, because the file ");
        quote(beside, length(beside));
        say(" cannot be read or says neither true nor false: correct it or remove it");
    } else {
        say("instorage-flexvolume is ready");
    }
    end(0);
}

/* Runs the administrator's program instead of this one, with the same arguments; it returns only to fail. */
static _Noreturn void run_ext(char **arguments, char **environment, const char *program)
{
    static char setting[PATH_LIMIT + 32];
    static char *passed[4096];
    size count = 0;
    for (; environment[count] && count < sizeof passed / sizeof *passed - 2; count++)
        passed[count] = environment[count];
    const char *from = "INSTORAGE_PLUGIN_DIRECTORY=";
    size at = 0;
    while (*from)
        setting[at++] = *from++;
    for (from = directory; *from; from++)
        setting[at++] = *from;
    passed[count] = *directory ? setting : 0; /* one that is set already comes first and wins */
    long error = -call(__NR_execve, (long)program, (long)arguments, (long)passed, 0, 0);
    begin_failure();
    quote(program, length(program));
    say(" cannot be started (error ");
    say_number(error);
    say("): the ext- commands are the node agent's, which is not installed on this machine, or not whole: see README.md, On a node");
    end(1);
}

/* ---- the agent ---- */

struct place {
    const char *path;
    long error; /* of connect(2), positive */
};

/* Connects, trying again while the agent's queue is full; the descriptor or a negative error. */
static long reach(const char *path)
{
    struct sockaddr_un address = {FAMILY_UNIX, {0}};
    size count = length(path), base = count;
    while (base && path[base - 1] != '/')
        base--;
    if (count >= sizeof address.sun_path && base) { /* too long for the address: go there and use the short name */
        static char parent[PATH_LIMIT];
        for (size i = 0; i < base && i < PATH_LIMIT - 1; i++)
            parent[i] = path[i];
        long error = call(__NR_chdir, (long)parent, 0, 0, 0, 0);
        if (error)
            return error;
        path += base, count -= base;
    }
    if (count >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    for (size i = 0; i < count; i++)
        address.sun_path[i] = path[i];
    long opened = call(__NR_socket, FAMILY_UNIX, SOCKET_STREAM | O_NONBLOCK | O_CLOEXEC, 0, 0, 0);
    if (opened < 0)
        return opened;
    if (opened < 3) /* started with a standard descriptor closed: what is printed must not go to the agent */
        opened = call(__NR_fcntl, opened, DUPLICATE_FROM, 3, 0, 0);
    for (;;) {
        long error = call(__NR_connect, opened, (long)&address, sizeof address, 0, 0);
        if (!error)
            return opened;
        if ((error != -EAGAIN && error != -EINTR) || left_ms() <= 0)
            return error;
        wait_for(-1, 0, left_ms() < RETRY_MS ? left_ms() : RETRY_MS);
    }
}

static int absent(long error) { return error == ENOENT || error == ENOTDIR; }

static void say_place(const struct place *place)
{
    quote(place->path, length(place->path));
    if (absent(place->error))
        say(" (it does not exist)");
    else if (place->error == ECONNREFUSED)
        say(" (nobody listens there)");
    else if (place->error == EAGAIN)
        say(" (its queue of calls stays full)");
    else if (place->error == EACCES || place->error == EPERM)
        say(" (permission denied)");
    else
        say(" (error "), say_number(place->error), say(")");
}

static _Noreturn void nobody_there(const char *command, const struct place *places, size count)
{
    int none = 1;
    for (size i = 0; i < count; i++)
        none = none && absent(places[i].error);
    if (none && same(command, "detach")) {
        say("{\"status\":\"Success\",\"message\":\"no node agent is installed on this machine: nothing was unmapped "
            "here, the node that used the volume unmaps it itself");
        end(0);
    }
    begin_failure();
    say("the node agent cannot be reached at ");
    for (size i = 0; i < count; i++) {
        say(i ? " nor at " : "");
        say_place(&places[i]);
    }
    say(": start it with systemctl start instorage-node.target, or " LOOK);
    end(1);
}

static long connect_agent(const char *command, const char *chosen, struct place *used)
{
    struct place places[2] = {{chosen ? chosen : AGENT_SOCKET, 0}, {sibling(".agent.sock"), 0}};
    size count = chosen ? 1 : 2;
    for (size i = 0; i < count; i++) {
        long agent = reach(places[i].path);
        if (agent >= 0) {
            *used = places[i];
            return agent;
        }
        places[i].error = -agent;
    }
    nobody_there(command, places, count);
}

static _Noreturn void too_late(const struct place *agent, const char *progress, size count)
{
    begin_failure();
    if (count) {
        say("still working: ");
        quote(progress, count);
        say(" (this call waited ");
        say_patience();
        say("; the next try joins the same operation)");
    } else {
        say("the node agent at ");
        quote(agent->path, length(agent->path));
        say(" did not answer within ");
        say_patience();
        say(": " LOOK ", and restart that unit if it hangs");
    }
    end(1);
}

static _Noreturn void nonsense(const struct place *agent, const char *what)
{
    begin_failure();
    say("the node agent at ");
    quote(agent->path, length(agent->path));
    say(" gave no usable answer (");
    say(what);
    say("): " LOOK "; the call can be repeated");
    end(1);
}

/* Sends one argument with its NUL. An agent that stops reading may have answered already: that is no error here. */
static int send_argument(long agent, const char *argument, const struct place *place)
{
    size left = length(argument) + 1;
    while (left) {
        long sent = call(__NR_write, agent, (long)argument, (long)left, 0, 0);
        if (sent > 0)
            argument += sent, left -= (size)sent;
        else if (sent == -EAGAIN && wait_for((int)agent, POLLOUT, left_ms()) == 0)
            too_late(place, 0, 0);
        else if (sent != -EAGAIN && sent != -EINTR)
            return 0;
    }
    return 1;
}

/* One more piece of the stream: its length, 0 at its end or when the agent is gone. */
static size receive(long agent, char *into, size room, const struct place *place, const char *progress, size count)
{
    for (;;) {
        long got = call(__NR_read, agent, (long)into, (long)room, 0, 0);
        if (got >= 0)
            return (size)got;
        if (got == -EAGAIN && wait_for((int)agent, POLLIN, left_ms()) == 0)
            too_late(place, progress, count);
        if (got != -EAGAIN && got != -EINTR)
            return 0;
    }
}

/* Why the text cannot be printed, 0 when it can: one whole {...}, so that half an answer is never taken for one. */
static const char *flaw(const char *text, size count)
{
    size depth = 0;
    int in_string = 0, escaped = 0;
    if (!count || text[0] != '{')
        return count ? "it is not a JSON object" : "it is empty";
    for (size i = 0, step; i < count; i += step) {
        step = sequence((const byte *)text + i, count - i);
        if (!step || control((byte)text[i]))
            return "it has bytes that are not printable UTF-8";
        if (escaped)
            escaped = 0;
        else if (in_string && text[i] == '\\')
            escaped = 1;
        else if (text[i] == '"')
            in_string = !in_string;
        else if (!in_string && (text[i] == '{' || text[i] == '['))
            depth++;
        else if (!in_string && (text[i] == '}' || text[i] == ']') && !--depth && i + 1 < count)
            return "something follows its end";
    }
    return depth || text[count - 1] != '}' ? "it broke off" : 0;
}

static _Noreturn void pass_answer(const struct place *place, size count)
{
    size text = count > 1 && answer[count - 1] == '\n' ? count - 1 : count;
    const char *what = text - 1 > ANSWER_LIMIT ? "it is longer than 64 KiB" : flaw(answer + 1, text - 1);
    if (what)
        nonsense(place, what);
    answer[text] = '\n';
    print(answer + 1, text, answer[0] == '0' ? 0 : 1);
}

/* Reads records until the answer has come; it returns when the agent leaves without a byte of one. */
static void listen(long agent, const struct place *place)
{
    static char piece[4096], line[PROGRESS_LIMIT], progress[PROGRESS_LIMIT];
    size known = 0, read = 0, count = 0, in_line = 0, in_answer = 0;
    for (;;) {
        size got = receive(agent, piece, sizeof piece, place, progress, known);
        if (!got && in_answer)
            pass_answer(place, in_answer);
        if (!got)
            return;
        for (read = 0; read < got; read++) {
            char c = piece[read];
            if (in_answer || (!in_line && (c == '0' || c == '1'))) {
                if (in_answer == sizeof answer)
                    nonsense(place, "it is longer than 64 KiB");
                answer[in_answer++] = c;
            } else if (!in_line && c != 'P') {
                nonsense(place, "it does not speak this protocol");
            } else if (!in_line) {
                in_line = 1, count = 0;
            } else if (c != '\n') {
                if (count < PROGRESS_LIMIT)
                    line[count++] = c;
            } else {
                for (in_line = 0, known = 0; known < count; known++)
                    progress[known] = line[known];
            }
        }
        if (left_ms() <= 0) /* also when it never stops talking */
            too_late(place, progress, known);
    }
}

/* The value of a variable; an empty one counts as unset. */
static const char *variable(char **environment, const char *name_and_equals)
{
    for (; *environment; environment++)
        if (begins(*environment, name_and_equals) && (*environment)[length(name_and_equals)])
            return *environment + length(name_and_equals);
    return 0;
}

static void set_deadline(const char *command, const char *shorter)
{
    long long asked = 0;
    patience_ms = same(command, "waitforattach") ? 540000 : same(command, "detach") ? 25000 : 100000;
    for (; shorter && *shorter >= '0' && *shorter <= '9' && asked < patience_ms; shorter++)
        asked = asked * 10 + (*shorter - '0');
    if (asked && asked < patience_ms)
        patience_ms = asked;
    deadline_ms = now_ms() + patience_ms;
}

static _Noreturn void ask_agent(char **arguments, char **environment)
{
    struct place place;
    size total = 0;
    for (size i = 1; arguments[i]; i++)
        total += length(arguments[i]) + 1;
    if (total > CALL_LIMIT) {
        begin_failure();
        say("the arguments of this call are longer than 128 KiB: shorten the options of the volume");
        end(1);
    }
    set_deadline(arguments[1], variable(environment, "INSTORAGE_STUB_DEADLINE_MS="));
    long agent = connect_agent(arguments[1], variable(environment, "INSTORAGE_AGENT_SOCKET="), &place);
    for (int attempt = 1; attempt <= ATTEMPTS && agent >= 0; attempt++) {
        for (size i = 1; arguments[i] && send_argument(agent, arguments[i], &place); i++)
            ;
        call(__NR_shutdown, agent, SHUT_SENDING, 0, 0, 0);
        listen(agent, &place);
        call(__NR_close, agent, 0, 0, 0, 0);
        agent = attempt < ATTEMPTS ? reach(place.path) : -1;
    }
    nonsense(&place, "it closed the connection without one"); /* also when nobody is there any more: it was asked */
}

_Noreturn void start(long *stack)
{
    char **arguments = (char **)(stack + 1), **environment = arguments + stack[0] + 1, **after = environment;
    static char help[] = "ext-help";
    static char *ask_help[] = {help, help, 0};
    static const unsigned long mask[2] = {1UL << (SIGPIPE - 1), 0};
    while (*after)
        after++;
    find_directory((const unsigned long *)(after + 1));
    const char *command = stack[0] > 1 ? arguments[1] : help;
    const char *program = variable(environment, "INSTORAGE_EXT=");
    if (begins(command, "ext-") || same(command, "create") || same(command, "delete"))
        run_ext(command == help ? ask_help : arguments, environment, program ? program : EXT_PROGRAM);
    call(__NR_rt_sigprocmask, SIG_BLOCK, (long)mask, 0, SIGNAL_BYTES, 0);
    if (same(command, "init"))
        answer_init();
    if (same(command, "getvolumename") || same(command, "attach") || same(command, "isattached")) {
        begin_not_supported(command);
        say(" is left to kubelet: the node that uses a volume maps it itself, in waitforattach");
        end(0);
    }
    ask_agent(arguments, environment);
}
